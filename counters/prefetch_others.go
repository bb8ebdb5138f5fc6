//go:build !amd64 && !arm64

package counters

// Elsewhere the core's own out-of-order reach has to do.
func prefetchSlots(*Slot, []Op) {}

func prefetchBitmaps(*Slot, []Op, *uint64, *uint64, *uint64) {}

func prefetchBuckets(*uint64, []Sought, uint32) {}

func prefetchFlowIndex(*uint32, []FlowOp) {}

func prefetchFlowSlots(*FlowSlot, []FlowOp) {}

func prefetchEntries(*Entry, []uint32) {}

func prefetchTold(*Told, []uint32) {}

func prefetchSlab(*uint64) {}
