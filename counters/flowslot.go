package counters

import (
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

// SpanOf returns the class of a duration in milliseconds.
func SpanOf(ms uint64) Span {
	switch {
	case ms <= 1000:
		return UpTo1s
	case ms <= 8000:
		return UpTo8s
	case ms <= 64000:
		return UpTo64s
	}
	return Longer
}

// FlowSlot counts one host in one direction during one epoch, by what exporters tell of it: 520
// bytes. Packets and bytes are multiplied by the sampling rate, and saturate.
type FlowSlot struct {
	packets [NumSpans][NumClasses]uint64
	bytes   [NumSpans][NumClasses]uint64
	rate    [NumSpans]float64 // Σ packets / duration in seconds
	noise   [NumSpans]float64 // Σ N(N-1)·c: variance of packets that c samples of 1:N leave
	bnoise  [NumSpans]float64 // the same of bytes
	flows   [NumSpans]uint32
	slot    uint32 // in the layout
	first   uint32 // first record, microseconds after the epoch's start
	seen    uint32 // bitmap of the 5-tuples of sampled packets
	Taken   uint32 // records of it that were taken as evidence
	heat    [2]float32
}

// FlowOp is one count to be made: a record on one side of one host.
type FlowOp struct {
	Packets uint64 // multiplied by the sampling rate
	Bytes   uint64 // IP length, multiplied by the sampling rate
	Samples uint64 // packets as they were exported
	Rate    uint32 // N of 1:N
	Milli   uint32 // duration in milliseconds
	Slot    uint32 // in the worker's table: even is incoming, odd outgoing
	Hash    uint32 // of the 5-tuple, seeded
	Group   uint16 // hostgroup
	Class   Class  // TCP, UDP, ICMP or Other
	Mark    uint8  // MarkSYN, MarkFrag, MarkSample, MarkFirstSYN
	Record  uint8  // index in the burst
	at      uint32 // 1 + its FlowSlot
}

// Marks of a FlowOp beside MarkSYN, all packets, and MarkFrag.
const (
	MarkSample   = 1 << (iota + 3) // a sampled packet: a 5-tuple is no flow of its own
	MarkFirstSYN                   // one packet of the flow is a SYN
)

// CountFlows makes ops that arrived at now, nanoseconds since 1970 UTC. Those that find no slot
// left are counted in Stats.Exports.Unslotted.
func (t *Table) CountFlows(ops []FlowOp, now int64) {
	for i := range ops { // independent loads: their misses overlap
		ops[i].at = t.flowIndex[ops[i].Slot]
	}
	for i := range ops {
		op := &ops[i]
		if op.at == 0 {
			if op.at = t.takeFlowSlot(op.Slot, now); op.at == 0 {
				t.Stats.Exports.Unslotted++
				continue
			}
		}
		t.flowSlots[op.at-1].count(op)
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

func (s *FlowSlot) count(op *FlowOp) {
	span := SpanOf(uint64(op.Milli))
	packets, bytes := op.Packets, op.Bytes
	if span == Longer && op.Milli > Spread*1000 {
		part := Spread * 1000 / float64(op.Milli)
		packets, bytes = part64(packets, part), part64(bytes, part)
	}
	c := op.Class & 3
	p, b := &s.packets[span], &s.bytes[span]
	p[c], b[c] = addSat(p[c], packets), addSat(b[c], bytes)
	if op.Mark&(MarkSYN|MarkFirstSYN|MarkFrag) != 0 {
		s.countMarked(op, span, packets, bytes)
	}
	perSecond := 1000 / float64(max(op.Milli, 1000))
	s.rate[span] += float64(op.Packets) * perSecond
	s.heat[0] += float32(float64(op.Packets) * perSecond)
	s.heat[1] += float32(float64(op.Bytes) * perSecond)
	if op.Rate > 1 {
		s.addNoise(op, span)
	}
	if op.Mark&MarkSample != 0 {
		s.seen |= 1 << (op.Hash % inlineBits)
	} else {
		s.flows[span]++
	}
}

func (s *FlowSlot) countMarked(op *FlowOp, span Span, packets, bytes uint64) {
	p, b := &s.packets[span], &s.bytes[span]
	switch {
	case op.Mark&MarkSYN != 0:
		p[SYN], b[SYN] = addSat(p[SYN], packets), addSat(b[SYN], bytes)
	case op.Mark&MarkFirstSYN != 0 && op.Samples > 0:
		p[SYN] = addSat(p[SYN], uint64(op.Rate))
		b[SYN] = addSat(b[SYN], op.Bytes/op.Samples)
	}
	if op.Mark&MarkFrag != 0 {
		p[Frag], b[Frag] = addSat(p[Frag], packets), addSat(b[Frag], bytes)
	}
}

// addNoise adds the variance that sampling leaves: c samples of 1:N estimate N·c packets with
// variance N(N-1)·c (binomial), and bytes by the mean square of their sizes. Of a flow's packets
// only the mean size is known.
func (s *FlowSlot) addNoise(op *FlowOp, span Span) {
	n, c := float64(op.Rate), float64(max(1, op.Samples))
	s.noise[span] += n * (n - 1) * c
	bytes := float64(op.Bytes)
	s.bnoise[span] += bytes * bytes / c * (1 - 1/n)
}

// Heat returns packets and bytes per second that the slot's flows had while they went on.
func (s *FlowSlot) Heat() (packets, bytes float32) { return s.heat[0], s.heat[1] }

// add adds what o counted.
func (s *FlowSlot) add(o *FlowSlot, scale float64) {
	for span := range NumSpans {
		for c := range NumClasses {
			s.packets[span][c] = addSat(s.packets[span][c], scaled(o.packets[span][c], scale))
			s.bytes[span][c] = addSat(s.bytes[span][c], scaled(o.bytes[span][c], scale))
		}
		s.rate[span] += o.rate[span] * scale
		s.noise[span] += o.noise[span] * scale
		s.bnoise[span] += o.bnoise[span] * scale
		s.flows[span] += o.flows[span]
	}
	s.seen |= o.seen
}

// FlowSum is what a view's exporters told of one host in one direction since the last Reset, in
// one span.
type FlowSum struct {
	Packets, Bytes [NumClasses]uint64
	Seconds        float64 // mean duration, weighted by what each second had; at most Spread
	Noise, BNoise  float64 // variance of all packets and bytes
	Flows          uint64
}

// Sum returns what was told of flows of that span.
func (s *FlowSlot) Sum(span Span) (f FlowSum) {
	f = FlowSum{
		Packets: s.packets[span], Bytes: s.bytes[span],
		Noise: s.noise[span], BNoise: s.bnoise[span], Flows: uint64(s.flows[span]),
	}
	if s.rate[span] > 0 {
		p, _ := total(&f.Packets, &f.Bytes)
		f.Seconds = min(float64(p)/s.rate[span], Spread)
	}
	return f
}

// Sampled returns an estimate of the flows that sampled packets were of, a lower bound.
func (s *FlowSlot) Sampled() uint64 { return inlineFlows[bits.OnesCount32(s.seen)] }

func total(packets, bytes *[NumClasses]uint64) (p, b uint64) {
	for c := TCP; c <= Other; c++ {
		p, b = addSat(p, packets[c]), addSat(b, bytes[c])
	}
	return p, b
}

func addSat(a, b uint64) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	return sum | -carry
}

// part64 returns that part of v, 0 to 1.
func part64(v uint64, part float64) uint64 { return uint64(float64(v)*part + 0.5) }
