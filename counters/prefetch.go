package counters

// Prefetch asks for the cache lines that Count will touch, slots first, then the flow bitmaps that
// the slots point to: a burst's misses overlap instead of following one another.
func (t *Table) Prefetch(ops []Op) {
	if len(ops) == 0 {
		return
	}
	prefetchSlots(&t.slots[0], ops)
}

// PrefetchFlows asks for the flow bitmaps of ops whose slots have arrived.
func (t *Table) PrefetchFlows(ops []Op) {
	var lines [maxOps]*uint64
	n := 0
	for i := range ops {
		op := &ops[i]
		if s := &t.slots[op.Slot]; s.state&slabMask != 0 && n < maxOps {
			lines[n] = t.flowLine(s, op.Hash)
			n++
		}
	}
	if n > 0 {
		prefetchLines(lines[:n])
	}
}

// maxOps is the most counts that a burst makes: 64 frames, both sides ours.
const maxOps = 128
