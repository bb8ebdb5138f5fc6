package detect

import (
	"net/netip"

	"weir/control/rate"
)

// Judge compares r with the limits of one group and direction: what r proves where packets were
// sampled, rate.Rates.Lower. Of several limits exceeded it names the one exceeded by the largest
// factor, the first in rate.Metric's order among equals.
func (p *Policy) Judge(group int, d rate.Direction, r *rate.Rates) (t Trigger, over bool) {
	g := &p.Groups[group]
	limits := &g.Thresholds[d]
	best := 0.0
	for m := range rate.NumMetrics {
		limit := limits.Value[m]
		if !limits.Set[m] || limit == 0 {
			continue
		}
		value := r.Metric(m)
		if value <= limit || r.Lower(m) <= limit {
			continue
		}
		if factor := float64(value) / float64(limit); factor > best {
			best, over = factor, true
			t = Trigger{Direction: d, Metric: m, Value: value, Limit: limit, Hostgroup: g.Name}
		}
	}
	return t, over
}

// warmPart: a host above a fifth of a limit is watched closely.
const warmPart = 5

// Warm reports whether r is above a fifth of some limit of the group in direction d.
func (p *Policy) Warm(group int, d rate.Direction, r *rate.Rates) bool {
	limits := &p.Groups[group].Thresholds[d]
	for m := range rate.NumMetrics {
		if limit := limits.Value[m]; limits.Set[m] && limit != 0 && r.Metric(m) > limit/warmPart {
			return true
		}
	}
	return false
}

// Crossing returns in how many nanoseconds a host whose last second had the rates r will exceed
// some limit if its traffic goes on as in latest; false when it will not.
func (p *Policy) Crossing(group int, d rate.Direction, r, latest *rate.Rates) (ns int64, ok bool) {
	limits := &p.Groups[group].Thresholds[d]
	for m := range rate.NumMetrics {
		limit := limits.Value[m]
		if !limits.Set[m] || limit == 0 || m == rate.FPS {
			continue
		}
		have, grows := r.Metric(m), latest.Metric(m)
		if have > limit || grows <= limit {
			continue
		}
		in := int64(float64(limit-have) / float64(grows-have) * float64(rate.Second))
		if !ok || in < ns {
			ns, ok = in, true
		}
	}
	return ns, ok
}

// Quiet returns total packets, bits and flows per second below which no host of any group can be
// above a fifth of a limit in direction d: a cheap first look.
func (p *Policy) Quiet(d rate.Direction) (packets, bits, flows uint64) {
	packets, bits, flows = 1<<63, 1<<63, 1<<63
	for g := range p.Groups {
		limits := &p.Groups[g].Thresholds[d]
		for m := range rate.NumMetrics {
			limit := limits.Value[m]
			if !limits.Set[m] || limit == 0 {
				continue
			}
			switch part := limit / warmPart; {
			case m == rate.FPS:
				flows = min(flows, part)
			case m.IsBits():
				bits = min(bits, part)
			default:
				packets = min(packets, part)
			}
		}
	}
	return packets, bits, flows
}

// Allowed reports whether ip is on the allowlist: counted and recorded, never mitigated.
func (p *Policy) Allowed(ip netip.Addr) bool {
	for _, q := range p.Allowlist {
		if q.Contains(ip) {
			return true
		}
	}
	return false
}
