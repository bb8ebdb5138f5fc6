package control

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
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
)

// start is a whole second.
const start = int64(1_700_000_000e9)

// traffic is a capture in the making.
type traffic struct {
	r       *rand.Rand
	packets []pcap.Packet
}

// flow describes regular packets from many sources to one host.
type flow struct {
	from, to time.Duration // after start
	pps      float64
	dst      string
	src      string // empty: random
	proto    uint8
	sport    uint16 // 0: random
	flags    uint8
	size     int // of the IP packet
}

func (t *traffic) add(f flow) {
	step := time.Duration(float64(time.Second) / f.pps)
	dst := netip.MustParseAddr(f.dst)
	for at := f.from; at < f.to; at += step {
		src := randomSource(t.r, dst)
		if f.src != "" {
			src = netip.MustParseAddr(f.src)
		}
		sport := f.sport
		if sport == 0 {
			sport = uint16(1024 + t.r.IntN(60000))
		}
		data := frame(src, dst, f.proto, sport, uint16(t.r.IntN(65536)), f.flags, max(f.size, 60))
		t.packets = append(t.packets, pcap.Packet{
			Time: start + int64(at), Link: 1, Wire: uint32(len(data)), Data: data,
		})
	}
}

func randomSource(r *rand.Rand, dst netip.Addr) netip.Addr {
	if dst.Is4() {
		return netip.AddrFrom4([4]byte{byte(11 + r.IntN(100)), byte(r.Uint32()), byte(r.Uint32()),
			byte(r.Uint32())})
	}
	b := [16]byte{0x2a, 0x00}
	binary.BigEndian.PutUint64(b[8:], r.Uint64())
	return netip.AddrFrom16(b)
}

// frame builds an Ethernet frame with an IP packet of size bytes.
func frame(src, dst netip.Addr, proto uint8, sport, dport uint16, flags uint8, size int) []byte {
	b := make([]byte, 14+size)
	at := 34
	if dst.Is4() {
		binary.BigEndian.PutUint16(b[12:], 0x0800)
		b[14], b[22], b[23] = 0x45, 60, proto
		binary.BigEndian.PutUint16(b[16:], uint16(size))
		copy(b[26:], src.AsSlice())
		copy(b[30:], dst.AsSlice())
	} else {
		binary.BigEndian.PutUint16(b[12:], 0x86dd)
		b[14], b[20], b[21] = 0x60, proto, 60
		binary.BigEndian.PutUint16(b[18:], uint16(size-40))
		copy(b[22:], src.AsSlice())
		copy(b[38:], dst.AsSlice())
		at = 54
	}
	binary.BigEndian.PutUint16(b[at:], sport)
	binary.BigEndian.PutUint16(b[at+2:], dport)
	switch proto {
	case 6:
		b[at+12], b[at+13] = 5<<4, flags
	case 17:
		binary.BigEndian.PutUint16(b[at+4:], uint16(len(b)-at))
	}
	return b
}

func (t *traffic) source(tb testing.TB) *replay.Source {
	tb.Helper()
	slices.SortStableFunc(t.packets, func(a, b pcap.Packet) int { return int(a.Time - b.Time) })
	var file bytes.Buffer
	w, err := pcap.NewWriter(&file, pcap.Section{}, pcap.Interface{Link: 1})
	if err != nil {
		tb.Fatal(err)
	}
	for i := range t.packets {
		if err := w.Write(0, &t.packets[i], ""); err != nil {
			tb.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		tb.Fatal(err)
	}
	r, err := pcap.NewReader("test.pcapng", &file)
	if err != nil {
		tb.Fatal(err)
	}
	s := replay.New([]*pcap.Reader{r}, replay.Options{})
	tb.Cleanup(func() { s.Close() })
	return s
}

// log keeps events as text.
type log struct {
	lines    []string
	started  []ban.Incident
	times    []int64
	evidence []*capture.Snapshot
}

func (l *log) Event(e *ban.Event, proof *capture.Evidence) {
	l.lines = append(l.lines, fmt.Sprintf("%v %.3f %s %s", e.Kind, float64(e.Time-start)/1e9,
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
	}
}

func run(tb testing.TB, c Config, t *traffic) (*log, *Replay) {
	tb.Helper()
	l := &log{}
	r, err := NewReplay(c, t.source(tb), l)
	if err != nil {
		tb.Fatal(err)
	}
	if err := r.Run(context.Background()); err != nil {
		tb.Fatal(err)
	}
	if err := r.Close(); err != nil {
		tb.Fatal(err)
	}
	return l, r
}

func newTraffic(seed uint64) *traffic { return &traffic{r: rand.New(rand.NewPCG(seed, 1))} }

// TestVerdictDelay floods a host at 50 random phases to the second.
func TestVerdictDelay(t *testing.T) {
	f := func(dst string, factor float64, most, median time.Duration) {
		t.Helper()
		const pps = 2000
		var delays []time.Duration
		phases := rand.New(rand.NewPCG(9, 9))
		for i := range 50 {
			tr := newTraffic(uint64(i))
			phase := time.Second + time.Duration(phases.Int64N(int64(time.Second)))
			tr.add(flow{to: 4 * time.Second, pps: 500, dst: "10.0.7.7", proto: 17})
			tr.add(flow{from: phase, to: phase + 2500*time.Millisecond, pps: pps * factor, dst: dst,
				proto: 17})
			l, _ := run(t, testConfig(limit(rate.PPS, pps)), tr)
			if len(l.started) != 1 {
				t.Fatalf("%s ×%v at %v: %d attacks: %v", dst, factor, phase, len(l.started),
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
				t.Errorf("%s ×%v at %v: delay %v reported as %v", dst, factor, phase, delays[i],
					reported)
			}
			if proof := l.evidence[0]; proof.Before == 0 {
				t.Errorf("%s ×%v at %v: no packet from before the verdict", dst, factor, phase)
			}
		}
		slices.Sort(delays)
		t.Logf("%s ×%v: delay median %v, max %v", dst, factor, delays[25], delays[49])
		if delays[49] > most || delays[25] > median {
			t.Errorf("%s ×%v: delay median %v, max %v; want at most %v and %v",
				dst, factor, delays[25], delays[49], median, most)
		}
	}
	f("10.0.3.4", 2, 1200*time.Millisecond, 800*time.Millisecond)
	f("10.0.3.4", 10, 150*time.Millisecond, 150*time.Millisecond)
	f("2001:db8::5", 2, 1200*time.Millisecond, 800*time.Millisecond)
	f("2001:db8::5", 10, 150*time.Millisecond, 150*time.Millisecond)
}

func TestLifeOfAnIncident(t *testing.T) {
	tr := newTraffic(1)
	tr.add(flow{to: 20 * time.Second, pps: 100, dst: "10.0.7.7", proto: 17})
	tr.add(flow{from: 2 * time.Second, to: 6 * time.Second, pps: 3000, dst: "10.0.3.4", proto: 6,
		flags: 2})
	l, r := run(t, testConfig(limit(rate.SYNPPS, 1000)), tr)
	for _, line := range l.lines {
		t.Log(line)
	}
	if len(l.lines) != 4 {
		t.Fatalf("events: %v", l.lines)
	}
	p := &r.Pipeline
	if p.Received != uint64(len(tr.packets)) || p.Processed != p.Received {
		t.Errorf("received %d, processed %d of %d", p.Received, p.Processed, len(tr.packets))
	}
}
