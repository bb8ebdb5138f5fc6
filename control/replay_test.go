package control

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"weir/control/ban"
	"weir/control/capture"
	"weir/control/detect"
	"weir/control/rate"
	"weir/decode"
	"weir/decode/pcap"
	"weir/ring/replay"
	"weir/tools/blast"
)

// start is a whole second.
const start = int64(1_700_000_000e9)

// traffic is a capture in the making.
func traffic(seed uint64, flows ...blast.Flow) *blast.Scenario {
	return &blast.Scenario{Start: time.Unix(0, start), Seed: seed, SnapLen: 96, Flows: flows}
}

// flow is a regular stream to one host.
func flow(vector, dst string, pps int, from, to time.Duration) blast.Flow {
	return blast.Flow{Vector: vector, Dst: blast.Host(dst), PPS: pps, From: from, To: to}
}

// log keeps events as text.
type log struct {
	lines    []string
	started  []ban.Incident
	times    []int64
	evidence []*capture.Snapshot
	tables   uint64 // bytes at the end
	planned  uint64
	heap     uint64
}

func (l *log) Event(e *ban.Event, proof *capture.Evidence) {
	l.lines = append(l.lines, fmt.Sprintf("%s %.3f %s %s", e.Kind, float64(e.Time-start)/1e9,
		e.Incident.Target, e.Incident.Trigger.Name()))
	if e.Kind == ban.Started {
		l.started = append(l.started, *e.Incident)
		l.times = append(l.times, e.Time)
		l.evidence = append(l.evidence, proof.Snapshot())
	}
}

func limit(m rate.Metric, v uint64) (t detect.Thresholds) {
	t[rate.Incoming].Value[m], t[rate.Incoming].Set[m] = v, true
	return t
}

func testConfig(t detect.Thresholds) Config {
	return Config{
		Policy: detect.Policy{
			Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/20"),
				netip.MustParsePrefix("2001:db8::/48")},
			Groups: []detect.Hostgroup{{Name: detect.Global, Thresholds: t}},
		},
		Ban:     ban.Config{Time: 5 * time.Second, Quiet: 3 * time.Second, DryRun: true},
		Decoder: &decode.Decoder{},
		Memory:  64 << 20, Seed: 1, Samples: 8192,
		Mitigation: mitigation("10.0.0.0/20", "2001:db8::/48"),
	}
}

func run(tb testing.TB, c Config, s *blast.Scenario) (*log, *Replay) {
	tb.Helper()
	return runSampled(tb, c, s, 1)
}

func runSampled(tb testing.TB, c Config, s *blast.Scenario, sampling uint32) (*log, *Replay) {
	tb.Helper()
	capture, err := s.Capture("test")
	if err != nil {
		tb.Fatal(err)
	}
	source := replay.New([]*pcap.Reader{capture}, replay.Options{Sampling: sampling})
	defer source.Close()
	l := &log{}
	r, err := NewReplay(c, source, l)
	if err != nil {
		tb.Fatal(err)
	}
	if err := r.Run(context.Background()); err != nil {
		tb.Fatal(err)
	}
	l.tables, l.planned = r.Memory(), r.views[0].layout.Memory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	l.heap = m.HeapAlloc
	if err := r.Close(); err != nil {
		tb.Fatal(err)
	}
	return l, r
}

// TestVerdictDelay floods a host at 50 random phases to the second.
func TestVerdictDelay(t *testing.T) {
	f := func(dst string, factor int, most, median time.Duration) {
		t.Helper()
		const pps = 2000
		var delays []time.Duration
		phases := rand.New(rand.NewPCG(9, 9))
		for i := range 50 {
			phase := time.Second + time.Duration(phases.Int64N(int64(time.Second)))
			tr := traffic(uint64(i),
				flow("udp_flood", "10.0.7.7", 500, 0, 4*time.Second),
				flow("udp_flood", dst, pps*factor, phase, phase+2500*time.Millisecond))
			l, _ := run(t, testConfig(limit(rate.PPS, pps)), tr)
			if len(l.started) != 1 {
				t.Fatalf("%s ×%d at %v: %d attacks: %v", dst, factor, phase, len(l.started),
					l.lines)
			}
			in := l.started[0]
			if in.Target.Addr() != netip.MustParseAddr(dst) {
				t.Fatalf("target is %v, want %s", in.Target, dst)
			}
			delays = append(delays, time.Duration(l.times[0]-start)-phase)
			reported := time.Duration(in.Detected - in.Begin)
			if off := delays[i] - reported; off < -20*time.Millisecond ||
				off > 120*time.Millisecond {
				t.Errorf("%s ×%d at %v: delay %v reported as %v", dst, factor, phase, delays[i],
					reported)
			}
			if proof := l.evidence[0]; proof.Before == 0 {
				t.Errorf("%s ×%d at %v: no packet from before the verdict", dst, factor, phase)
			}
		}
		slices.Sort(delays)
		t.Logf("%s ×%d: delay median %v, max %v", dst, factor, delays[25], delays[49])
		if delays[49] > most || delays[25] > median {
			t.Errorf("%s ×%d: delay median %v, max %v; want at most %v and %v",
				dst, factor, delays[25], delays[49], median, most)
		}
	}
	f("10.0.3.4", 2, 1200*time.Millisecond, 800*time.Millisecond)
	f("10.0.3.4", 10, 150*time.Millisecond, 150*time.Millisecond)
	f("2001:db8::5", 2, 1200*time.Millisecond, 800*time.Millisecond)
	f("2001:db8::5", 10, 150*time.Millisecond, 150*time.Millisecond)
}

func TestLifeOfAnIncident(t *testing.T) {
	tr := traffic(1,
		flow("udp_flood", "10.0.7.7", 100, 0, 20*time.Second),
		flow("syn_flood", "10.0.3.4", 3000, 2*time.Second, 6*time.Second))
	l, r := run(t, testConfig(limit(rate.SYNPPS, 1000)), tr)
	want := []string{
		"started 2.350 10.0.3.4/32 incoming_syn_pps",
		"announced 2.350 10.0.3.4/32 incoming_syn_pps",
		"withdrawn 9.000 10.0.3.4/32 incoming_syn_pps", // quiet since 6, its time over at 7.35
		"ended 9.000 10.0.3.4/32 incoming_syn_pps",
	}
	if !slices.Equal(l.lines, want) {
		t.Errorf("events %q, want %q", l.lines, want)
	}
	p := &r.Pipeline
	if n := uint64(tr.Count()); p.Received != n || p.Processed != n {
		t.Errorf("received %d, processed %d of %d", p.Received, p.Processed, n)
	}
	if in := l.started[0]; len(in.Vectors) == 0 || in.Vectors[0].Name != "syn_flood" {
		t.Errorf("vectors %+v", in.Vectors)
	}
}

// TestYearsOfDarkness replays an attack after which nothing is seen for half a century: its lease
// ends in time, the attack when it can be told, and the years cost nothing.
func TestYearsOfDarkness(t *testing.T) {
	const later = 50 * 365 * 24 * time.Hour
	parts := []*blast.Scenario{
		traffic(1, flow("syn_flood", "10.0.3.4", 3000, 0, 3*time.Second)),
		traffic(2, flow("udp_flood", "10.0.7.7", 10, 0, 6*time.Second)),
	}
	parts[1].Start = time.Unix(0, start).Add(later)
	var readers []*pcap.Reader
	for _, s := range parts {
		r, err := s.Capture("test")
		if err != nil {
			t.Fatal(err)
		}
		readers = append(readers, r)
	}
	source := replay.New(readers, replay.Options{})
	defer source.Close()
	l := &log{}
	r, err := NewReplay(testConfig(limit(rate.SYNPPS, 1000)), source, l)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"started 0.350 10.0.3.4/32 incoming_syn_pps",
		"announced 0.350 10.0.3.4/32 incoming_syn_pps",
		"withdrawn 8.000 10.0.3.4/32 incoming_syn_pps", // five seconds after the last was seen
		fmt.Sprintf("ended %.3f 10.0.3.4/32 incoming_syn_pps", (later + 3*time.Second).Seconds()),
	}
	if !slices.Equal(l.lines, want) {
		t.Errorf("events %q, want %q", l.lines, want)
	}
}

// TestSampledMirror replays one packet of a hundred: limits are compared with what was on the wire,
// as early, and with evidence.
func TestSampledMirror(t *testing.T) {
	c := testConfig(limit(rate.PPS, 20_000))
	l, _ := runSampled(t, c, traffic(1,
		flow("udp_flood", "10.0.7.7", 50, 0, 4*time.Second),
		flow("ntp_amplification", "10.0.3.4", 2000, 1200*time.Millisecond, 4*time.Second)), 100)
	if len(l.started) != 1 || l.started[0].Target.Addr().String() != "10.0.3.4" {
		t.Fatalf("events %q", l.lines)
	}
	delay := time.Duration(l.times[0]-start) - 1200*time.Millisecond
	if delay > 200*time.Millisecond {
		t.Errorf("ten times the limit is found after %v", delay)
	}
	if l.evidence[0].Before < 10 {
		t.Errorf("%d packets from before the verdict", l.evidence[0].Before)
	}
	if peak := l.started[0].AtVerdict[rate.Incoming].Packets[rate.Total]; peak < 20_000 {
		t.Errorf("%d packets per second at the verdict: not multiplied by the sampling rate", peak)
	}
}
