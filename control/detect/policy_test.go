package detect

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"weir/control/rate"
)

func TestInherit(t *testing.T) {
	parent := Thresholds{
		rate.Incoming: limits(value{rate.PPS, 100}, value{rate.BPS, 200}, value{rate.FPS, 0}),
		rate.Outgoing: limits(value{rate.PPS, 300}),
	}
	f := func(child, want Thresholds) {
		t.Helper()
		if got := child.Inherit(parent); got != want {
			t.Errorf("got %+v\nwant %+v", got, want)
		}
	}
	f(Thresholds{}, parent)
	f(parent, parent)
	f(Thresholds{rate.Incoming: limits(value{rate.PPS, 7}, value{rate.UDPPPS, 8})}, Thresholds{
		rate.Incoming: limits(value{rate.PPS, 7}, value{rate.BPS, 200}, value{rate.FPS, 0},
			value{rate.UDPPPS, 8}),
		rate.Outgoing: limits(value{rate.PPS, 300}),
	})
	// A limit of 0 lifts the parent's; a parent's 0 is inherited and lifts its own parent's.
	f(Thresholds{rate.Incoming: limits(value{rate.PPS, 0}, value{rate.FPS, 5})}, Thresholds{
		rate.Incoming: limits(value{rate.PPS, 0}, value{rate.BPS, 200}, value{rate.FPS, 5}),
		rate.Outgoing: limits(value{rate.PPS, 300}),
	})
	lifted := Thresholds{rate.Incoming: limits(value{rate.PPS, 0})}.Inherit(parent)
	r := measured(value{rate.PPS, 1 << 40})
	if _, over := policyOf(lifted[rate.Incoming]).Judge(0, rate.Incoming, &r); over {
		t.Error("over a limit that the group has lifted")
	}
}

// TestInheritChain: what a group inherits does not depend on whether its parent has inherited
// already.
func TestInheritChain(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	some := func() (t Thresholds) {
		for d := range t {
			for m := range rate.NumMetrics {
				if r.IntN(2) == 0 {
					t[d].Set[m], t[d].Value[m] = true, r.Uint64N(3)
				}
			}
		}
		return t
	}
	for range 1000 {
		a, b, c := some(), some(), some()
		if x, y := a.Inherit(b).Inherit(c), a.Inherit(b.Inherit(c)); x != y {
			t.Fatalf("%+v\n%+v\n%+v give\n%+v or\n%+v", a, b, c, x, y)
		}
	}
}

// hashed returns a policy of its own with every part filled.
func hashed() *Policy {
	return &Policy{
		Networks: []netip.Prefix{
			netip.MustParsePrefix("10.0.0.0/16"), netip.MustParsePrefix("2001:db8::/48"),
		},
		Allowlist: []netip.Prefix{netip.MustParsePrefix("10.0.0.250/32")},
		Groups: []Hostgroup{
			{Name: Global, Thresholds: Thresholds{
				rate.Incoming: limits(value{rate.PPS, 20_000}, value{rate.BPS, 1_000_000_000}),
				rate.Outgoing: limits(value{rate.PPS, 20_000}),
			}},
			{
				Name:       "web",
				Prefixes:   []netip.Prefix{netip.MustParsePrefix("10.0.1.0/24")},
				Thresholds: Thresholds{rate.Incoming: limits(value{rate.PPS, 50_000})},
			},
		},
	}
}

func TestHashSame(t *testing.T) {
	want := hashed().Hash()
	for range 100 {
		if got := hashed().Hash(); got != want {
			t.Fatalf("the same policy hashes to %x and %x", want, got)
		}
	}
	// Incidents are named by it: a new build must not rename those of an old report unnoticed.
	if before := uint64(0x1d3ecf96e83096ac); want != before {
		t.Errorf("the policy hashes to %#x, in builds before to %#x", want, before)
	}
	// No list and an empty list decide the same.
	a, b := hashed(), hashed()
	a.Allowlist, b.Allowlist = nil, []netip.Prefix{}
	a.Groups[0].Prefixes, b.Groups[0].Prefixes = nil, []netip.Prefix{}
	if a.Hash() != b.Hash() {
		t.Error("an empty list hashes differently from none")
	}
}

func TestHashDifferent(t *testing.T) {
	seen := map[uint64]string{hashed().Hash(): "the original"}
	f := func(what string, change func(p *Policy)) {
		t.Helper()
		p := hashed()
		change(p)
		h := p.Hash()
		if other, ok := seen[h]; ok {
			t.Errorf("%s hashes like %s", what, other)
		}
		seen[h] = what
	}
	more := netip.MustParsePrefix("192.0.2.0/24")
	f("one more network", func(p *Policy) { p.Networks = append(p.Networks, more) })
	f("one more allowed", func(p *Policy) { p.Allowlist = append(p.Allowlist, more) })
	f("one more group prefix", func(p *Policy) {
		p.Groups[1].Prefixes = append(p.Groups[1].Prefixes, more)
	})
	f("a network less", func(p *Policy) { p.Networks = p.Networks[:1] })
	f("no allowlist", func(p *Policy) { p.Allowlist = nil })
	f("a network allowed instead", func(p *Policy) {
		p.Allowlist = slices.Insert(p.Allowlist, 0, p.Networks[1])
		p.Networks = p.Networks[:1]
	})
	f("another mask", func(p *Policy) { p.Networks[0] = netip.MustParsePrefix("10.0.0.0/17") })
	f("another name", func(p *Policy) { p.Groups[1].Name = "mail" })
	f("a group less", func(p *Policy) { p.Groups = p.Groups[:1] })
	f("the other order", func(p *Policy) { slices.Reverse(p.Groups) })
	for g := range 2 {
		for d := range 2 {
			for m := range rate.NumMetrics {
				f("one limit", func(p *Policy) { p.Groups[g].Thresholds[d].Value[m] += 7 })
				f("one limit set", func(p *Policy) {
					l := &p.Groups[g].Thresholds[d]
					l.Set[m] = !l.Set[m]
				})
			}
		}
	}
}
