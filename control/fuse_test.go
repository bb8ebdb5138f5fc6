package control

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"weir/control/ban"
	"weir/control/detect"
	"weir/control/rate"
	"weir/counters"
	"weir/decode"
	"weir/fastpath"
	"weir/ring/ringtest"
)

// sights is an engine of several views with a worker each, whose tables tests count in.
type sights struct {
	crowd
	tb testing.TB
}

func newSights(tb testing.TB, views int, networks ...string) *sights {
	tb.Helper()
	var limits detect.Thresholds
	limits[0].Value[rate.PPS], limits[0].Set[rate.PPS] = 1e9, true
	c := Config{
		Policy: detect.Policy{Groups: []detect.Hostgroup{
			{Name: detect.Global, Thresholds: limits},
		}},
		Ban:     ban.Config{DryRun: true},
		Decoder: &decode.Decoder{}, Memory: 1 << 30, Seed: 1, Start: start,
	}
	for _, n := range networks {
		c.Policy.Networks = append(c.Policy.Networks, netip.MustParsePrefix(n))
	}
	for i := range views {
		source := ringtest.NewSource()
		source.End = nil
		c.Inputs = append(c.Inputs, Input{Source: source, View: fmt.Sprint("view", i)})
	}
	e, err := NewEngine(c, silent{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := e.Close(); err != nil {
			tb.Error(err)
		}
	})
	return &sights{crowd{e, start}, tb}
}

// see has a view count UDP packets of 60 bytes, in one flow, towards or from a host.
func (s *sights) see(view int, host string, d rate.Direction, packets int) {
	s.tb.Helper()
	v := s.views[view]
	a := netip.MustParseAddr(host)
	slot, direct, ok := v.layout.Slot(a)
	if !ok {
		s.tb.Fatal(host, "is in no network")
	}
	at, key := v.workers[0].epoch, counters.KeyOf(a)
	slot += uint32(d)
	if !direct {
		slot = at.Table.Layout.DirBase + 2*s.listed(at, key) + uint32(d)
	}
	s.count(at.Table, slot, packets)
}

// listed returns the entry of a host in the directory.
func (s *sights) listed(at *fastpath.Epoch, key counters.Key) uint32 {
	s.tb.Helper()
	hash := at.Directory.Hash(key)
	entry, ok := at.Directory.Find(key, hash)
	if !ok {
		if entry, ok, _ = at.Directory.Admit(key, hash, 1, uint32(at.Seq)); !ok {
			s.tb.Fatal(key.Addr(), "found no place")
		}
	}
	at.Table.Name(entry, key)
	return entry
}

func (s *sights) count(t *counters.Table, slot uint32, packets int) {
	var expired [1]uint8
	for range packets {
		op := counters.Op{Line: counters.Line(slot), Hash: slot * 0x9e3779b1, Bytes: 60,
			Class: counters.UDP}
		if len(t.Count([]counters.Op{op}, 0, expired[:0])) > 0 {
			t.Touch(op.Line, s.now)
			t.Slot(op.Line).Arm(1 << 20)
		}
	}
}

// second lets a second pass.
func (s *sights) second() {
	s.now += rate.Second
	s.at(s.now, func() {
		for _, v := range s.views {
			for _, w := range v.workers {
				if _, err := w.Step(); err != nil {
					panic(err)
				}
			}
		}
	})
}

func (s *sights) hosts() (h Hosts) {
	s.Hosts(s.now, func(kept *Hosts) {
		h = *kept
		h.All = append([]HostSecond(nil), kept.All...)
	})
	return h
}

// Two views that see the same traffic do not add up, and list no host twice.
func TestViewsAreOneInThePicture(t *testing.T) {
	s := newSights(t, 2, "10.0.0.0/24", "10.0.2.0/24")
	s.hosts()
	asked := counters.KeyOf(netip.MustParseAddr("10.0.0.7"))
	s.Ask(s.now, asked)
	s.see(0, "10.0.0.7", rate.Incoming, 100)
	s.see(1, "10.0.0.7", rate.Incoming, 90)
	s.see(1, "10.0.0.7", rate.Outgoing, 40)
	s.see(0, "10.0.0.9", rate.Incoming, 5)
	s.see(1, "10.0.2.1", rate.Incoming, 50)
	s.second()
	p, h := s.Picture(), s.hosts()
	packets := func(c *[2]rate.Counts) [2]uint64 {
		return [2]uint64{packetsOf(&c[0]), packetsOf(&c[1])}
	}
	if got := packets(&p.Counts); got != [2]uint64{140, 40} || p.Total != p.Counts {
		t.Errorf("%v packets in all, want 140 of the second view and 40", got)
	}
	if p.Flows != [2]uint64{2, 1} || p.Active != 3 || p.History[0].Packets != [2]uint64{140, 40} {
		t.Errorf("flows %v, %d hosts, history %+v", p.Flows, p.Active, p.History)
	}
	if len(p.Networks) != 2 || packets(&p.Networks[0].Counts) != [2]uint64{105, 40} ||
		packets(&p.Networks[1].Counts) != [2]uint64{50, 0} || p.Networks[0].Active != 2 {
		t.Errorf("networks %+v", p.Networks)
	}
	want := []struct {
		host    string
		packets [2]uint64
	}{
		{"10.0.0.7", [2]uint64{100, 40}}, {"10.0.0.9", [2]uint64{5, 0}},
		{"10.0.2.1", [2]uint64{50, 0}},
	}
	if len(h.All) != len(want) {
		t.Fatalf("%d hosts, want %d", len(h.All), len(want))
	}
	for i, w := range want {
		got := &h.All[i]
		if got.Key.Addr().String() != w.host || packets(&got.Counts) != w.packets {
			t.Errorf("%v: %v, want %+v", got.Key.Addr(), packets(&got.Counts), w)
		}
	}
	if got := h.Asked[asked]; got != h.All[0] {
		t.Errorf("asked for %+v, kept %+v", got, h.All[0])
	}
}

// TestFusedAsByHand compares random seconds of several views, with hosts that have a counter of
// their own and hosts of the directory, to a plain map.
func TestFusedAsByHand(t *testing.T) {
	const views = 3
	s := newSights(t, views, "10.0.0.0/28", "2001:db8::/48", "192.0.2.0/28")
	random := rand.New(rand.NewPCG(1, 2))
	s.hosts()
	for round := range 20 {
		most, sums := map[string][2]uint64{}, [views][2]uint64{}
		for range random.IntN(60) {
			host := fmt.Sprint([]string{"10.0.0.", "2001:db8::1", "192.0.2."}[random.IntN(3)],
				random.IntN(16))
			view, d, n := random.IntN(views), random.IntN(2), uint64(1+random.IntN(5))
			if seen, ok := most[fmt.Sprint(view, host)]; ok && seen[d] > 0 {
				continue
			}
			s.see(view, host, rate.Direction(d), int(n))
			for _, name := range []string{fmt.Sprint(view, host), host} {
				seen := most[name]
				seen[d] = max(seen[d], n)
				most[name] = seen
			}
			sums[view][d] += n
		}
		s.second()
		p, h := s.Picture(), s.hosts()
		for d := range p.Counts {
			want := max(sums[0][d], sums[1][d], sums[2][d])
			if got := packetsOf(&p.Counts[d]); got != want {
				t.Fatalf("round %d: %d packets, want %d", round, got, want)
			}
		}
		names := len(most)
		for i := range h.All {
			name := h.All[i].Key.Addr().String()
			want, got := most[name], [2]uint64{}
			for d := range got {
				got[d] = packetsOf(&h.All[i].Counts[d])
			}
			if got != want || i > 0 && h.All[i-1].Key.Compare(h.All[i].Key) >= 0 {
				t.Fatalf("round %d: host %d is %s with %v, want %v", round, i, name, got, want)
			}
			for view := range views {
				delete(most, fmt.Sprint(view, name))
			}
			delete(most, name)
		}
		if len(most) > 0 || p.Active != len(h.All) {
			t.Fatalf("round %d: %d of %d are left: %v", round, len(most), names, most)
		}
	}
}

// Hosts without an entry of their own are counted in aggregates, which are no hosts.
func TestAggregatesAreFused(t *testing.T) {
	s := newSights(t, 2, "2001:db8::/48")
	s.hosts()
	for view, packets := range []int{30, 20} {
		at := s.views[view].workers[0].epoch
		slot, _, _ := at.Table.Layout.Slot(netip.MustParseAddr("2001:db8::"))
		s.count(at.Table, slot, packets)
		s.count(at.Table, slot+1, packets)
		s.see(view, "2001:db8::", rate.Incoming, 7)
	}
	s.second()
	p, h := s.Picture(), s.hosts()
	if packetsOf(&p.Counts[0]) != 37 || packetsOf(&p.Networks[0].Counts[1]) != 30 ||
		len(h.All) != 1 || packetsOf(&h.All[0].Counts[0]) != 7 {
		t.Errorf("%+v, hosts %+v", p.Networks, h.All)
	}
}

func TestFuseNoAllocs(t *testing.T) {
	s := newSights(t, 2, "10.0.0.0/20")
	second := func() {
		for view := range s.views {
			for i := range uint32(1 << 12) {
				s.count(s.views[view].workers[0].epoch.Table, 2*i, 2)
			}
		}
		s.second()
	}
	second()
	if n := testing.AllocsPerRun(10, second); n != 0 {
		t.Errorf("a second of two views allocates %v times", n)
	}
}

// BenchmarkFuse is a second of a mirror and a view beside it that sees the same hosts, while
// somebody looks at them.
func BenchmarkFuse(b *testing.B) {
	const hosts = 100_000
	for views := 1; views <= 2; views++ {
		b.Run(fmt.Sprint("views=", views), func(b *testing.B) {
			s := newSights(b, views, "10.0.0.0/15")
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				s.hosts()
				for view := range views {
					t := s.views[view].workers[0].epoch.Table
					for i := range uint32(hosts) {
						s.count(t, 2*i, 1)
					}
				}
				b.StartTimer()
				s.second()
			}
		})
	}
}
