package speaker

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"weir/control/bgp/wire"
	"weir/control/governor"
)

// TestTwoGuards holds a million routes, most near the edges of networks, to the governor's rules
// and to the speaker's, each alone: neither lets pass what is no host route inside the networks, so
// that either may be wrong, or gone, and the other still refuses.
func TestTwoGuards(t *testing.T) {
	networks := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.4/30"),
		netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2001:db9::8/126"),
	}
	peer := netip.MustParseAddr("10.0.0.9")
	setup := &wire.Setup{
		AS: 65001, RouterID: netip.MustParseAddr("192.0.2.5"), Networks: networks,
		Peers: []wire.Peer{{Address: peer, AS: 65002}},
	}
	g := newGuard(setup)
	rules := governor.Rules{
		Networks: networks, MaxActive: 1, MaxPerMinute: 1, MaxShare: 100, MaxLease: time.Hour,
		Protected: []netip.Prefix{
			netip.PrefixFrom(peer, 32), netip.PrefixFrom(setup.RouterID, 32),
		},
	}
	r := rand.New(rand.NewPCG(7, 7))
	passed := 0
	for range 1_000_000 {
		p := near(r, networks)
		next := netip.MustParseAddr("192.0.2.1")
		if p.Addr().Is6() {
			next = netip.MustParseAddr("100::1")
		}
		_, refusal := governor.New(rules).Ask(governor.Route{
			Prefix: p, NextHop: next, Lease: int64(time.Minute),
		}, governor.Detector, 0)
		second := g.refuse(&wire.Route{Prefix: p, NextHop: next, Lease: time.Minute})
		may := allowed(networks, p) && p.Addr() != peer && p.Addr() != setup.RouterID
		if (refusal == governor.None) != may || (second == "") != may {
			t.Fatalf("%v: the governor says %v, the speaker %q; it may: %v", p, refusal, second,
				may)
		}
		if may {
			passed++
		}
	}
	if passed < 10_000 {
		t.Errorf("%d passed: too few to mean anything", passed)
	}
}

// near returns a prefix at or beside an edge of a network, or anywhere.
func near(r *rand.Rand, networks []netip.Prefix) netip.Prefix {
	n := networks[r.IntN(len(networks))]
	b := n.Addr().AsSlice()
	if r.IntN(2) == 0 {
		binary.BigEndian.PutUint32(b[len(b)-4:], r.Uint32())
	}
	if r.IntN(8) == 0 {
		b[0] ^= byte(r.Uint32())
	}
	a, _ := netip.AddrFromSlice(b)
	switch r.IntN(3) {
	case 0:
		if a.Prev().IsValid() {
			a = a.Prev()
		}
	case 1:
		if a.Next().IsValid() {
			a = a.Next()
		}
	}
	bits := a.BitLen()
	if r.IntN(3) == 0 {
		bits = r.IntN(bits + 1)
	}
	return netip.PrefixFrom(a, bits)
}

// allowed compares bit by bit.
func allowed(networks []netip.Prefix, p netip.Prefix) bool {
	a := p.Addr().AsSlice()
	if p.Bits() != 8*len(a) || p.Addr().IsUnspecified() || p.Addr().IsMulticast() ||
		p.Addr().IsLoopback() || p.Addr().IsLinkLocalUnicast() {
		return false
	}
	for _, n := range networks {
		b := n.Addr().AsSlice()
		same := len(a) == len(b)
		for i := 0; same && i < n.Bits(); i++ {
			same = (a[i/8]^b[i/8])&(0x80>>(i%8)) == 0
		}
		if same {
			return true
		}
	}
	return false
}
