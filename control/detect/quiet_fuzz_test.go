package detect

import (
	"math/rand/v2"
	"testing"

	"weir/control/rate"
)

// feed turns a fuzzer's bytes into numbers; at its end it gives zeros.
type feed struct{ b []byte }

func (f *feed) next() uint8 {
	if len(f.b) == 0 {
		return 0
	}
	v := f.b[0]
	f.b = f.b[1:]
	return v
}

// number returns 0 to 255, shifted by up to 40 bits, and now and then one more or less.
func (f *feed) number() uint64 {
	shape, v := f.next(), uint64(f.next())
	v <<= shape % 41
	switch shape >> 6 {
	case 1:
		v++
	case 2:
		v -= min(v, 1)
	}
	return v
}

// policy returns one to four groups with limits in both directions, about half of them set.
func (f *feed) policy() *Policy {
	p := &Policy{Groups: make([]Hostgroup, 1+f.next()%4)}
	for g := range p.Groups {
		for d := range p.Groups[g].Thresholds {
			l := &p.Groups[g].Thresholds[d]
			for m := range rate.NumMetrics {
				if l.Set[m] = f.next()&1 == 1; l.Set[m] {
					l.Value[m] = f.number()
				}
			}
		}
	}
	return p
}

// rates returns rates that traffic can have: the total is that of the four classes, and no view
// across them has more than they have.
func (f *feed) rates() (r rate.Rates) {
	for _, v := range []*[rate.NumClasses]uint64{&r.Packets, &r.Bits} {
		for _, c := range []rate.Class{rate.TCP, rate.UDP, rate.ICMP, rate.Other} {
			v[c] = f.number()
			v[rate.Total] += v[c]
		}
		v[rate.SYN] = min(f.number(), v[rate.TCP])
		v[rate.Frag] = min(f.number(), v[rate.Total])
	}
	r.Flows = f.number()
	return r
}

// below reports whether r is one that Quiet's bounds leave out of a closer look.
func below(p *Policy, d rate.Direction, r *rate.Rates) bool {
	packets, bits, flows := p.Quiet(d)
	return r.Packets[rate.Total] <= packets && r.Bits[rate.Total] <= bits && r.Flows <= flows
}

// FuzzQuiet holds the cheap first look to the closer one: whatever is warm in some group, or over,
// or about to be, lies above Quiet's bounds; and the bounds are no lower than they must be.
func FuzzQuiet(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		policy, traffic := make([]byte, 300), make([]byte, 60)
		for _, b := range [][]byte{policy, traffic} {
			for i := range b {
				b[i] = uint8(r.Uint32())
			}
		}
		f.Add(policy, traffic)
	}
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, policy, traffic []byte) {
		p := (&feed{policy}).policy()
		from := feed{traffic}
		measured, latest := from.rates(), from.rates()
		for d := range rate.Outgoing + 1 {
			for g := range p.Groups {
				checkQuiet(t, p, g, d, &measured)
				checkCrossing(t, p, g, d, &measured, &latest)
				for m := range rate.NumMetrics {
					edge := atFifth(p.Groups[g].Thresholds[d].Value[m], m)
					checkQuiet(t, p, g, d, &edge)
				}
			}
			checkTight(t, p, d)
		}
	})
}

func checkQuiet(t *testing.T, p *Policy, g int, d rate.Direction, r *rate.Rates) {
	t.Helper()
	warm := p.Warm(g, d, r)
	if warm && below(p, d, r) {
		packets, bits, flows := p.Quiet(d)
		t.Fatalf("%+v is warm in group %d %v: %+v\nbut below %d pps, %d bps, %d fps", r, g, d,
			p.Groups[g].Thresholds[d], packets, bits, flows)
	}
	if tr, over := p.Judge(g, d, r); over && !warm {
		t.Fatalf("%+v is over a limit, and not above a fifth of it: %+v", r, tr)
	}
}

// atFifth returns the least traffic that is above a fifth of limit, of that kind alone.
func atFifth(limit uint64, m rate.Metric) (r rate.Rates) {
	v := limit/5 + 1
	r = measured(value{m, v})
	switch {
	case m == rate.FPS:
		r.Packets[rate.Total], r.Packets[rate.UDP] = v, v
	case m.IsBits():
		r.Bits[rate.Total] = v
	default:
		r.Packets[rate.Total] = v
	}
	return r
}

// checkTight: just above a bound some group has a metric that is warm; without one there is no
// bound that traffic could reach.
func checkTight(t *testing.T, p *Policy, d rate.Direction) {
	t.Helper()
	packets, bits, flows := p.Quiet(d)
	f := func(bound uint64, values func(m rate.Metric) bool) {
		t.Helper()
		limited, warm := false, false
		for g := range p.Groups {
			l := &p.Groups[g].Thresholds[d]
			for m := range rate.NumMetrics {
				if !values(m) || !l.Set[m] || l.Value[m] == 0 {
					continue
				}
				limited = true
				r := measured(value{m, bound + 1})
				warm = warm || p.Warm(g, d, &r)
			}
		}
		if limited != warm || !limited && bound != 1<<63 {
			t.Fatalf("%v: bound %d, limited %v, warm just above %v", d, bound, limited, warm)
		}
	}
	f(packets, func(m rate.Metric) bool { return m != rate.FPS && !m.IsBits() })
	f(bits, rate.Metric.IsBits)
	f(flows, func(m rate.Metric) bool { return m == rate.FPS })
}

// checkCrossing: a crossing lies within the second, and belongs to a limit that the traffic is not
// over and would be if it went on.
func checkCrossing(t *testing.T, p *Policy, g int, d rate.Direction, r, latest *rate.Rates) {
	t.Helper()
	ns, ok := p.Crossing(g, d, r, latest)
	if !ok {
		return
	}
	if ns < 0 || ns > rate.Second {
		t.Fatalf("crossing in %d ns", ns)
	}
	if _, over := p.Judge(g, d, latest); !over {
		t.Fatalf("crossing in %d ns by traffic below every limit: %+v", ns, latest)
	}
}
