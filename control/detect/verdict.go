package detect

import (
	"weir/control/rate"
)

// Trigger is the limit that a host exceeded, with what was measured.
type Trigger struct {
	Direction rate.Direction
	Metric    rate.Metric
	Value     uint64 // per second
	Limit     uint64 // per second
	Hostgroup string
	View      string // whose packets were counted: a mirror or a group of exporters
}

// Name returns the trigger's name in events, e.g. "incoming_udp_pps".
func (t *Trigger) Name() string { return t.Direction.String() + "_" + t.Metric.String() }

// Vector is one family of attack traffic and its share of the incident's packets, 0 to 1.
type Vector struct {
	Name  string
	Share float64
}
