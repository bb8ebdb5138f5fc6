//go:build amd64 || arm64

package counters

// prefetchSlots prefetches base[op.Line] for every op.
//
// The assembly of this file knows Op (20 bytes; Line first, Hash second), Slot (64 bytes; flow at
// 48, state at 60), Sought (32 bytes; Hash at 16), FlowOp (64 bytes; Slot at 36, ahead at 49, line
// at 56), Entry (128 bytes), Told (576 bytes), the slab flags and sizes: TestPrefetchLayout holds
// it to them.
//
//go:noescape
func prefetchSlots(base *Slot, ops []Op)

// prefetchBitmaps prefetches, for every op, the word of active that its slot has a bit in if the
// slot was not seen yet, and the word of small or big that its flow falls into if it has a slab.
//
//go:noescape
func prefetchBitmaps(base *Slot, ops []Op, active, small, big *uint64)

// prefetchBuckets prefetches the 16 tags of the bucket, Hash under mask, of all that is sought.
//
//go:noescape
func prefetchBuckets(tags *uint64, sought []Sought, mask uint32)

// prefetchFlowIndex prefetches index[op.Slot] for every op.
//
//go:noescape
func prefetchFlowIndex(index *uint32, ops []FlowOp)

// prefetchFlowSlots prefetches, for every op with a line, that and those that ahead names, of the
// FlowSlots from base on.
//
//go:noescape
func prefetchFlowSlots(base *FlowSlot, ops []FlowOp)

// prefetchEntries prefetches base[i] for every i of order.
//
//go:noescape
func prefetchEntries(base *Entry, order []uint32)

// prefetchTold prefetches the first line of base[i] for every i of order.
//
//go:noescape
func prefetchTold(base *Told, order []uint32)

// prefetchSlab prefetches the 1024 bits of a small slab.
//
//go:noescape
func prefetchSlab(slab *uint64)
