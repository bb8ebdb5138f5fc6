package counters

import (
	"math"
	"math/bits"
)

// unions are flow bitmaps united over tables: per union an inline bitmap, and where a table had
// them a 1024-bit and a 4096-bit one, each at its own resolution.
type unions struct {
	small, big               []uint64
	refs                     []uint32 // unionRef words each
	used, usedSmall, usedBig uint32
}

// Words of a union's record in refs.
const (
	unionInline = iota
	unionSmall  // 1 + number of its small bitmap, or 0
	unionBig
	unionRef
)

func (u *unions) reset() {
	clear(u.small[:u.usedSmall*smallWords])
	clear(u.big[:u.usedBig*bigWords])
	clear(u.refs[:u.used*unionRef])
	u.used, u.usedSmall, u.usedBig = 0, 0, 0
}

// of returns the record of e's union, which e gets now if it has none; nil when there is no room.
func (u *unions) of(e *Entry) []uint32 {
	if e.flags&entryUnion == 0 {
		if int(u.used+1)*unionRef > len(u.refs) {
			e.flags |= entryLow
			return nil
		}
		inline := e.flow
		e.flow = u.used
		u.used++
		e.flags |= entryUnion
		u.refs[e.flow*unionRef+unionInline] = inline
	}
	return u.refs[e.flow*unionRef:][:unionRef]
}

// unite adds the flows of slot s of t to e.
func (g *Merger) unite(e *Entry, t *Table, s *Slot) {
	u := &g.unions
	ref := u.of(e)
	if ref == nil {
		return
	}
	num := s.flow & slabRefMask
	switch {
	case s.state&flagBig != 0:
		u.addBig(e, ref, t.flows.big[num*bigWords:][:bigWords])
		if before := t.flows.before[num]; before != 0 {
			u.addSmall(e, ref, t.flows.small[(before-1)*smallWords:][:smallWords])
			ref[unionInline] |= t.flows.inline[before-1]
		}
	case s.state&flagSmall != 0:
		u.addSmall(e, ref, t.flows.small[num*smallWords:][:smallWords])
		ref[unionInline] |= t.flows.inline[num]
	default:
		ref[unionInline] |= s.flow
	}
}

// take adds the flows of an entry of another merger to e.
func (u *unions) take(e *Entry, other *unions, from *Entry) {
	if (e.flags|from.flags)&entryUnion == 0 {
		e.flow |= from.flow
		return
	}
	ref := u.of(e)
	if ref == nil {
		return
	}
	if from.flags&entryUnion == 0 {
		ref[unionInline] |= from.flow
		return
	}
	theirs := other.refs[from.flow*unionRef:][:unionRef]
	ref[unionInline] |= theirs[unionInline]
	if at := theirs[unionSmall]; at != 0 {
		u.addSmall(e, ref, other.small[(at-1)*smallWords:][:smallWords])
	}
	if at := theirs[unionBig]; at != 0 {
		u.addBig(e, ref, other.big[(at-1)*bigWords:][:bigWords])
	}
}

func (u *unions) addSmall(e *Entry, ref []uint32, from []uint64) {
	if ref[unionSmall] == 0 {
		if int(u.usedSmall+1)*smallWords > len(u.small) {
			e.flags |= entryLow
			return
		}
		u.usedSmall++
		ref[unionSmall] = u.usedSmall
	}
	to := u.small[(ref[unionSmall]-1)*smallWords:][:smallWords]
	for i, w := range from {
		to[i] |= w
	}
}

func (u *unions) addBig(e *Entry, ref []uint32, from []uint64) {
	if ref[unionBig] == 0 {
		if int(u.usedBig+1)*bigWords > len(u.big) {
			e.flags |= entryLow
			return
		}
		u.usedBig++
		ref[unionBig] = u.usedBig
	}
	to := u.big[(ref[unionBig]-1)*bigWords:][:bigWords]
	for i, w := range from {
		to[i] |= w
	}
}

// Flows returns the estimated number of distinct 5-tuples of e, and whether it is only a lower
// bound: the bitmaps ran out, grew during the epoch, or packets were not seen.
func (g *Merger) Flows(e *Entry) (n uint64, atLeast bool) {
	atLeast = e.flags&entryLow != 0
	if g.told != nil {
		return g.told[e.flow].flows, atLeast
	}
	if e.flags&entryUnion == 0 {
		return inlineFlows[bits.OnesCount32(e.flow)], atLeast
	}
	u := &g.unions
	ref := u.refs[e.flow*unionRef:][:unionRef]
	var small, big []uint64
	if at := ref[unionSmall]; at != 0 {
		small = u.small[(at-1)*smallWords:][:smallWords]
	}
	if at := ref[unionBig]; at != 0 {
		big = u.big[(at-1)*bigWords:][:bigWords]
	}
	set := coarseOnly(ref[unionInline], small, big)
	switch {
	case big != nil:
		for _, w := range big {
			set += bits.OnesCount64(w)
		}
		return linear(set, bigBits), atLeast
	case small != nil:
		for _, w := range small {
			set += bits.OnesCount64(w)
		}
		return linear(set, smallBits), atLeast
	}
	return inlineFlows[set], atLeast
}

// coarseOnly counts the bits of coarser bitmaps that no bit of a finer one refines: flows that
// were seen only before a bitmap grew, or only on another worker.
func coarseOnly(inline uint32, small, big []uint64) (n int) {
	if small == nil && big == nil {
		return bits.OnesCount32(inline)
	}
	for ; inline != 0; inline &= inline - 1 {
		at := bits.TrailingZeros32(inline)
		if !anySet(small, at*perInline, perInline) && !anySet(big, at*perInline*perSmall,
			perInline*perSmall) {
			n++
		}
	}
	if big == nil {
		return n
	}
	for i, w := range small {
		for ; w != 0; w &= w - 1 {
			if !anySet(big, (i*64+bits.TrailingZeros64(w))*perSmall, perSmall) {
				n++
			}
		}
	}
	return n
}

// anySet reports whether any of n bits from bit at is set; n is at most 64 or a multiple of it,
// and the range lies in whole words or in one.
func anySet(words []uint64, at, n int) bool {
	if words == nil {
		return false
	}
	if n < 64 {
		return words[at/64]>>(at%64)&(1<<n-1) != 0
	}
	for _, w := range words[at/64 : (at+n)/64] {
		if w != 0 {
			return true
		}
	}
	return false
}

// linear returns the estimate for set bits out of m; a full bitmap counts as one short of it.
func linear(set, m int) uint64 {
	zeros := max(1, m-set)
	return uint64(float64(m)*math.Log(float64(m)/float64(zeros)) + 0.5)
}

// inlineFlows is linear for the inline bitmap.
var inlineFlows = func() (t [inlineBits + 1]uint64) {
	for set := range t {
		t[set] = linear(set, inlineBits)
	}
	return t
}()
