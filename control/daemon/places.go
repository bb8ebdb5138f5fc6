package daemon

import (
	"net/netip"

	"weir/control/config"
	"weir/control/detect"
	"weir/control/rate"
	"weir/counters"
	"weir/counters/prefix"
)

// places knows what the configuration says of an address. It is immutable.
type places struct {
	policy   detect.Policy
	config   *config.Config
	networks *prefix.Table // value: 1 + index of the policy's networks
	groups   *prefix.Table // value: 1 + index of owners
	owners   []owner
}

// owner is a prefix of a hostgroup.
type owner struct {
	prefix netip.Prefix
	group  int
}

func newPlaces(c *config.Config) (*places, error) {
	p := &places{policy: c.Policy(), config: c}
	var networks, groups []prefix.Entry
	for i, n := range p.policy.Networks {
		networks = append(networks, prefix.Entry{Prefix: n, Value: prefix.Value(i + 1)})
	}
	for g := range p.policy.Groups {
		for _, q := range p.policy.Groups[g].Prefixes {
			p.owners = append(p.owners, owner{q, g})
			groups = append(groups, prefix.Entry{Prefix: q, Value: prefix.Value(len(p.owners))})
		}
	}
	var err error
	if p.networks, err = prefix.New(networks); err != nil {
		return nil, err
	}
	if p.groups, err = prefix.New(groups); err != nil {
		return nil, err
	}
	return p, nil
}

// network returns the network that holds the key.
func (p *places) network(k counters.Key) (n netip.Prefix, ok bool) {
	v := p.networks.Lookup(k.Hi, k.Lo)
	if v == 0 {
		return n, false
	}
	return p.policy.Networks[v-1], true
}

// group returns the hostgroup of a key, and the prefix that says so; none for global.
func (p *places) group(k counters.Key) (group int, by netip.Prefix) {
	v := p.groups.Lookup(k.Hi, k.Lo)
	if v == 0 {
		return 0, by
	}
	return p.owners[v-1].group, p.owners[v-1].prefix
}

// allowed returns the allowlist's prefix that holds a.
func (p *places) allowed(a netip.Addr) (by netip.Prefix, ok bool) {
	for _, q := range p.policy.Allowlist {
		if q.Contains(a) {
			return q, true
		}
	}
	return by, false
}

// setBy returns the name of the hostgroup whose own limit it is: a group inherits from global what
// it does not set.
func (p *places) setBy(group int, d rate.Direction, m rate.Metric) string {
	if group > 0 && p.config.Hostgroups[group-1].Thresholds[d].Set[m] {
		return p.policy.Groups[group].Name
	}
	return detect.Global
}

// nearest returns the limit of a group that rates come nearest to, and by how many percent. It is
// 0 without limits.
func (p *places) nearest(group int, rates *[2]rate.Rates) (percent float64, metric string) {
	best := struct {
		d rate.Direction
		m rate.Metric
	}{}
	for d := range rates {
		limits := &p.policy.Groups[group].Thresholds[d]
		for m := range rate.NumMetrics {
			if !limits.Set[m] || limits.Value[m] == 0 {
				continue
			}
			part := 100 * float64(rates[d].Metric(m)) / float64(limits.Value[m])
			if part > percent {
				percent, best.d, best.m = part, rate.Direction(d), m
			}
		}
	}
	if percent > 0 {
		metric = best.d.String() + "_" + best.m.String()
	}
	return percent, metric
}
