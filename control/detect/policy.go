package detect

import (
	"fmt"
	"hash/fnv"
	"net/netip"

	"weir/control/rate"
)

// Limits are one direction's thresholds per second. A set limit of 0 is no limit for that
// metric, also where a parent has one; Set says which were given.
type Limits struct {
	Value [rate.NumMetrics]uint64
	Set   [rate.NumMetrics]bool
}

// Thresholds are the limits of a host, per direction.
type Thresholds [2]Limits // indexed by rate.Direction

// Inherit returns t with every limit that it does not set taken from parent.
func (t Thresholds) Inherit(parent Thresholds) Thresholds {
	for d := range t {
		for m := range t[d].Set {
			if !t[d].Set[m] {
				t[d].Set[m], t[d].Value[m] = parent[d].Set[m], parent[d].Value[m]
			}
		}
	}
	return t
}

// Hostgroup is a named set of prefixes with thresholds of its own. Hosts belong to the group
// with the longest matching prefix; hosts without one to the group named Global.
type Hostgroup struct {
	Name       string
	Prefixes   []netip.Prefix
	Thresholds Thresholds // complete: what the configuration left out is inherited
}

// Global is the name of the group of hosts that no hostgroup names.
const Global = "global"

// Policy is what detection decides by. Groups[0] is Global.
type Policy struct {
	Networks  []netip.Prefix
	Allowlist []netip.Prefix
	Groups    []Hostgroup
}

// Hash identifies what p decides: the same networks, allowlist, groups and limits give the same.
func (p *Policy) Hash() uint64 {
	h := fnv.New64a()
	fmt.Fprint(h, p.Networks, p.Allowlist, p.Groups)
	return h.Sum64()
}
