package control

import (
	"context"
	"net/netip"
	"runtime"
	"slices"
	"testing"
	"time"

	"weir/control/rate"
	"weir/decode/pcap"
	"weir/ring/replay"
	"weir/tools/blast"
)

// sprayed is what a Replay showed, second by second.
type sprayed struct {
	*log
	replay *Replay
	last   int64                      // the latest picture's time
	counts map[netip.Prefix][2]uint64 // packets by network and direction
	most   uint64                     // bytes of tables
}

// spray replays s and adds up its pictures.
func spray(t *testing.T, c Config, s *blast.Scenario) *sprayed {
	t.Helper()
	capture, err := s.Capture("spray")
	if err != nil {
		t.Fatal(err)
	}
	source := replay.New([]*pcap.Reader{capture}, replay.Options{Sampling: 1})
	defer source.Close()
	out := &sprayed{log: &log{}, counts: map[netip.Prefix][2]uint64{}}
	if out.replay, err = NewReplay(c, source, out.log); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := out.replay.Close(); err != nil {
			t.Error(err)
		}
	}()
	out.planned = out.replay.views[0].layout.Memory()
	out.replay.Pace = func(int64) { out.look() }
	if err := out.replay.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	out.look()
	out.tables = out.replay.Memory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	out.heap = m.HeapAlloc
	return out
}

// look adds the last second, once.
func (s *sprayed) look() {
	s.most = max(s.most, s.replay.Memory())
	p := s.replay.Picture()
	if p.Time == s.last {
		return
	}
	s.last = p.Time
	for i := range p.Networks {
		n := &p.Networks[i]
		sum := s.counts[n.Prefix]
		for d := range sum {
			packets, _ := n.Counts[d].Total()
			sum[d] += packets
		}
		s.counts[n.Prefix] = sum
	}
}

// TestSpray sends a minute of packets to and from random, and so spoofed, hosts of a /8 and an IPv6
// /48 that do not fit the tables: memory stays what was planned, each packet is counted for its
// network, and the hosts that are flooded, or flood, among them are found.
func TestSpray(t *testing.T) {
	length := 60 * time.Second
	if testing.Short() {
		length = 15 * time.Second
	}
	const each, flood = 12_500, 6000 // packets per second
	c := testConfig(limit(rate.PPS, 2000))
	c.Policy.Networks = []netip.Prefix{blast.Home4(), blast.Home6()}
	th := &c.Policy.Groups[0].Thresholds
	th[rate.Incoming].Value[rate.FPS], th[rate.Incoming].Set[rate.FPS] = 1500, true
	th[rate.Outgoing] = th[rate.Incoming]
	c.Memory = 256 << 20
	begin := length - 4*time.Second
	var flows []blast.Flow
	for _, home := range c.Policy.Networks {
		all := blast.Hosts{Prefix: home}
		flows = append(flows, blast.Flow{Vector: "udp_flood", Dst: all, PPS: each, To: length},
			blast.Flow{Vector: "syn_flood", Src: all, Dst: outside(home), PPS: each, To: length})
	}
	flows = append(flows, flow("udp_flood", "10.77.1.2", flood, begin, length),
		flow("syn_flood", "2001:db8:10:5::77", flood, begin, length),
		blast.Flow{Vector: "udp_flood", Src: blast.Host("10.78.1.2"), Dst: outside(blast.Home4()),
			PPS: flood, From: begin, To: length})
	s := spray(t, c, traffic(3, flows...))

	var targets []string
	for i, in := range s.started {
		targets = append(targets, in.Target.Addr().String()+" "+in.Trigger.Name())
		if delay := time.Duration(s.times[i]-start) - begin; delay > time.Second {
			t.Errorf("%v was found after %v", in.Target, delay)
		}
	}
	slices.Sort(targets)
	if want := []string{"10.77.1.2 incoming_fps", "10.78.1.2 outgoing_fps",
		"2001:db8:10:5::77 incoming_fps"}; !slices.Equal(targets, want) {
		t.Errorf("found %q, want %q", targets, want)
	}
	seconds, floods := uint64(length/time.Second), uint64(4*flood)
	for home, floods := range map[netip.Prefix][2]uint64{
		blast.Home4(): {floods, floods}, blast.Home6(): {floods, 0},
	} {
		want := [2]uint64{seconds*each + floods[0], seconds*each + floods[1]}
		if got := s.counts[home]; got != want {
			t.Errorf("%v: %d packets, want %d", home, got, want)
		}
	}
	s.checkMemory(t, &c)
}

// outside is everyone outside, of home's family.
func outside(home netip.Prefix) blast.Hosts {
	if home.Addr().Is4() {
		return blast.Within("192.0.2.0/24")
	}
	return blast.Within("2001:db8:ffff::/48")
}

func (s *sprayed) checkMemory(t *testing.T, c *Config) {
	t.Helper()
	p := &s.replay.Pipeline
	if p.Unlisted+p.Unplaced < p.Received*9/10 || p.Received != p.Processed {
		t.Errorf("received %d, processed %d, in aggregates %d and %d", p.Received, p.Processed,
			p.Unlisted, p.Unplaced)
	}
	if s.planned > c.Memory || s.most != s.planned {
		t.Errorf("planned %d bytes, took %d, budget %d", s.planned, s.most, c.Memory)
	}
	if s.heap > s.most { // under the race detector the tables are in the heap
		s.heap -= s.most
	}
	if most := uint64(128 << 20); s.heap > most {
		t.Errorf("the heap holds %d bytes beside the tables, want at most %d", s.heap, most)
	}
}
