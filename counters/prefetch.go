package counters

// Prefetch asks for the slots that Count will touch, so that a burst's misses overlap with work
// and with one another.
func (t *Table) Prefetch(ops []Op) {
	if len(ops) > 0 {
		prefetchSlots(&t.slots[0], ops)
	}
}

// PrefetchFlows asks for the flow bitmaps that the slots of ops point to. The slots should have
// arrived: it reads them.
func (t *Table) PrefetchFlows(ops []Op) {
	if len(ops) > 0 {
		prefetchFlows(&t.slots[0], ops, &t.flows.small[0], &t.flows.big[0])
	}
}
