package counters

// Prefetch asks for the slots that Count will touch, so that a burst's misses overlap with work
// and with one another.
func (t *Table) Prefetch(ops []Op) {
	if len(ops) > 0 {
		prefetchSlots(&t.slots[0], ops)
	}
}

// PrefetchBitmaps asks for what Count and Touch need beside the slots of ops: flow bitmaps, and
// of new hosts the bitmap of the active. The slots should have arrived: it reads them.
func (t *Table) PrefetchBitmaps(ops []Op) {
	if len(ops) > 0 {
		prefetchBitmaps(&t.slots[0], ops, &t.active[0], &t.flows.small[0], &t.flows.big[0])
	}
}
