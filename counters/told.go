package counters

// Told is what a view's flow exporters told of one host in one direction since the last Reset,
// and what that means for the second at hand: flows are told when they end, and Second, which
// Merger.SetSecond takes, is what was on the wire. Nine cache lines, of which the first says which
// of the others mean anything.
type Told struct {
	noise Noise
	flows uint64
	age   [2]float64 // as FlowSlot's
	has   [NumSpans]bool
	_     uint32
	spans [NumSpans]spanCount // of those that it has; the others are of some time before
}

// Has reports whether anything was told of flows of that span.
func (t *Told) Has(span Span) bool { return t.has[span&3] }

// Sum returns what was told of flows of a span that t has. Seconds is at most Spread. Of UpTo1s it
// is the time in which the flows ended: exporters that look through their cache every so often tell
// of flows together that were not there together.
func (t *Told) Sum(span Span) FlowSum { return t.spans[span&3].sum(span, &t.age) }

// clear empties t.
func (t *Told) clear() {
	t.noise, t.flows, t.age, t.has = Noise{}, 0, [2]float64{}, [NumSpans]bool{}
}

// add adds what s counted.
func (t *Told) add(s *FlowSlot, scale float64) {
	t.age[0] += s.age[0] * scale
	t.age[1] += s.age[1] * scale
	for i := range s.spans {
		if from := &s.spans[i]; from.has() {
			t.addSpan(Span(i), from, scale)
		}
	}
}

// take adds what another merger's o has.
func (t *Told) take(o *Told) {
	t.age[0] += o.age[0]
	t.age[1] += o.age[1]
	for i := range o.spans {
		if o.has[i] {
			t.addSpan(Span(i), &o.spans[i], 1)
		}
	}
}

func (t *Told) addSpan(span Span, from *spanCount, scale float64) {
	to, has := &t.spans[span&3], &t.has[span&3]
	if !*has {
		*has = true
		if scale == 1 {
			*to = *from
			return
		}
		*to = spanCount{}
	}
	to.add(from, scale)
}

// Second is one host's traffic in one second in one direction.
type Second struct {
	Packets, Bytes [NumClasses]uint64
	Flows          uint64
	AtLeast        bool // Flows is a lower bound: packets were sampled
	Noise          Noise
}

// Total returns packets and bytes of all classes.
func (s *Second) Total() (packets, bytes uint64) { return total(&s.Packets, &s.Bytes) }

// Noise is how far sampling may be off: variances of what was sampled in the second itself, and
// standard deviations of what was sampled before, whose errors stay the same from second to
// second.
type Noise struct {
	Packets, Bytes         float64
	HeldPackets, HeldBytes float64
}

func (l *Layout) toldBytes() uint64 {
	if l.FlowSlots == 0 {
		return 0
	}
	return sizeOf[Told](l.mergedEntries())
}

// addFlows adds the flow slots of t, and clears it.
func (g *Merger) addFlows(t *Table, offset uint32, scale float64) {
	net := 0
	for i := range t.flowSlots[:t.flowUsed] {
		s := &t.flowSlots[i]
		if e := g.entry(t, s.slot, &net); e != nil {
			if first := offset + s.first; e.first == 0 || first+1 < e.first {
				e.first = first + 1
			}
			g.told[e.flow].add(s, scale)
		} else {
			g.Overflow++
		}
		t.flowIndex[s.slot] = 0
		s.reset() // now that it is near
	}
	t.flowUsed = 0
	t.Clear()
}

// Told returns what the exporters told of e; of flow records alone.
func (g *Merger) Told(e *Entry) *Told { return &g.told[e.flow] }

// At returns entry i in order of appearance, whatever Sort does. It is valid until Reset.
func (g *Merger) At(i int) *Entry { return &g.entries[i] }

// Make returns the entry of a host, made now if it has none; nil when there is no room. slot and
// direct are as Layout.Slot returns them.
func (g *Merger) Make(key Key, slot uint32, direct, outgoing bool) *Entry {
	direction := uint32(0)
	if outgoing {
		direction = 1
	}
	net := 0
	if direct {
		return g.entry(nil, slot+direction, &net)
	}
	return g.listedEntry(key, direction)
}

// SetSecond makes s what e counted in this second.
func (g *Merger) SetSecond(e *Entry, s *Second) {
	e.packets, e.bytes = s.Packets, s.Bytes
	if s.AtLeast {
		e.flags |= entryLow
	}
	told := &g.told[e.flow]
	told.noise, told.flows = s.Noise, s.Flows
}

// Noise returns how far sampling may be off in e's second; zero where nothing was sampled.
func (g *Merger) Noise(e *Entry) Noise {
	if g.told == nil {
		return Noise{}
	}
	return g.told[e.flow].noise
}

// Place returns what Make takes for e's host.
func (g *Merger) Place(e *Entry) (slot uint32, direct bool) {
	return e.slot &^ 1, e.flags&entryListed == 0
}
