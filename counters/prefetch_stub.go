//go:build amd64 || arm64

package counters

// prefetchSlots prefetches base[op.Slot] for every op.
//
// The assembly of this file knows Op (20 bytes; Slot first, Hash second) and Slot (64 bytes; flow
// at 48, state at 60), the slab flags and sizes: TestPrefetchLayout holds it to them.
//
//go:noescape
func prefetchSlots(base *Slot, ops []Op)

// prefetchFlows prefetches the word of small or big that the flow of every op falls into, for
// slots that have a slab.
//
//go:noescape
func prefetchFlows(base *Slot, ops []Op, small, big *uint64)
