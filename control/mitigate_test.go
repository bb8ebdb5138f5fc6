package control

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/control/ban"
	"weir/control/governor"
	"weir/control/rate"
	"weir/ring/ringtest"
)

// mitigation lets every host of networks be blackholed.
func mitigation(networks ...string) Mitigation {
	m := Mitigation{
		Rules: governor.Rules{
			MaxActive: 1000, MaxPerMinute: 1000, MaxShare: 100, MaxLease: 24 * time.Hour,
		},
		NextHop: netip.MustParseAddr("192.0.2.1"), NextHop6: netip.MustParseAddr("100::1"),
	}
	for _, n := range networks {
		m.Rules.Networks = append(m.Rules.Networks, netip.MustParsePrefix(n))
	}
	return m
}

// speaker is an Actor whose routes stand at once, unless the test says otherwise.
type speaker struct {
	lines   []string
	refuse  map[netip.Prefix]string
	results []func(f func(netip.Prefix, uint64, ban.EventKind, string))
	routes  map[netip.Prefix]int64 // their leases
}

func (s *speaker) Announce(a governor.Approved, seq uint64) {
	s.lines = append(s.lines, fmt.Sprintf("announce %s via %s %v", a.Prefix(), a.NextHop(),
		a.Communities()))
	s.take(a, seq)
}

func (s *speaker) Resume(a governor.Approved, seq uint64) {
	s.lines = append(s.lines, fmt.Sprintf("resume %s", a.Prefix()))
	s.take(a, seq)
}

func (s *speaker) take(a governor.Approved, seq uint64) {
	p := a.Prefix()
	if reason := s.refuse[p]; reason != "" {
		s.become(p, seq, ban.Refused, reason)
		return
	}
	if s.routes == nil {
		s.routes = map[netip.Prefix]int64{}
	}
	s.routes[p] = a.Lease()
	s.become(p, seq, ban.Asked, "")
	s.become(p, seq, ban.Announced, "")
}

func (s *speaker) become(p netip.Prefix, seq uint64, kind ban.EventKind, reason string) {
	s.results = append(s.results, func(f func(netip.Prefix, uint64, ban.EventKind, string)) {
		f(p, seq, kind, reason)
	})
}

func (s *speaker) Renew(a governor.Approved) { s.routes[a.Prefix()] = a.Lease() }

func (s *speaker) Withdraw(p netip.Prefix) {
	s.lines = append(s.lines, "withdraw "+p.String())
	delete(s.routes, p)
}

func (s *speaker) Results(f func(netip.Prefix, uint64, ban.EventKind, string)) {
	results := s.results
	s.results = nil
	for _, tell := range results {
		tell(f)
	}
}

// enforcing returns testConfig in mode enforce.
func enforcing(s *speaker) Config {
	c := testConfig(limit(rate.SYNPPS, 1000))
	c.Ban.DryRun, c.Mitigation.Actor = false, s
	c.Ban.Communities = []ban.Community{ban.Blackhole, ban.NoExport}
	return c
}

// A route follows the verdict, is renewed while the attack goes on, and outlasts the silence that
// it may itself have caused until its lease ends.
func TestEnforce(t *testing.T) {
	f := func(host, via, found, asked string) {
		t.Helper()
		s := &speaker{}
		l, r := run(t, enforcing(s), traffic(1,
			flow("udp_flood", "10.0.7.7", 100, 0, 20*time.Second),
			flow("syn_flood", host, 3000, 2*time.Second, 6*time.Second)))
		p := netip.PrefixFrom(netip.MustParseAddr(host), netip.MustParseAddr(host).BitLen())
		on := " " + p.String() + " incoming_syn_pps"
		want := []string{"started " + found + on, "asked " + asked + on, "announced " + asked + on,
			// its last packet came before 6.0; the lease was renewed then for 5 s
			"withdrawn 11.000" + on, "ended 14.000" + on}
		if !slices.Equal(l.lines, want) {
			t.Errorf("events %q, want %q", l.lines, want)
		}
		want = []string{"announce " + p.String() + " via " + via + " [65535:666 no-export]",
			"withdraw " + p.String()}
		if !slices.Equal(s.lines, want) {
			t.Errorf("the speaker was told %q, want %q", s.lines, want)
		}
		if active, _, _ := r.Governed(); active != 0 {
			t.Errorf("%d routes stand with the governor", active)
		}
	}
	f("10.0.3.4", "192.0.2.1", "2.350", "2.360")
	f("2001:db8::5", "100::1", "2.360", "2.370")
}

// A host that is seen to be calm while its route stands is calm.
func TestEnforceCalm(t *testing.T) {
	l, _ := run(t, enforcing(&speaker{}), traffic(1,
		flow("udp_flood", "10.0.3.4", 100, 0, 20*time.Second),
		flow("syn_flood", "10.0.3.4", 3000, 2*time.Second, 6*time.Second)))
	const on = " 10.0.3.4/32 incoming_syn_pps"
	want := []string{"started 2.350" + on, "asked 2.360" + on, "announced 2.360" + on,
		"withdrawn 9.000" + on, "ended 9.000" + on}
	if !slices.Equal(l.lines, want) {
		t.Errorf("events %q, want %q", l.lines, want)
	}
}

func TestEnforce_Failure(t *testing.T) {
	f := func(name string, change func(c *Config, s *speaker), want ...string) {
		t.Helper()
		s := &speaker{}
		c := enforcing(s)
		change(&c, s)
		l, _ := run(t, c, traffic(1,
			flow("syn_flood", "10.0.3.4", 3000, 2*time.Second, 6*time.Second),
			flow("syn_flood", "10.0.3.5", 6000, 2*time.Second, 6*time.Second)))
		var got []string
		for _, line := range l.lines {
			if w := strings.Fields(line); w[0] == "refused" || w[0] == "announced" {
				got = append(got, w[0]+" "+w[2])
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	f("the journal refuses", func(_ *Config, s *speaker) {
		s.refuse = map[netip.Prefix]string{
			netip.MustParsePrefix("10.0.3.4/32"): "journal_slow",
			netip.MustParsePrefix("10.0.3.5/32"): "journal_slow",
		}
	}, "refused 10.0.3.5/32", "refused 10.0.3.4/32")
	f("protected", func(c *Config, _ *speaker) {
		c.Mitigation.Rules.Protected = []netip.Prefix{netip.MustParsePrefix("10.0.3.5/32")}
	}, "refused 10.0.3.5/32", "announced 10.0.3.4/32")
	f("as many as may be", func(c *Config, _ *speaker) {
		c.Mitigation.Rules.MaxActive = 1
	}, "announced 10.0.3.5/32", "refused 10.0.3.4/32")
	f("none may be", func(c *Config, _ *speaker) {
		c.Mitigation.Rules.MaxActive = 0
	}, "refused 10.0.3.5/32", "refused 10.0.3.4/32")
}

// newQuiet returns an engine in mode enforce that sees nothing.
func newQuiet(t *testing.T, s *speaker) (*Engine, *log) {
	t.Helper()
	c := enforcing(s)
	c.Start = start
	c.Inputs = []Input{{Source: ringtest.NewSource(), View: "mirror"}}
	l := &log{}
	e, err := NewEngine(c, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e, l
}

func TestManual(t *testing.T) {
	s := &speaker{}
	e, l := newQuiet(t, s)
	host := netip.MustParseAddr("2001:db8::7")
	e.Hold(start)
	if refusal := e.Ban(host, "customer asked", 3*time.Second, start); refusal != "" {
		t.Fatalf("refused: %s", refusal) // a person need not wait
	}
	e.hearActor(start)
	if refusal := e.Ban(host, "longer", 5*time.Second, start+1e9); refusal != "" {
		t.Errorf("longer: %s", refusal)
	}
	if lease := s.routes[netip.MustParsePrefix("2001:db8::7/128")]; lease != start+6e9 {
		t.Errorf("the lease ends after %d ns", lease-start)
	}
	if refusal := e.Ban(netip.MustParseAddr("9.9.9.9"), "", time.Second, start); refusal !=
		"outside_networks" {
		t.Errorf("a stranger: %q", refusal)
	}
	for now := start + 1e9; now <= start+7e9; now += 1e9 {
		e.emit(e.book.Tick(now, true, nil))
	}
	if e.Ban(host, "", time.Second, start+8e9) != "" || !e.Unban(host, "mistake", start+8e9) ||
		e.Unban(host, "mistake", start+8e9) {
		t.Error("a ban is undone once")
	}
	on := " 2001:db8::7/128 incoming_pps"
	want := []string{"asked 0.000" + on, "announced 0.000" + on, "withdrawn 6.000" + on,
		"withdrawn 8.000" + on}
	if !slices.Equal(l.lines, want) || len(s.routes) != 0 {
		t.Errorf("events %q, want %q; %v stand", l.lines, want, s.routes)
	}
}

func TestFreezeAndWithdrawAll(t *testing.T) {
	s := &speaker{}
	e, _ := newQuiet(t, s)
	f := func(host, want string) {
		t.Helper()
		if got := e.Ban(netip.MustParseAddr(host), "", time.Minute, start); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
	f("10.0.0.1", "")
	f("10.0.0.2", "")
	e.Freeze(true)
	f("10.0.0.3", "frozen")
	if len(s.routes) != 2 {
		t.Errorf("frozen, %v stand", s.routes)
	}
	e.WithdrawAll("asked", start)
	if active, frozen, refused := e.Governed(); len(s.routes) != 0 || active != 0 || !frozen ||
		refused[governor.Frozen] != 1 {
		t.Errorf("%v stand, %d active, frozen %v, refused %v", s.routes, active, frozen, refused)
	}
	e.Freeze(false)
	f("10.0.0.3", "")
}

// What stood before a restart stands on for the rest of its lease; what may not stand any more
// does not come back.
func TestRestore(t *testing.T) {
	s := &speaker{}
	e, l := newQuiet(t, s)
	e.Hold(start)
	f := func(prefix string, lease int64, want string) {
		t.Helper()
		in := ban.Incident{ID: "00000000000000aa", Target: netip.MustParsePrefix(prefix)}
		if got := e.Restore(in, lease, start); got != want {
			t.Errorf("%s: %q, want %q", prefix, got, want)
		}
	}
	f("10.0.0.1/32", start+3e9, "")
	f("10.0.0.2/32", start-1, "no_lease")
	f("192.168.0.1/32", start+3e9, "outside_networks")
	e.hearActor(start)
	for now := start + 1e9; now <= start+4e9; now += 1e9 {
		e.emit(e.book.Tick(now, true, nil))
	}
	want := []string{"resume 10.0.0.1/32", "withdraw 10.0.0.1/32"}
	if !slices.Equal(s.lines, want) || len(l.lines) != 3 {
		t.Errorf("the speaker was told %q, want %q; events %q", s.lines, want, l.lines)
	}
}

// A change of mode or of the networks takes back what the new ones would not have announced.
func TestGovern(t *testing.T) {
	s := &speaker{}
	e, _ := newQuiet(t, s)
	for _, host := range []string{"10.0.0.1", "2001:db8::7"} {
		if refusal := e.Ban(netip.MustParseAddr(host), "", time.Minute, start); refusal != "" {
			t.Fatal(refusal)
		}
	}
	c := e.config
	c.Mitigation = mitigation("10.0.0.0/20")
	c.Mitigation.Actor = s
	e.govern(&c, start+1)
	if len(s.routes) != 1 || s.lines[len(s.lines)-1] != "withdraw 2001:db8::7/128" {
		t.Errorf("one network less: %v stand", s.routes)
	}
	c.Ban.DryRun = true
	e.govern(&c, start+2)
	if active, _, _ := e.Governed(); len(s.routes) != 0 || active != 0 {
		t.Errorf("in observe %v stand", s.routes)
	}
}

// newlyAttacked returns a network of 65,536 active hosts, a thousand of which are over their limit
// for the first time, and twenty of these do most harm.
func newlyAttacked(tb testing.TB) *crowd {
	c := newCrowd(tb, "10.0.0.0/16")
	c.config.Mitigation = mitigation("10.0.0.0/16")
	c.governor.Configure(governor.Rules{
		Networks:  c.config.Mitigation.Rules.Networks,
		MaxActive: 64, MaxPerMinute: 20, MaxShare: 10, MaxLease: 24 * time.Hour,
	})
	c.fill(1<<16, 1)
	c.fill(1000, 25_000)
	c.fill(20, 1000)
	return c
}

// A thousand verdicts in one second: the caps hold, and the most harmful come first.
func TestThousandVerdicts(t *testing.T) {
	c := newlyAttacked(t)
	c.second()
	announced := c.book.Routes()
	_, _, refused := c.Governed()
	if announced != 20 || refused[governor.TooFast] != 980 || c.book.Open() != 1000 {
		t.Fatalf("%d announced, %v refused, %d open", announced, refused, c.book.Open())
	}
	c.book.Each(func(in *ban.Incident) {
		host := in.Target.Addr().As4()
		worst := host[2] == 0 && host[3] < 20
		if (in.Actions[0].Event == ban.Announced) != worst {
			t.Errorf("%s: %+v", in.Target, in.Actions)
		}
	})
}

// BenchmarkVerdicts measures the tick of a thousand verdicts.
func BenchmarkVerdicts(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		c := newlyAttacked(b)
		b.StartTimer()
		c.second()
		b.StopTimer()
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/tick")
}
