package bgp_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"weir/control/ban"
	"weir/control/bgp"
	"weir/control/bgp/bgptest"
	"weir/control/bgp/speaker"
	"weir/control/governor"
)

// childEnv makes this test binary a speaker.
const childEnv = "WEIR_TEST_SPEAKER=1"

func TestMain(m *testing.M) {
	if os.Getenv("WEIR_TEST_SPEAKER") != "" {
		if err := speaker.Child(); err != nil {
			fmt.Fprintln(os.Stderr, "speaker:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var (
	ourNetworks = []netip.Prefix{
		netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("2001:db8::/32"),
	}
	loopback = netip.MustParseAddr("127.0.0.1")
	routerAt = netip.MustParseAddr("127.0.0.2")
	started  = time.Now()
)

const (
	ourAS    = 65001
	routerAS = 65002
)

// clock is a loop's clock that never steps.
func clock() int64 { return started.UnixNano() + int64(time.Since(started)) }

// approve returns host routes that the governor has approved, for an hour or a lease.
func approve(t testing.TB, lease time.Duration, addrs ...string) []governor.Approved {
	t.Helper()
	g := governor.New(governor.Rules{
		Networks: ourNetworks, MaxActive: 10000, MaxPerMinute: 10000, MaxShare: 100,
		MaxLease: 24 * time.Hour,
	})
	var routes []governor.Approved
	for _, text := range addrs {
		addr := netip.MustParseAddr(text)
		next := netip.MustParseAddr("192.0.2.1")
		if addr.Is6() {
			next = netip.MustParseAddr("100::1")
		}
		r := governor.Route{
			Prefix: netip.PrefixFrom(addr, addr.BitLen()), NextHop: next,
			Communities: []ban.Community{
				ban.Blackhole, ban.NoExport, {A: 65001, B: 100},
				{Large: true, A: 4200000001, B: 1, C: 666},
			},
			Lease: clock() + int64(lease), ID: "test",
		}
		a, refusal := g.Ask(r, governor.Person, clock())
		if refusal != governor.None {
			t.Fatalf("%s: %s", text, refusal.Text())
		}
		routes = append(routes, a)
	}
	return routes
}

// router starts a bgptest.Peer at an address.
func router(t testing.TB, at netip.Addr, change func(*bgptest.Options)) *bgptest.Peer {
	t.Helper()
	o := bgptest.Options{
		AS: routerAS, Listen: netip.AddrPortFrom(at, 0), Neighbor: loopback,
		GracefulRestart: 120 * time.Second,
	}
	if change != nil {
		change(&o)
	}
	p, err := bgptest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		for _, fault := range p.Faults() {
			t.Error("router:", fault)
		}
	})
	return p
}

// peerOf returns how a speaker reaches a router.
func peerOf(p *bgptest.Peer) bgp.Peer {
	return bgp.Peer{
		Address: p.Address().Addr(), Port: p.Address().Port(), AS: routerAS, Multihop: 64,
		GracefulRestart: 120 * time.Second,
	}
}

// supervise starts a speaker.
func supervise(t testing.TB, change func(*bgp.Config), peers ...bgp.Peer) *bgp.Supervisor {
	t.Helper()
	s, err := bgp.Start(configOf(t, change, peers...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(false) })
	return s
}

func configOf(t testing.TB, change func(*bgp.Config), peers ...bgp.Peer) bgp.Config {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := bgp.Config{
		AS: ourAS, RouterID: netip.MustParseAddr("192.0.2.10"), Peers: peers,
		Networks: ourNetworks, Command: []string{self}, Env: []string{childEnv},
		Clock: clock, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	if change != nil {
		change(&c)
	}
	return c
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// stands waits until exactly these addresses are announced to a router.
func stands(t testing.TB, p *bgptest.Peer, d time.Duration, addrs ...string) {
	t.Helper()
	want := hosts(addrs...)
	err := p.Wait(within(t, d), func(routes []bgptest.Route) bool {
		var have []netip.Prefix
		for _, r := range routes {
			have = append(have, r.Prefix)
		}
		return slices.Equal(have, want)
	})
	if err != nil {
		t.Fatalf("want %v: %v", want, err)
	}
}

func hosts(addrs ...string) []netip.Prefix {
	var prefixes []netip.Prefix
	for _, a := range addrs {
		addr := netip.MustParseAddr(a)
		prefixes = append(prefixes, netip.PrefixFrom(addr, addr.BitLen()))
	}
	return prefixes
}

// until waits for a state.
func until(t testing.TB, s *bgp.Supervisor, d time.Duration, what string,
	ok func(*bgp.State) bool) {
	t.Helper()
	end := time.After(d)
	for !ok(s.State()) {
		select {
		case <-end:
			t.Fatalf("%s: not within %v: %+v", what, d, *s.State())
		case <-s.Changed():
		case <-time.After(5 * time.Millisecond):
		}
	}
}
