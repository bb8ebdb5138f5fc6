package governor

import (
	"net/netip"
	"testing"
	"time"

	"weir/control/ban"
)

const second = int64(time.Second)

func rules() Rules {
	return Rules{
		Networks: []netip.Prefix{
			netip.MustParsePrefix("10.0.0.0/16"), netip.MustParsePrefix("192.0.2.0/24"),
			netip.MustParsePrefix("2001:db8::/32"),
		},
		Protected: []netip.Prefix{
			netip.MustParsePrefix("10.0.9.0/24"), netip.MustParsePrefix("2001:db8:9::/48"),
		},
		MaxActive: 8, MaxPerMinute: 4, MaxShare: 2, MaxLease: time.Hour,
	}
}

// route is one to address that passes every rule but those about it.
func route(address string, now int64) Route {
	a := netip.MustParseAddr(address)
	r := Route{
		Prefix: netip.PrefixFrom(a, a.BitLen()), NextHop: netip.MustParseAddr("100::1"),
		Communities: []ban.Community{ban.Blackhole, ban.NoExport},
		Lease:       now + 60*second, ID: "1",
	}
	if a.Is4() {
		r.NextHop = netip.MustParseAddr("192.0.2.1")
	}
	return r
}

func TestAsk_Success(t *testing.T) {
	f := func(address string) {
		t.Helper()
		g := New(rules())
		want := route(address, second)
		a, refusal := g.Ask(want, Detector, second)
		if refusal != None || !a.Valid() || a.Prefix() != want.Prefix ||
			a.NextHop() != want.NextHop || a.Lease() != want.Lease || a.ID() != "1" ||
			len(a.Communities()) != 2 || g.Active() != 1 {
			t.Errorf("%s: %v, %+v", address, refusal, a)
		}
		a.Communities()[0] = ban.Community{}
		if a.Communities()[0] != ban.Blackhole {
			t.Error("a caller can change what is approved")
		}
	}
	f("10.0.0.0")
	f("10.0.255.255")
	f("192.0.2.7")
	f("2001:db8::")
	f("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff")
}

func TestAsk_Failure(t *testing.T) {
	f := func(name string, want Refusal, change func(r *Route)) {
		t.Helper()
		g := New(rules())
		for _, who := range []Who{Detector, Person, Journal} {
			r := route("10.0.0.7", second)
			change(&r)
			a, got := g.Ask(r, who, second)
			if got != want || a.Valid() || g.Active() != 0 {
				t.Errorf("%s, asked by %d: %v, want %v", name, who, got, want)
			}
		}
		if g.Refused[want] != 3 {
			t.Errorf("%s: counted %d times", name, g.Refused[want])
		}
	}
	to := func(prefix string) func(r *Route) {
		return func(r *Route) {
			r.Prefix = netip.MustParsePrefix(prefix)
			r.NextHop = route(r.Prefix.Addr().String(), 0).NextHop
		}
	}
	f("nothing", NotHostRoute, func(r *Route) { r.Prefix = netip.Prefix{} })
	f("the default route", NotHostRoute, to("0.0.0.0/0"))
	f("the default route", NotHostRoute, to("::/0"))
	f("a network", NotHostRoute, to("10.0.0.0/16"))
	f("a /31", NotHostRoute, to("10.0.0.6/31"))
	f("a /64", NotHostRoute, to("2001:db8::/64"))
	f("IPv4 in IPv6", NotHostRoute, to("::ffff:10.0.0.7/128"))
	f("0.0.0.0", NotUnicast, to("0.0.0.0/32"))
	f("broadcast", NotUnicast, to("255.255.255.255/32"))
	f("multicast", NotUnicast, to("224.0.0.5/32"))
	f("multicast", NotUnicast, to("ff02::1/128"))
	f("loopback", NotUnicast, to("127.0.0.1/32"))
	f("link-local", NotUnicast, to("fe80::1/128"))
	f("a stranger", OutsideNetworks, to("10.1.0.0/32"))
	f("a stranger", OutsideNetworks, to("2001:db9::/128"))
	f("protected", Protected, to("10.0.9.1/32"))
	f("protected", Protected, to("2001:db8:9::1/128"))
	f("no next hop", NoNextHop, func(r *Route) { r.NextHop = netip.Addr{} })
	f("next hop of the other family", NoNextHop, func(r *Route) {
		r.NextHop = netip.MustParseAddr("100::1")
	})
	f("next hop", NoNextHop, func(r *Route) { r.NextHop = netip.IPv4Unspecified() })
	f("no end", NoLease, func(r *Route) { r.Lease = 0 })
	f("over already", NoLease, func(r *Route) { r.Lease = second })
	f("for too long", NoLease, func(r *Route) { r.Lease = 3602 * second })
	f("for ever", NoLease, func(r *Route) { r.Lease = 1<<63 - 1 })
}

func TestCaps(t *testing.T) {
	g := New(rules())
	now := second
	ask := func(address string, who Who, want Refusal) {
		t.Helper()
		if _, got := g.Ask(route(address, now), who, now); got != want {
			t.Errorf("%s at %d s: %v, want %v", address, now/second, got, want)
		}
	}
	ask("10.0.0.1", Detector, None)
	ask("10.0.0.1", Detector, Stands)
	ask("10.0.0.2", Detector, None)
	now += 59 * second
	ask("10.0.0.3", Detector, None)
	ask("10.0.0.4", Detector, None)
	ask("10.0.0.5", Detector, TooFast)
	ask("10.0.0.5", Person, None) // a person need not wait
	now += second
	ask("10.0.0.6", Detector, None) // the first two are old, a person's does not count
	ask("10.0.0.7", Detector, None)
	ask("10.0.0.8", Detector, TooFast)
	now += 60 * second
	ask("10.0.0.8", Detector, None)
	ask("10.0.0.9", Detector, TooMany)
	ask("10.0.0.9", Person, TooMany)
	ask("10.0.0.9", Journal, None) // what stood before a restart stands on
	g.Release(netip.MustParsePrefix("10.0.0.9/32"))
	g.Release(netip.MustParsePrefix("10.0.0.8/32"))
	ask("10.0.0.8", Person, None)
}

func TestShare(t *testing.T) {
	r := rules()
	r.MaxActive, r.MaxPerMinute = 1000, 1000
	r.Networks = append(r.Networks, netip.MustParsePrefix("198.51.100.7/32"))
	g := New(r)
	stand := func(from string, want int) {
		t.Helper()
		for a, n := netip.MustParseAddr(from), 0; ; a, n = a.Next(), n+1 {
			_, refusal := g.Ask(route(a.String(), second), Person, second)
			if refusal == None && n < want {
				continue
			}
			if refusal != TooLarge || n != want {
				t.Errorf("%s, number %d: %v; want %d", a, n, refusal, want)
			}
			return
		}
	}
	stand("192.0.2.10", 5) // 2 % of 256
	if _, refusal := g.Ask(route("198.51.100.7", second), Person, second); refusal != None {
		t.Errorf("one address of any network may be blackholed: %v", refusal)
	}
	g.Release(netip.MustParsePrefix("192.0.2.10/32"))
	stand("192.0.2.100", 1)
}

func TestHoldAndFreeze(t *testing.T) {
	g := New(rules())
	g.Hold(10 * second)
	g.Hold(5 * second) // never earlier
	f := func(now int64, who Who, want Refusal) {
		t.Helper()
		a, got := g.Ask(route("10.0.0.1", now), who, now)
		if got != want {
			t.Errorf("at %d s: %v, want %v", now/second, got, want)
		}
		if got == None {
			holding := who == Detector && now < 10*second
			if _, ok := g.Renew(a, who, now+90*second, now); ok == holding {
				t.Errorf("at %d s: renewed %v", now/second, ok)
			}
			g.Release(a.Prefix())
		}
	}
	f(10*second-1, Detector, Holding)
	f(10*second-1, Person, None)
	f(10*second-1, Journal, None)
	f(10*second, Detector, None)
	g.Freeze(true)
	f(11*second, Detector, Frozen)
	f(11*second, Person, Frozen)
	f(11*second, Journal, Frozen)
	g.Freeze(false)
	f(12*second, Detector, None)
}

func TestRenew(t *testing.T) {
	g := New(rules())
	a, _ := g.Ask(route("10.0.0.1", second), Detector, second)
	f := func(name string, lease, want int64, ok bool) {
		t.Helper()
		b, renewed := g.Renew(a, Detector, lease, 2*second)
		if renewed != ok || b.Lease() != want {
			t.Errorf("%s: until %d s, %v", name, b.Lease()/second, renewed)
		}
	}
	f("later", 100*second, 100*second, true)
	f("earlier changes nothing", 3*second, 61*second, true)
	f("too long", 3603*second, 61*second, false)
	g.Release(a.Prefix())
	f("what does not stand", 100*second, 61*second, false)
	if _, ok := g.Renew(Approved{}, Detector, 100*second, second); ok {
		t.Error("nothing was renewed")
	}
}

func TestConfigure(t *testing.T) {
	g := New(rules())
	for _, a := range []string{"10.0.0.2", "10.0.0.1", "192.0.2.7", "2001:db8::1"} {
		if _, refusal := g.Ask(route(a, second), Detector, second); refusal != None {
			t.Fatal(refusal)
		}
	}
	r := rules()
	r.MaxActive = 1
	if forbidden := g.Configure(r); len(forbidden) != 0 {
		t.Errorf("a lower cap forbids %v", forbidden)
	}
	r.Networks = r.Networks[:2]
	r.Protected = append(r.Protected, netip.MustParsePrefix("10.0.0.0/31"))
	forbidden := g.Configure(r)
	if len(forbidden) != 2 || forbidden[0] != netip.MustParsePrefix("10.0.0.1/32") ||
		forbidden[1] != netip.MustParsePrefix("2001:db8::1/128") {
		t.Errorf("forbidden: %v", forbidden)
	}
	if g.Active() != 4 {
		t.Error("what is forbidden stands until it is released")
	}
}
