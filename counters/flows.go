package counters

import (
	"math"
	"math/bits"
)

// The flow estimate is linear counting (Whang, Vander-Zanden, Taylor 1990): a bit per hashed
// 5-tuple, and n ≈ m·ln(m/zeros). A slot starts with 32 bits inline, takes a slab of 1024 bits
// above flowMarks.inlineFull set bits and one of 4096 above smallFull. Positions nest: the upper
// bits of a 4096-bit position are its 1024-bit position, and of that its inline position, so that
// bitmaps of different sizes can be merged without counting a flow twice.
const (
	inlineBits = 32
	smallBits  = 1024
	smallWords = smallBits / 64
	bigBits    = 4096
	bigWords   = bigBits / 64
	perSmall   = bigBits / smallBits    // big positions in a small one
	perInline  = smallBits / inlineBits // small positions in an inline one

	slabRefBits = 18 // a slab's number beside its count of set bits in Slot.flow
	slabRefMask = 1<<slabRefBits - 1
	bigFull     = bigBits - bigBits/64 // above: the estimate has no room left
)

// flowSlabs are the flow bitmaps of one table, handed out from the front.
type flowSlabs struct {
	small     []uint64 // smallWords each
	big       []uint64
	inline    []uint32 // per small slab: the inline bitmap that it took over from
	before    []uint32 // per big slab: 1 + the small slab that it took over from, or 0
	usedSmall uint32
	usedBig   uint32
	flowMarks
	exhausted uint64 // times that no slab was left
}

// flowMarks are the set bits at which a slot's flow state changes size.
type flowMarks struct {
	inlineFull int    // inline, above: take a small slab
	smallFull  uint32 // small, above: take a big one
	keepBig    uint32 // big, at least: start the next epoch with a big one
}

// newFlowMarks returns the marks for tables of which those of so many workers are united: each
// bitmap must leave room for the others' flows. One worker fills half of an inline bitmap and
// three quarters of a small one.
func newFlowMarks(workers int) flowMarks {
	flows := smallBits * math.Log(4) / float64(workers)
	full := func(flows float64, bits float64) uint32 {
		return uint32(bits * (1 - math.Exp(-flows/bits)))
	}
	return flowMarks{
		inlineFull: max(3, inlineBits/2/workers), // never below: a spray must not take slabs
		smallFull:  full(flows, smallBits),
		keepBig:    full(flows*3/4, bigBits),
	}
}

// nextState keeps what the worker should know of a host in the table's next epoch: the size of
// flow bitmap that it will need from the first packet on.
func (f *flowMarks) nextState(s *Slot) uint32 {
	set := s.flow >> slabRefBits
	switch {
	case s.state&flagBig != 0 && set >= f.keepBig:
		return preBig
	case s.state&slabMask != 0 && int(set) > f.inlineFull:
		return preSmall
	}
	return 0
}

// addFlow notes the flow with hash h in a slot that has no slab.
func (t *Table) addFlow(s *Slot, h uint32) {
	pos := h & (bigBits - 1)
	switch {
	case s.state&(preSmall|preBig) != 0:
		t.presize(s)
		if s.state&slabMask != 0 {
			t.addSlabFlow(s, h)
			return
		}
		fallthrough
	default:
		s.flow |= 1 << (pos / (perSmall * perInline))
		if bits.OnesCount32(s.flow) > t.flows.inlineFull && s.state&flagLow == 0 {
			t.growSmall(s, s.flow)
		}
	}
}

// addSlabFlow notes the flow with hash h in a slot that has a slab.
func (t *Table) addSlabFlow(s *Slot, h uint32) {
	pos := h & (bigBits - 1)
	ref := s.flow & slabRefMask
	if s.state&flagBig != 0 {
		s.flow += set(&t.flows.big[ref*bigWords+pos/64], pos) << slabRefBits
		if s.flow>>slabRefBits > bigFull {
			s.state |= flagLow
		}
		return
	}
	pos /= perSmall
	s.flow += set(&t.flows.small[ref*smallWords+pos/64], pos) << slabRefBits
	if s.flow>>slabRefBits > t.flows.smallFull {
		t.growBig(s, ref+1)
	}
}

// set sets bit pos%64 of w, and returns 1 if it was not set. Whether it was is what no branch
// predictor knows.
func set(w *uint64, pos uint32) uint32 {
	before := *w
	*w = before | 1<<(pos%64)
	return uint32(^before >> (pos % 64) & 1)
}

// presize gives a slot of a host that needed a slab in an earlier epoch one from its first
// packet on, so that no flow is noted at a coarser size first.
func (t *Table) presize(s *Slot) {
	big := s.state&preBig != 0
	s.state &^= keepMask
	if big {
		t.growBig(s, 0)
		s.state &^= flagLow // nothing came before: exact
	}
	if s.state&flagBig == 0 {
		t.growSmall(s, 0)
	}
}

// slabsAhead is how many slabs before its turn one is asked for: when an epoch begins, most hosts
// of the last take theirs within milliseconds.
const slabsAhead = 16

// growSmall moves a slot to a small slab; when none is left the slot says so and stays.
func (t *Table) growSmall(s *Slot, inline uint32) {
	f := &t.flows
	ref := f.usedSmall
	if int(ref) >= len(f.inline) {
		f.exhausted++
		s.state |= flagLow
		return
	}
	f.usedSmall++
	if next := (ref + slabsAhead) * smallWords; int(next) < len(f.small) {
		prefetchSlab(&f.small[next])
	}
	f.inline[ref] = inline
	s.flow = ref
	s.state |= flagSmall
}

// growBig moves a slot to a big slab. Flows noted only before stay in the small one, whose finer
// positions are unknown: the estimate of this epoch is a lower bound.
func (t *Table) growBig(s *Slot, before uint32) {
	f := &t.flows
	ref := f.usedBig
	s.state |= flagLow
	if int(ref) >= len(f.before) {
		f.exhausted++
		return
	}
	f.usedBig++
	f.before[ref] = before
	s.flow = ref
	s.state = s.state&^flagSmall | flagBig
}

// reset empties the slabs that were handed out.
func (f *flowSlabs) reset() {
	clear(f.small[:f.usedSmall*smallWords])
	clear(f.big[:f.usedBig*bigWords])
	f.usedSmall, f.usedBig, f.exhausted = 0, 0, 0
}
