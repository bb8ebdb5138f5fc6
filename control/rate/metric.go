package rate

// Class is a traffic class that every host is counted by. Total is the sum of the four disjoint
// classes TCP, UDP, ICMP and Other; SYN and Frag are views across them.
type Class uint8

// The classes, in the order of classNames.
const (
	Total Class = iota
	TCP
	UDP
	ICMP
	Other
	SYN  // TCP with the SYN flag, SYN-ACK included
	Frag // first and later fragments of any protocol
	NumClasses
)

var classNames = [NumClasses]string{"total", "tcp", "udp", "icmp", "other", "syn", "frag"}

// String returns the class's name.
func (c Class) String() string { return classNames[c] }

// Metric is a rate that a threshold can limit.
type Metric uint8

// The metrics, in the order of metricNames: packets, bits (of IP length) and flows per second.
const (
	PPS Metric = iota
	BPS
	FPS
	TCPPPS
	TCPBPS
	UDPPPS
	UDPBPS
	ICMPPPS
	ICMPBPS
	SYNPPS
	SYNBPS
	FragPPS
	FragBPS
	NumMetrics
)

var metricNames = [NumMetrics]string{
	"pps", "bps", "fps", "tcp_pps", "tcp_bps", "udp_pps", "udp_bps", "icmp_pps", "icmp_bps",
	"syn_pps", "syn_bps", "frag_pps", "frag_bps",
}

// String returns the name used in the configuration, e.g. "udp_pps".
func (m Metric) String() string { return metricNames[m] }

// ParseMetric returns the metric with that name, and false if there is none.
func ParseMetric(name string) (Metric, bool) {
	for m, n := range metricNames {
		if n == name {
			return Metric(m), true
		}
	}
	return 0, false
}

// Direction is a host's side of a packet: Incoming towards it, Outgoing from it.
type Direction uint8

// The directions.
const (
	Incoming Direction = iota
	Outgoing
)

// String returns "incoming" or "outgoing".
func (d Direction) String() string {
	if d == Outgoing {
		return "outgoing"
	}
	return "incoming"
}

// Rates are one host's rates in one direction over one window, per second, sampling undone.
type Rates struct {
	Packets    [NumClasses]uint64
	Bits       [NumClasses]uint64
	Flows      uint64
	FlowsAtMin bool // Flows is a lower bound: the estimate ran out of room, or packets were sampled

	// Where packets were sampled: variance over value of the estimate. See Lower.
	PacketUnit, BitUnit float64
}

// Metric returns the value of m.
func (r *Rates) Metric(m Metric) uint64 {
	switch k := metricKinds[m]; k.unit {
	case flows:
		return r.Flows
	case bits:
		return r.Bits[k.class]
	default:
		return r.Packets[k.class]
	}
}

type unit uint8

const (
	packets unit = iota
	bits
	flows
)

// metricKinds says what each metric reads.
var metricKinds = [NumMetrics]struct {
	unit  unit
	class Class
}{
	PPS: {packets, Total}, BPS: {bits, Total}, FPS: {flows, Total},
	TCPPPS: {packets, TCP}, TCPBPS: {bits, TCP},
	UDPPPS: {packets, UDP}, UDPBPS: {bits, UDP},
	ICMPPPS: {packets, ICMP}, ICMPBPS: {bits, ICMP},
	SYNPPS: {packets, SYN}, SYNBPS: {bits, SYN},
	FragPPS: {packets, Frag}, FragBPS: {bits, Frag},
}

// IsBits reports whether m counts bits.
func (m Metric) IsBits() bool { return metricKinds[m].unit == bits }
