package counters

import (
	"math"
	"math/bits"
)

// Span is a class of flow durations. A flow's counts are told at once, at its end: how long it
// took says how fast its packets came.
type Span uint8

// The spans: up to 1, 8 and 64 seconds, and longer.
const (
	UpTo1s Span = iota
	UpTo8s
	UpTo64s
	Longer
	NumSpans
)

// Spread bounds the flows of Longer: of one that took longer, only the part that falls into so
// many seconds counts. Nobody's traffic of this morning is an attack of now.
const Spread = 300

// SpanOf returns the class of a duration in milliseconds. It has no branch, since durations are as
// no branch predictor expects them.
func SpanOf(ms uint32) Span {
	d := uint64(ms)
	return Span((1000-d)>>63 + (8000-d)>>63 + (64000-d)>>63)
}

// FlowSlot counts one host in one direction during one epoch, by what exporters tell of it: nine
// cache lines, of which a record touches one or two. Packets and bytes are multiplied by the
// sampling rate, and saturate.
type FlowSlot struct {
	spans [NumSpans]spanCount
	slot  uint32 // in the layout
	first uint32 // first record, microseconds after the epoch's start
	Taken uint32 // records of it that were taken as evidence
	_     uint32
	age   [2]float64 // of UpTo1s: Σ packets·age, and ·age², in seconds
	_     [4]uint64
}

// spanCount is what was told of flows of one span: two cache lines. The first has all that an
// unsampled record of TCP or UDP counts in.
type spanCount struct {
	rate  float64      // Σ packets / duration in seconds, at least one
	flows uint32       // records, whatever 5-tuples they have
	seen  uint32       // bitmap of the 5-tuples of sampled packets
	near  [3]flowCount // TCP, UDP, SYN

	noise  float64      // Σ N(N-1)·c: variance of packets that c samples of 1:N leave
	bnoise float64      // the same of bytes
	far    [3]flowCount // ICMP, Other, Frag
}

// of returns the counts of a class.
func (c *spanCount) of(class Class) *flowCount {
	switch class {
	case TCP, UDP:
		return &c.near[class&1]
	case SYN:
		return &c.near[2]
	case Frag:
		return &c.far[2]
	}
	return &c.far[class&1]
}

type flowCount struct{ packets, bytes uint64 }

func (c *flowCount) add(packets, bytes uint64) {
	c.packets, c.bytes = addSat(c.packets, packets), addSat(c.bytes, bytes)
}

// FlowOp is one count to be made: a record on one side of one host.
type FlowOp struct {
	Packets uint64 // multiplied by the sampling rate
	Bytes   uint64 // IP length, multiplied by the sampling rate
	Samples uint64 // packets as they were exported
	Rate    uint32 // N of 1:N
	Milli   uint32 // duration in milliseconds
	Age     uint32 // from the flow's last packet to its export, milliseconds; 0: not told
	Slot    uint32 // in the worker's table: even is incoming, odd outgoing
	Hash    uint32 // of the 5-tuple, seeded
	Group   uint16 // hostgroup
	Class   Class  // TCP, UDP, ICMP or Other
	Mark    uint8  // MarkSYN, MarkFrag, MarkSample, MarkFirstSYN
	Record  uint8  // index in the burst
	ahead   uint8  // lines of its FlowSlot to prefetch beside the first: aheadFar, aheadAge
	at      uint32 // 1 + its FlowSlot
	line    uint32 // 1 + the first line that it counts in, of all FlowSlots'
}

// Lines that a FlowOp counts in beside the first of its span.
const (
	aheadFar = 1 << iota // the second of its span
	aheadAge             // the last of its FlowSlot
)

// Marks of a FlowOp beside MarkSYN, all packets, and MarkFrag.
const (
	MarkSample   = 1 << (iota + 3) // a sampled packet: a 5-tuple is no flow of its own
	MarkFirstSYN                   // one packet of the flow is a SYN
)

// Lines of 64 bytes in a FlowSlot, and of one span in it.
const (
	flowSlotLines = 9
	spanLines     = 2
)

// PrefetchFlowIndex asks for what PrefetchFlowSlots will read.
func (t *Table) PrefetchFlowIndex(ops []FlowOp) {
	if len(ops) > 0 {
		prefetchFlowIndex(&t.flowIndex[0], ops)
	}
}

// PrefetchFlowSlots asks for the lines that CountFlows will touch.
func (t *Table) PrefetchFlowSlots(ops []FlowOp) {
	if len(ops) == 0 {
		return
	}
	for i := range ops {
		op := &ops[i]
		op.at, op.line, op.ahead = t.flowIndex[op.Slot], 0, 0
		if op.at == 0 {
			continue
		}
		span := SpanOf(op.Milli)
		op.line = 1 + (op.at-1)*flowSlotLines + spanLines*uint32(span)
		if op.Rate > 1 || op.Class > UDP || op.Mark&MarkFrag != 0 {
			op.ahead = aheadFar
		}
		if span == UpTo1s && op.Age > 0 {
			op.ahead |= aheadAge
		}
	}
	prefetchFlowSlots(&t.flowSlots[0], ops)
}

// CountFlows makes ops that arrived at now, nanoseconds since 1970 UTC. Those that find no slot
// left are counted in Stats.Exports.Unslotted. The slots should have been prefetched.
func (t *Table) CountFlows(ops []FlowOp, now int64) {
	for i := range ops {
		op := &ops[i]
		if op.at == 0 {
			if op.at = t.takeFlowSlot(op.Slot, now); op.at == 0 {
				t.Stats.Exports.Unslotted++
				continue
			}
		}
		t.countFlow(op)
	}
}

// takeFlowSlot gives slot a FlowSlot, unless it got one from an op just before; 0 when there is
// none left.
func (t *Table) takeFlowSlot(slot uint32, now int64) uint32 {
	if at := t.flowIndex[slot]; at != 0 {
		return at
	}
	if int(t.flowUsed) == len(t.flowSlots) {
		return 0
	}
	s := &t.flowSlots[t.flowUsed]
	t.flowUsed++
	s.slot = slot
	s.first = uint32(max(0, min(now-t.Start, 1<<42)) / 1000)
	t.flowIndex[slot] = t.flowUsed
	return t.flowUsed
}

// FlowSlot returns where op was counted; nil when it found no room. Valid until the table is
// merged.
func (t *Table) FlowSlot(op *FlowOp) *FlowSlot {
	if op.at == 0 {
		return nil
	}
	return &t.flowSlots[op.at-1]
}

// countFlow counts op in its FlowSlot. A method of that would look at its first line to see whether
// it is there, and the line may be in no cache.
func (t *Table) countFlow(op *FlowOp) {
	s := &t.flowSlots[op.at-1]
	span := SpanOf(op.Milli)
	c := &s.spans[span&3]
	packets, bytes := op.Packets, op.Bytes
	perSecond := 1000 / float64(max(op.Milli, 1000))
	if span == UpTo1s && op.Age > 0 {
		age, weight := float64(op.Age)/1000, float64(packets)
		s.age[0] += weight * age
		s.age[1] += weight * age * age
	} else if op.Milli > Spread*1000 {
		part := Spread * perSecond
		packets, bytes = part64(packets, part), part64(bytes, part)
	}
	c.of(op.Class&3).add(packets, bytes)
	if op.Mark&(MarkSYN|MarkFirstSYN|MarkFrag) != 0 {
		c.mark(op, packets, bytes)
	}
	c.rate += float64(op.Packets) * perSecond
	if op.Rate > 1 {
		c.addNoise(op)
	}
	if op.Mark&MarkSample != 0 {
		c.seen |= 1 << (op.Hash % inlineBits)
	} else {
		c.flows++
	}
}

func (c *flowCount) addScaled(f *flowCount, scale float64) {
	if scale == 1 {
		c.add(f.packets, f.bytes)
	} else {
		c.add(scaled(f.packets, scale), scaled(f.bytes, scale))
	}
}

func (c *spanCount) mark(op *FlowOp, packets, bytes uint64) {
	switch {
	case op.Mark&MarkSYN != 0:
		c.near[2].add(packets, bytes)
	case op.Mark&MarkFirstSYN != 0 && op.Samples > 0:
		c.near[2].add(uint64(op.Rate), op.Bytes/op.Samples)
	}
	if op.Mark&MarkFrag != 0 {
		c.far[2].add(packets, bytes)
	}
}

// addNoise adds the variance that sampling leaves: c samples of 1:N estimate N·c packets with
// variance N(N-1)·c (binomial), and bytes by the mean square of their sizes. Of a flow's packets
// only the mean size is known.
func (c *spanCount) addNoise(op *FlowOp) {
	n, samples := float64(op.Rate), float64(max(1, op.Samples))
	c.noise += n * (n - 1) * samples
	bytes := float64(op.Bytes)
	c.bnoise += bytes * bytes / samples * (1 - 1/n)
}

// Heat returns packets per second that the slot's flows of op's span had while they went on.
func (s *FlowSlot) Heat(op *FlowOp) float64 { return s.spans[SpanOf(op.Milli)&3].rate }

// add adds what o counted.
func (c *spanCount) add(o *spanCount, scale float64) {
	for k := range c.near {
		c.near[k].addScaled(&o.near[k], scale)
		c.far[k].addScaled(&o.far[k], scale)
	}
	c.rate += o.rate * scale
	c.noise += o.noise * scale
	c.bnoise += o.bnoise * scale
	c.flows += o.flows
	c.seen |= o.seen
}

// FlowSum is what a view's exporters told of one host in one direction since the last Reset, in
// one span.
type FlowSum struct {
	Packets, Bytes [NumClasses]uint64
	Seconds        float64 // mean duration, weighted by what each second had; see Told.Sum
	Noise, BNoise  float64 // variance of all packets and bytes
	Flows          uint64
	Sampled        uint64 // flows that sampled packets were of, a lower bound
}

// Total returns packets and bytes of all classes.
func (f *FlowSum) Total() (packets, bytes uint64) { return total(&f.Packets, &f.Bytes) }

func total(packets, bytes *[NumClasses]uint64) (p, b uint64) {
	for c := TCP; c <= Other; c++ {
		p, b = addSat(p, packets[c]), addSat(b, bytes[c])
	}
	return p, b
}

func (c *spanCount) has() bool { return c.rate != 0 || c.flows|c.seen != 0 }

// reset empties s: of its nine lines most are empty already.
func (s *FlowSlot) reset() {
	for i := range s.spans {
		if c := &s.spans[i]; c.has() {
			*c = spanCount{}
		}
	}
	s.slot, s.first, s.Taken, s.age = 0, 0, 0, [2]float64{}
}

// sum returns what was told of flows of that span; age is FlowSlot's.
func (c *spanCount) sum(span Span, age *[2]float64) (f FlowSum) {
	f = FlowSum{
		Noise: c.noise, BNoise: c.bnoise, Flows: uint64(c.flows),
		Sampled: inlineFlows[bits.OnesCount32(c.seen)],
	}
	var packets uint64
	for k := range NumClasses {
		n := c.of(k)
		f.Packets[k], f.Bytes[k] = n.packets, n.bytes
		if k <= Other {
			packets = addSat(packets, n.packets)
		}
	}
	switch {
	case packets == 0:
	case span == UpTo1s: // as wide as the uniform distribution of the same variance
		mean := age[0] / float64(packets)
		f.Seconds = min(math.Sqrt(12*max(0, age[1]/float64(packets)-mean*mean)), Spread)
	case c.rate > 0:
		f.Seconds = min(float64(packets)/c.rate, Spread)
	}
	return f
}

func addSat(a, b uint64) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	return sum | -carry
}

// part64 returns that part of v, 0 to 1.
func part64(v uint64, part float64) uint64 { return uint64(float64(v)*part + 0.5) }
