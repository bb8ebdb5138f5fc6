package detect

import (
	"math"
	"math/rand/v2"
	"net/netip"
	"testing"

	"weir/control/rate"
)

// value is a metric's limit, or what was measured of it.
type value struct {
	metric rate.Metric
	v      uint64
}

func limits(values ...value) (l Limits) {
	for _, v := range values {
		l.Set[v.metric], l.Value[v.metric] = true, v.v
	}
	return l
}

// classOf says which class a metric counts, as its name does.
var classOf = map[rate.Metric]rate.Class{
	rate.PPS: rate.Total, rate.BPS: rate.Total,
	rate.TCPPPS: rate.TCP, rate.TCPBPS: rate.TCP,
	rate.UDPPPS: rate.UDP, rate.UDPBPS: rate.UDP,
	rate.ICMPPPS: rate.ICMP, rate.ICMPBPS: rate.ICMP,
	rate.SYNPPS: rate.SYN, rate.SYNBPS: rate.SYN,
	rate.FragPPS: rate.Frag, rate.FragBPS: rate.Frag,
}

// measured returns rates that have those values, and nothing else.
func measured(values ...value) (r rate.Rates) {
	for _, v := range values {
		switch {
		case v.metric == rate.FPS:
			r.Flows = v.v
		case v.metric.IsBits():
			r.Bits[classOf[v.metric]] = v.v
		default:
			r.Packets[classOf[v.metric]] = v.v
		}
	}
	return r
}

// policyOf has l for incoming traffic of its only group.
func policyOf(l Limits) *Policy {
	return &Policy{Groups: []Hostgroup{{Name: Global, Thresholds: Thresholds{l}}}}
}

func TestJudgeSuccess(t *testing.T) {
	f := func(want value, limit uint64, l Limits, r rate.Rates) {
		t.Helper()
		got, over := policyOf(l).Judge(0, rate.Incoming, &r)
		expected := Trigger{
			Direction: rate.Incoming, Metric: want.metric, Value: want.v, Limit: limit,
			Hostgroup: Global,
		}
		if !over || got != expected {
			t.Errorf("got %+v, %v; want %+v", got, over, expected)
		}
	}
	for m := range rate.NumMetrics {
		f(value{m, 101}, 100, limits(value{m, 100}), measured(value{m, 101}))
		f(value{m, math.MaxUint64}, 1, limits(value{m, 1}), measured(value{m, math.MaxUint64}))
	}
	// The largest factor wins, whatever the order and the size.
	l := limits(value{rate.PPS, 1000}, value{rate.BPS, 1_000_000}, value{rate.SYNPPS, 10},
		value{rate.FPS, 100})
	f(value{rate.SYNPPS, 40}, 10, l, measured(value{rate.PPS, 3000}, value{rate.BPS, 2_000_000},
		value{rate.SYNPPS, 40}, value{rate.FPS, 399}))
	f(value{rate.PPS, 3000}, 1000, l, measured(value{rate.PPS, 3000}, value{rate.BPS, 2_999_999},
		value{rate.SYNPPS, 10}, value{rate.FPS, 100}))
	f(value{rate.FPS, 500}, 100, l, measured(value{rate.PPS, 3000}, value{rate.FPS, 500}))
	// Of equal factors the first metric.
	f(value{rate.PPS, 2000}, 1000, l, measured(value{rate.PPS, 2000}, value{rate.BPS, 2_000_000},
		value{rate.SYNPPS, 20}, value{rate.FPS, 200}))
	// A factor that is 1 in floating point is over all the same.
	f(value{rate.BPS, 1<<62 + 1}, 1<<62, limits(value{rate.BPS, 1 << 62}),
		measured(value{rate.BPS, 1<<62 + 1}))
}

func TestJudgeFailure(t *testing.T) {
	f := func(l Limits, r rate.Rates) {
		t.Helper()
		if got, over := policyOf(l).Judge(0, rate.Incoming, &r); over || got != (Trigger{}) {
			t.Errorf("got %+v, %v; want none", got, over)
		}
	}
	for m := range rate.NumMetrics {
		f(limits(value{m, 100}), measured(value{m, 100})) // not more than the limit
		f(limits(value{m, 100}), rate.Rates{})
		f(limits(value{m, 0}), measured(value{m, math.MaxUint64})) // 0 is no limit
		unset := limits(value{m, 100})
		unset.Set[m] = false
		f(unset, measured(value{m, 101}))
		for other := range rate.NumMetrics {
			if other != m {
				f(limits(value{m, 100}), measured(value{other, 1000}))
			}
		}
	}
	f(Limits{}, measured(value{rate.PPS, math.MaxUint64}, value{rate.FPS, math.MaxUint64}))
}

// Each group and each direction has its own limits.
func TestJudgeOwnLimits(t *testing.T) {
	p := &Policy{Groups: []Hostgroup{
		{Name: Global, Thresholds: Thresholds{
			rate.Incoming: limits(value{rate.PPS, 10}), rate.Outgoing: limits(value{rate.PPS, 20}),
		}},
		{Name: "web", Thresholds: Thresholds{rate.Incoming: limits(value{rate.PPS, 30})}},
	}}
	f := func(group int, d rate.Direction, most uint64, hostgroup string) {
		t.Helper()
		r := measured(value{rate.PPS, most})
		if got, over := p.Judge(group, d, &r); over {
			t.Errorf("%s %v: %d pps are over: %+v", hostgroup, d, most, got)
		}
		r = measured(value{rate.PPS, most + 1})
		got, over := p.Judge(group, d, &r)
		if !over || got.Hostgroup != hostgroup || got.Direction != d || got.Limit != most {
			t.Errorf("%s %v: %d pps give %+v, %v", hostgroup, d, most+1, got, over)
		}
	}
	f(0, rate.Incoming, 10, Global)
	f(0, rate.Outgoing, 20, Global)
	f(1, rate.Incoming, 30, "web")
	r := measured(value{rate.PPS, 1 << 60})
	if _, over := p.Judge(1, rate.Outgoing, &r); over {
		t.Error("web outgoing has no limit, yet it was exceeded")
	}
}

func TestTriggerName(t *testing.T) {
	in := Trigger{Direction: rate.Incoming, Metric: rate.UDPPPS}
	out := Trigger{Direction: rate.Outgoing, Metric: rate.FPS}
	if in.Name() != "incoming_udp_pps" || out.Name() != "outgoing_fps" {
		t.Errorf("names are %q and %q", in.Name(), out.Name())
	}
}

func TestWarm(t *testing.T) {
	f := func(limit, most uint64) {
		t.Helper()
		for m := range rate.NumMetrics {
			p := policyOf(limits(value{m, limit}))
			cold, warm := measured(value{m, most}), measured(value{m, most + 1})
			if p.Warm(0, rate.Incoming, &cold) || !p.Warm(0, rate.Incoming, &warm) {
				t.Errorf("%v limit %d: %d is warm, or %d is not", m, limit, most, most+1)
			}
			if p.Warm(0, rate.Outgoing, &warm) {
				t.Errorf("%v: warm in a direction without limits", m)
			}
		}
	}
	f(100, 20)
	f(104, 20) // a fifth is 20.8
	f(105, 21)
	f(5, 1)
	f(4, 0)
	f(1, 0)
	f(math.MaxUint64, math.MaxUint64/5)

	r := measured(value{rate.PPS, math.MaxUint64})
	if policyOf(limits(value{rate.PPS, 0})).Warm(0, rate.Incoming, &r) {
		t.Error("warm by a limit of 0, which is none")
	}
	if policyOf(Limits{}).Warm(0, rate.Incoming, &r) {
		t.Error("warm without limits")
	}
}

func TestCrossingSuccess(t *testing.T) {
	f := func(want int64, l Limits, r, latest rate.Rates) {
		t.Helper()
		ns, ok := policyOf(l).Crossing(0, rate.Incoming, &r, &latest)
		if !ok || ns != want {
			t.Errorf("crossing in %d ns, %v; want %d", ns, ok, want)
		}
	}
	const ms = int64(1e6)
	one := func(limit, have, latest uint64, want int64) {
		t.Helper()
		for m := range rate.NumMetrics {
			if m != rate.FPS {
				f(want, limits(value{m, limit}), measured(value{m, have}),
					measured(value{m, latest}))
			}
		}
	}
	one(1000, 0, 2000, 500*ms)
	one(1000, 0, 10_000, 100*ms)
	one(1000, 500, 1500, 500*ms)
	one(1000, 900, 1100, 500*ms)
	one(1000, 999, 1001, 500*ms)
	one(1000, 1000, 5000, 0) // the next packet crosses
	one(1000, 0, 1001, 999_000_999)

	// The first of several.
	l := limits(value{rate.PPS, 1000}, value{rate.UDPPPS, 1000}, value{rate.SYNPPS, 1000})
	f(100*ms, l, rate.Rates{}, measured(value{rate.PPS, 2000}, value{rate.UDPPPS, 10_000},
		value{rate.SYNPPS, 4000}))
	// One that is over already says nothing of the others.
	f(250*ms, l, measured(value{rate.PPS, 1001}),
		measured(value{rate.PPS, 9000}, value{rate.SYNPPS, 4000}))
}

func TestCrossingFailure(t *testing.T) {
	f := func(l Limits, r, latest rate.Rates) {
		t.Helper()
		if ns, ok := policyOf(l).Crossing(0, rate.Incoming, &r, &latest); ok || ns != 0 {
			t.Errorf("crossing in %d ns, %v; want never", ns, ok)
		}
	}
	for m := range rate.NumMetrics {
		l := limits(value{m, 1000})
		f(l, rate.Rates{}, rate.Rates{})
		f(l, measured(value{m, 999}), measured(value{m, 1000})) // reaches it, does not exceed it
		f(l, measured(value{m, 1000}), measured(value{m, 10}))  // falls
		f(l, measured(value{m, 1001}), measured(value{m, 9000}))
		f(limits(value{m, 0}), rate.Rates{}, measured(value{m, 9000}))
		l.Set[m] = false
		f(l, rate.Rates{}, measured(value{m, 9000}))
	}
	// Flows do not add up over sub-epochs: nothing is expected of them.
	f(limits(value{rate.FPS, 1000}), rate.Rates{}, measured(value{rate.FPS, 9000}))
	var p Policy
	p.Groups = []Hostgroup{{Thresholds: Thresholds{rate.Outgoing: limits(value{rate.PPS, 10})}}}
	r := measured(value{rate.PPS, 9000})
	if _, ok := p.Crossing(0, rate.Incoming, &rate.Rates{}, &r); ok {
		t.Error("crossing by the limit of the other direction")
	}
}

// TestCrossingIsWhenTheSecondExceeds slides a second over traffic that was even and goes on as in
// latest: at the predicted time it holds the limit, to a nanosecond's worth.
func TestCrossingIsWhenTheSecondExceeds(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 10_000 {
		limit := 1 + r.Uint64N(1e7)
		have, latest := r.Uint64N(limit+1), limit+1+r.Uint64N(20*limit)
		p := policyOf(limits(value{rate.PPS, limit}))
		before, now := measured(value{rate.PPS, have}), measured(value{rate.PPS, latest})
		ns, ok := p.Crossing(0, rate.Incoming, &before, &now)
		if !ok || ns < 0 || ns >= rate.Second {
			t.Fatalf("%d pps to %d over %d: in %d ns, %v", have, latest, limit, ns, ok)
		}
		part := float64(ns) / float64(rate.Second)
		sum := float64(have)*(1-part) + float64(latest)*part
		if slack := 2e-9*float64(latest) + 1e-6; math.Abs(sum-float64(limit)) > slack {
			t.Fatalf("%d pps to %d: after %d ns the second has %.3f, not %d", have, latest, ns,
				sum, limit)
		}
	}
}

func TestAllowed(t *testing.T) {
	p := &Policy{Allowlist: []netip.Prefix{
		netip.MustParsePrefix("10.0.0.250/32"), netip.MustParsePrefix("10.1.0.0/16"),
		netip.MustParsePrefix("2001:db8:1::/48"),
	}}
	f := func(ip string, want bool) {
		t.Helper()
		if got := p.Allowed(netip.MustParseAddr(ip)); got != want {
			t.Errorf("%s allowed: %v", ip, got)
		}
	}
	f("10.0.0.250", true)
	f("10.0.0.249", false)
	f("10.0.0.251", false)
	f("10.1.255.255", true)
	f("10.2.0.0", false)
	f("2001:db8:1:ffff::1", true)
	f("2001:db8:2::1", false)
	f("::a00:fa", false) // the same bits, another family
	if (&Policy{}).Allowed(netip.MustParseAddr("10.0.0.1")) {
		t.Error("an empty allowlist allows")
	}
}
