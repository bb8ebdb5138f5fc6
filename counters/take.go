package counters

// Take adds to g, which is empty, what other, of another layout, has merged since its Reset: the
// second goes on under the new layout. Hosts that are no longer at home are left out; counts of an
// aggregate whose hosts now have slots of their own belong to none of them, and are left out too.
// It returns the packets of what was left out.
func (g *Merger) Take(other *Merger) (left uint64) {
	g.Start = other.Start
	for i := range other.n {
		from := &other.entries[i]
		e := g.home(from)
		if e == nil {
			packets, _ := from.Total()
			left += packets
			continue
		}
		for c := range from.packets {
			e.packets[c] += from.packets[c]
			e.bytes[c] += from.bytes[c]
		}
		if e.first == 0 || from.first < e.first {
			e.first = from.first
		}
		e.flags |= from.flags & (entryLow | entryWarm)
		if g.told != nil {
			g.told[e.flow].take(&other.told[from.flow])
			continue
		}
		g.unions.take(e, &other.unions, from)
	}
	return left
}

// home returns g's entry for what an entry of another layout stands for; nil when there is none.
func (g *Merger) home(from *Entry) *Entry {
	slot, direct, ok := g.layout.Slot(from.Key.Addr())
	direction := from.slot & 1
	switch {
	case !ok || direct && from.Aggregate():
		return nil
	case direct || from.Aggregate():
		net := 0
		return g.entry(nil, slot+direction, &net)
	}
	return g.listedEntry(from.Key, direction)
}
