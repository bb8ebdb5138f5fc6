//go:build !amd64

package counters

// prefetchSlots loads a word of every slot: out-of-order cores overlap the misses of plain loads
// as well, only less far ahead.
func prefetchSlots(base *Slot, ops []Op) {}

// prefetchLines has no instruction to use here.
func prefetchLines([]*uint64) {}
