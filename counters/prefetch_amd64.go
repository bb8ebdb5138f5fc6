package counters

// prefetchSlots prefetches base[op.Slot] for every op. The assembly knows that an Op is 20 bytes
// with Slot first, and a Slot 64; TestPrefetchLayout holds it to that.
//
//go:noescape
func prefetchSlots(base *Slot, ops []Op)

// prefetchLines prefetches what each pointer points to.
//
//go:noescape
func prefetchLines(lines []*uint64)
