package counters

import (
	"fmt"
	"math/bits"
	"slices"
)

// Entry is what a view counted for one host, or one aggregate, in one direction since the last
// Reset: 128 bytes. Packets and bytes are scaled by what the caller of Add knows was not seen.
type Entry struct {
	Key     Key // an aggregate's is the first address of its prefix
	packets [NumClasses]uint64
	bytes   [NumClasses]uint64
	slot    uint32 // in the layout; of the directory: DirBase plus the direction
	first   uint32 // microseconds from Merger.Start to the first packet
	flow    uint32 // inline bitmap, or the number of a union; of flow records: the entry's number
	flags   uint32
}

const (
	entryUnion   = 1 << iota // flow is the number of a union
	entryLow                 // the flow estimate is a lower bound
	entryWarm                // above a fifth of a limit on some worker
	entryListed              // in the directory
	entryGrouped             // an aggregate
)

// Packets returns the packets of class c.
func (e *Entry) Packets(c Class) uint64 { return e.packets[c] }

// Bytes returns the bytes of class c.
func (e *Entry) Bytes(c Class) uint64 { return e.bytes[c] }

// Total returns packets and bytes of all classes.
func (e *Entry) Total() (packets, bytes uint64) {
	for c := TCP; c <= Other; c++ {
		packets += e.packets[c]
		bytes += e.bytes[c]
	}
	return packets, bytes
}

// Outgoing reports the direction.
func (e *Entry) Outgoing() bool { return e.slot&1 != 0 }

// Aggregate reports whether e stands for the hosts of a prefix that had no slot of their own.
func (e *Entry) Aggregate() bool { return e.flags&entryGrouped != 0 }

// Warm reports whether some worker saw the host above a fifth of its share of a limit.
func (e *Entry) Warm() bool { return e.flags&entryWarm != 0 }

// Merger adds retired tables of one view into entries, sorted by address.
//
// Concurrency: one goroutine. No method allocates after NewMerger.
type Merger struct {
	Start    int64  // time that Entry offsets count from, nanoseconds since 1970 UTC
	Overflow uint64 // slots that found no entry left since Reset

	layout  *Layout
	entries []Entry // in order of first appearance
	n       int
	index   []uint32 // line of a direct or aggregate slot → 1 + entry
	active  []uint64 // a bit per line that has an index
	hash    []uint32 // directory key and direction → 1 + entry; open addressing
	listed  int
	order   []uint32
	sorted  bool // entries[:n] are in order themselves
	unions  unions
	told    []Told // of flow records, by entry
}

// NewMerger returns an empty merger for tables of l out of m.
func NewMerger(m *Memory, l *Layout) (*Merger, error) {
	g := &Merger{layout: l, sorted: true}
	var errs [9]error
	capacity := l.mergedEntries()
	g.entries, errs[0] = alloc[Entry](m, capacity)
	g.order, errs[1] = alloc[uint32](m, capacity)
	g.index, errs[2] = alloc[uint32](m, uint64(l.DirBase))
	g.active, errs[3] = alloc[uint64](m, bitmapWords(l.DirBase))
	g.hash, errs[4] = alloc[uint32](m, l.hashCells())
	g.unions.small, errs[5] = alloc[uint64](m, uint64(l.Small)*smallWords)
	g.unions.big, errs[6] = alloc[uint64](m, uint64(l.Big)*bigWords)
	g.unions.refs, errs[7] = alloc[uint32](m, uint64(l.Small+l.Big)*unionRef)
	if l.FlowSlots > 0 {
		g.told, errs[8] = alloc[Told](m, capacity)
	}
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("make the merged table: %w", err)
		}
	}
	return g, nil
}

// mergedEntries is how many entries a merger holds: every direct slot, and the directories of
// two workers (they mostly list the same hosts).
func (l *Layout) mergedEntries() uint64 {
	if l.FlowSlots > 0 { // those of this second's records, and those whose flows of before go on
		return 2 * uint64(l.FlowSlots)
	}
	return uint64(l.DirBase) + slotsPerHost*uint64(l.Directory)*uint64(min(l.Workers, 2))
}

func (l *Layout) hashCells() uint64 {
	if l.Directory == 0 {
		return 0
	}
	if l.FlowSlots > 0 { // a power of two, as the directory's size is
		return 2 * slotsPerHost * max(uint64(l.Directory), 1<<bits.Len32(l.FlowSlots))
	}
	return 2 * slotsPerHost * uint64(l.Directory) * uint64(min(l.Workers, 2))
}

func (l *Layout) mergerBytes() uint64 {
	n := l.mergedEntries()
	return sizeOf[Entry](n) + sizeOf[uint32](n+uint64(l.DirBase)+l.hashCells()) +
		sizeOf[uint64](bitmapWords(l.DirBase)) +
		sizeOf[uint64](uint64(l.Small)*smallWords+uint64(l.Big)*bigWords) +
		sizeOf[uint32](uint64(l.Small+l.Big)*unionRef) + l.toldBytes()
}

// Reset empties the merger; offsets of entries count from start.
func (g *Merger) Reset(start int64) {
	g.forget()
	if g.listed > 0 {
		clear(g.hash)
	}
	g.unions.reset()
	g.n, g.listed, g.sorted, g.Overflow, g.Start = 0, 0, true, 0, start
}

// forget empties the index. Where much of it is in use its bitmap is walked instead of the entries,
// which are 30 times as large; add clears these.
func (g *Merger) forget() {
	if g.n < len(g.active)/8 {
		for i := range g.entries[:g.n] {
			if e := &g.entries[i]; e.flags&entryListed == 0 {
				line := Line(e.slot)
				g.index[line] = 0
				g.active[line/64] = 0
			}
		}
		return
	}
	for w, word := range g.active {
		if word != 0 {
			clear(g.index[w*64 : min(w*64+64, len(g.index))])
			g.active[w] = 0
		}
	}
}

// Add adds t, whose worker has acknowledged its successor, and clears it. Packets and bytes are
// multiplied by scale: what sampling and shedding left out, and nominal over true duration of a
// late table. A table of another layout is a bug.
func (g *Merger) Add(t *Table, scale float64) {
	if t.Layout != g.layout {
		panic("BUG: counters.Merger.Add: table of another layout")
	}
	offset := uint32(max(0, t.Start-g.Start) / 1000)
	if g.layout.FlowSlots > 0 {
		g.addFlows(t, offset, scale)
		return
	}
	net := 0
	take := func(i uint32) {
		s := &t.slots[Line(i)]
		if e := g.entry(t, i, &net); e != nil {
			g.fold(e, t, s, offset, scale)
		} else {
			g.Overflow++
		}
		*s = Slot{state: t.flows.nextState(s)}
	}
	t.eachWord(func(w int) { eachSlot(w, t.active[w], t.active[w+wordsOfSide], take) })
	g.addSpills(t, scale)
	t.clearRest()
}

// entry returns the entry of slot i of t, made now if it is new; nil when there is no room. net
// is the network that the caller's ascending walk has reached.
func (g *Merger) entry(t *Table, i uint32, net *int) *Entry {
	l := g.layout
	if i >= l.DirBase {
		return g.listedEntry(t.keys[(i-l.DirBase)/slotsPerHost], i&1)
	}
	line := Line(i)
	if at := g.index[line]; at != 0 {
		return &g.entries[at-1]
	}
	e := g.add()
	if e == nil {
		return nil
	}
	for *net+1 < len(l.Networks) && i >= l.Networks[*net+1].Base {
		*net++
	}
	n := &l.Networks[*net]
	if i < n.Base { // spills come in any order
		*net = 0
		for *net+1 < len(l.Networks) && i >= l.Networks[*net+1].Base {
			*net++
		}
		n = &l.Networks[*net]
	}
	e.Key, e.slot = n.key((i-n.Base)/slotsPerHost), i
	if !n.Direct {
		e.flags |= entryGrouped
	}
	g.index[line] = uint32(g.n)
	g.active[line/64] |= 1 << (line % 64)
	g.sorted = g.sorted && (g.n == 1 || g.listed == 0 && g.entries[g.n-2].slot < i)
	return e
}

// add appends an entry; nil when there is no room.
func (g *Merger) add() *Entry {
	if g.n == len(g.entries) {
		return nil
	}
	g.n++
	e := &g.entries[g.n-1]
	*e = Entry{}
	if g.told != nil {
		e.flow = uint32(g.n - 1)
		g.told[e.flow].clear()
	}
	return e
}

func (g *Merger) listedEntry(key Key, direction uint32) *Entry {
	mask := uint32(len(g.hash) - 1)
	h := uint32(mix(key.Hi^uint64(direction), key.Lo)) & mask
	for ; g.hash[h] != 0; h = (h + 1) & mask {
		e := &g.entries[g.hash[h]-1]
		if e.Key == key && e.slot&1 == direction {
			return e
		}
	}
	e := g.add()
	if e == nil {
		return nil
	}
	e.Key, e.slot, e.flags = key, g.layout.DirBase+direction, entryListed
	g.hash[h] = uint32(g.n)
	g.listed++
	g.sorted = false
	return e
}

// fold adds slot s to e.
func (g *Merger) fold(e *Entry, t *Table, s *Slot, offset uint32, scale float64) {
	if scale == 1 {
		for c, v := range s.count {
			e.packets[c] += v >> bytesBits
			e.bytes[c] += v & bytesMask
		}
	} else {
		for c, v := range s.count {
			e.packets[c] += scaled(v>>bytesBits, scale)
			e.bytes[c] += scaled(v&bytesMask, scale)
		}
		e.flags |= entryLow // flows among the packets not seen are not known
	}
	if first := offset + s.first; e.first == 0 || first+1 < e.first {
		e.first = first + 1
	}
	if s.state&FlagWarm != 0 {
		e.flags |= entryWarm
	}
	if s.state&flagLow != 0 {
		e.flags |= entryLow
	}
	if s.state&slabMask == 0 && e.flags&entryUnion == 0 {
		e.flow |= s.flow
		return
	}
	g.unite(e, t, s)
}

func scaled(v uint64, scale float64) uint64 { return uint64(float64(v)*scale + 0.5) }

func (g *Merger) addSpills(t *Table, scale float64) {
	net := 0
	for _, sp := range t.spills {
		if e := g.entry(t, sp.slot, &net); e != nil {
			e.packets[sp.class] += scaled(sp.packets, scale)
			e.bytes[sp.class] += scaled(sp.bytes, scale)
		}
	}
}

// Sort puts the entries in order: direct hosts and aggregates by address, then the directory's by
// address; incoming before outgoing.
func (g *Merger) Sort() {
	if g.sorted {
		return
	}
	order := g.order[:0]
	for pair := 0; pair < len(g.active); pair += wordsOfPair {
		for w := pair; w < pair+wordsOfSide; w++ {
			eachSlot(w, g.active[w], g.active[w+wordsOfSide], func(slot uint32) {
				order = append(order, g.index[Line(slot)]-1)
			})
		}
	}
	direct := len(order)
	for i := range g.n {
		if g.entries[i].flags&entryListed != 0 {
			order = append(order, uint32(i))
		}
	}
	slices.SortFunc(order[direct:], func(a, b uint32) int {
		x, y := &g.entries[a], &g.entries[b]
		if c := x.Key.Compare(y.Key); c != 0 {
			return c
		}
		return int(x.slot&1) - int(y.slot&1)
	})
}

// Len returns the number of entries.
func (g *Merger) Len() int { return g.n }

// Direct returns how many of the entries are of direct hosts and aggregates: after Sort the first
// ones. They are in order of address, and so are the others.
func (g *Merger) Direct() int { return g.n - g.listed }

// entriesAhead is how many entries a walk in order asks for at a time.
const entriesAhead = 16

// Entry returns entry i, in order after Sort. It is valid until Reset. A walk by ascending i finds
// entries on their way: where they lie out of order, those of the next step are asked for.
func (g *Merger) Entry(i int) *Entry {
	if g.sorted {
		return &g.entries[i]
	}
	if i%entriesAhead == 0 {
		g.prefetch(i + entriesAhead)
	}
	return &g.entries[g.order[i]]
}

// prefetch asks for entries from number from on, in order.
func (g *Merger) prefetch(from int) {
	if from >= g.n {
		return
	}
	order := g.order[from:min(from+entriesAhead, g.n)]
	if g.told != nil {
		prefetchTold(&g.told[0], order)
	}
	prefetchEntries(&g.entries[0], order)
}

// Find returns the entry of a host, nil if there is none. direct and slot are as Layout.Slot
// returns them.
func (g *Merger) Find(key Key, slot uint32, direct, outgoing bool) *Entry {
	direction := uint32(0)
	if outgoing {
		direction = 1
	}
	if direct {
		if at := g.index[Line(slot+direction)]; at != 0 {
			return &g.entries[at-1]
		}
		return nil
	}
	mask := uint32(len(g.hash) - 1)
	h := uint32(mix(key.Hi^uint64(direction), key.Lo)) & mask
	for ; g.hash[h] != 0; h = (h + 1) & mask {
		e := &g.entries[g.hash[h]-1]
		if e.Key == key && e.slot&1 == direction {
			return e
		}
	}
	return nil
}

// First returns the time of e's first packet, nanoseconds since 1970 UTC, to the microsecond.
func (g *Merger) First(e *Entry) int64 { return g.Start + int64(e.first-1)*1000 }

// mix hashes two words (the folded multiplication of wyhash).
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xe7037ed1a0b428db)
	return hi ^ lo
}
