package rate

import "weir/counters"

// classOf maps the classes of counters to ours.
var classOf = [counters.NumClasses]Class{
	counters.TCP: TCP, counters.UDP: UDP, counters.ICMP: ICMP, counters.Other: Other,
	counters.SYN: SYN, counters.Frag: Frag,
}

// Counts are packets and bytes per class, without the total.
type Counts struct {
	Packets [counters.NumClasses]uint64
	Bytes   [counters.NumClasses]uint64 // IP length
}

// CountsOf returns what e counted.
func CountsOf(e *counters.Entry) (c Counts) {
	for i := range c.Packets {
		c.Packets[i] = e.Packets(counters.Class(i))
		c.Bytes[i] = e.Bytes(counters.Class(i))
	}
	return c
}

// AddEntry adds what e counted to c.
func (c *Counts) AddEntry(e *counters.Entry) {
	for i := range c.Packets {
		c.Packets[i] += e.Packets(counters.Class(i))
		c.Bytes[i] += e.Bytes(counters.Class(i))
	}
}

// minus returns c without what o counted.
func (c *Counts) minus(o *Counts) (d Counts) {
	for i := range c.Packets {
		d.Packets[i] = c.Packets[i] - o.Packets[i]
		d.Bytes[i] = c.Bytes[i] - o.Bytes[i]
	}
	return d
}

// addPart adds part (0 to 1) of o to c.
func (c *Counts) addPart(o *Counts, part float64) {
	for i := range c.Packets {
		c.Packets[i] += uint64(float64(o.Packets[i])*part + 0.5)
		c.Bytes[i] += uint64(float64(o.Bytes[i])*part + 0.5)
	}
}

// Total returns packets and bytes of all classes.
func (c *Counts) Total() (packets, bytes uint64) {
	for class := counters.TCP; class <= counters.Other; class++ {
		packets += c.Packets[class]
		bytes += c.Bytes[class]
	}
	return packets, bytes
}

// Add adds o to c.
func (c *Counts) Add(o *Counts) {
	for i := range c.Packets {
		c.Packets[i] += o.Packets[i]
		c.Bytes[i] += o.Bytes[i]
	}
}

// Second is the shortest window that a rate is taken over: counts of less time are divided by a
// whole second, so that the first packets after a start or a flip are no burst of millions.
const Second = int64(1e9)

// Over returns the rates of c over a window of ns nanoseconds, taken as at least a Second.
func (c *Counts) Over(ns int64) (r Rates) {
	seconds := float64(max(ns, Second)) / float64(Second)
	for i, class := range classOf {
		packets, bits := c.Packets[i], c.Bytes[i]*8
		if seconds > 1 {
			packets = uint64(float64(packets)/seconds + 0.5)
			bits = uint64(float64(bits)/seconds + 0.5)
		}
		r.Packets[class], r.Bits[class] = packets, bits
	}
	for _, class := range [...]Class{TCP, UDP, ICMP, Other} {
		r.Packets[Total] += r.Packets[class]
		r.Bits[Total] += r.Bits[class]
	}
	return r
}

// OfEntry returns the rates of e, merged by g over a window of ns nanoseconds.
func OfEntry(g *counters.Merger, e *counters.Entry, ns int64) Rates {
	c := CountsOf(e)
	r := c.Over(ns)
	r.Flows, r.FlowsAtMin = g.Flows(e)
	noise := g.Noise(e)
	r.noisy(&noise, float64(max(ns, Second))/float64(Second))
	if ns > Second { // distinct flows of a long window are at least those of any second in it
		r.Flows = uint64(float64(r.Flows) * float64(Second) / float64(ns))
	}
	return r
}
