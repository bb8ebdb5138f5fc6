package counters

import "math/bits"

// Reserve makes an entry for every slot of t that is indexed by address: what several cores that
// merge t with AddShare at the same time could not agree on. Add follows.
func (g *Merger) Reserve(t *Table) {
	if t.Layout != g.layout {
		panic("BUG: counters.Merger.Reserve: table of another layout")
	}
	if g.layout.FlowSlots > 0 {
		return
	}
	net := 0
	reserve := func(i uint32) { g.entry(t, i, &net) }
	t.eachWord(func(w int) {
		if w < len(g.active) { // else of the directory
			out := w + wordsOfSide
			eachSlot(w, t.active[w]&^g.active[w], t.active[out]&^g.active[out], reserve)
		}
	})
}

// AddShare adds one share of t, the one with this number of so many of about the same size, as Add
// would: those slots that have an entry and need nothing that shares have in common. Add, which
// follows when all shares are done, adds what is left and clears t; scale is to be the same.
//
// Concurrency: different shares of one table may be added at the same time, after Reserve.
func (g *Merger) AddShare(t *Table, scale float64, number, shares int) {
	if g.layout.FlowSlots > 0 {
		return
	}
	offset := uint32(max(0, t.Start-g.Start) / 1000)
	words := len(g.active)
	for w := words * number / shares; w < words*(number+1)/shares; w++ {
		left := uint64(0)
		for word := t.active[w]; word != 0; word &= word - 1 {
			bit := bits.TrailingZeros64(word)
			if !g.addAlone(t, uint32(w*64+bit), offset, scale) {
				left |= 1 << bit
			}
		}
		if t.active[w] != left {
			t.active[w] = left
		}
	}
}

// addAlone adds the slot in a line of t and clears it if that takes no more than its own entry.
func (g *Merger) addAlone(t *Table, line, offset uint32, scale float64) bool {
	at := g.index[line]
	if at == 0 {
		return false
	}
	e, s := &g.entries[at-1], &t.slots[line]
	if s.state&slabMask != 0 || e.flags&entryUnion != 0 {
		return false
	}
	g.fold(e, t, s, offset, scale)
	*s = Slot{state: t.flows.nextState(s)}
	return true
}
