package counters

import (
	"fmt"
	"math"
	"math/bits"
)

// MaxReasons bounds the statuses that Stats counts frames by; decode.NumStatus fits.
const MaxReasons = 16

// MaxSpills bounds the classes that may exceed 33 M packets in one epoch of one worker.
const maxSpills = 64

// Stats are one worker's counts of one epoch, frames and bytes on the wire.
//
// Received = Processed + Shed + the sum of Dropped, to the frame.
type Stats struct {
	Received  uint64
	Bytes     uint64
	Processed uint64             // had addresses
	Shed      uint64             // left out by overload sampling
	Dropped   [MaxReasons]uint64 // had no addresses, by decode.Status
	Damaged   [MaxReasons]uint64 // of Processed: not understood to the end, by decode.Status
	Foreign   uint64             // of Processed: neither address is ours
	Internal  uint64             // of Processed: both addresses are ours
	Ignored   uint64             // of Processed, one address is ours: left out by a rule or script
	Unlisted  uint64             // counts made in an aggregate: the host had few packets so far
	Unplaced  uint64             // counts made in an aggregate: the directory had no room
	LostSamples,
	LostHints uint64
	Busy uint64 // nanoseconds between bursts that followed one another without a pause
	Gap  uint64 // nanoseconds, the longest from a look at the ring to the next, which had frames
	Fill uint8  // the highest fill of the receive ring, percent

	Exports Exports // of a worker that takes flow exports
}

// Exports are what a worker made of flow exports in one epoch, beside Stats: there Received, Bytes
// and Shed are of datagrams, Processed of those that were exports; Foreign, Internal, Ignored,
// Unlisted and Unplaced are of records.
//
// Received = Processed + Shed + Denied + Invalid, to the datagram.
type Exports struct {
	Denied    uint64             // datagrams of senders that the configuration does not allow
	Invalid   uint64             // datagrams that are no export
	Records   uint64             // that had addresses
	Unslotted uint64             // counts that found no FlowSlot left
	Skipped   [MaxReasons]uint64 // what made no record, by decode.Skip
	Faults    [MaxReasons]uint64 // parts that could not be read, by decode.Fault
}

// NotListed counts one count that is made in an aggregate, as Directory.Admit says why.
func (s *Stats) NotListed(full bool) {
	if full {
		s.Unplaced++
	} else {
		s.Unlisted++
	}
}

// Table holds one worker's counts of one epoch.
type Table struct {
	Stats  Stats
	Epoch  uint64
	Start  int64 // nanoseconds since 1970 UTC
	End    int64 // set by the worker when it leaves the table
	Layout *Layout

	slots   []Slot
	active  []uint64 // a bit per line that was touched
	summary []uint64 // a bit per word of active
	keys    []Key    // of the directory's entries, as they were in this epoch
	flows   flowSlabs
	spills  []spill

	// Of a table of flow records, in place of slots and flows.
	flowSlots []FlowSlot // in order of appearance
	flowIndex []uint32   // by slot of the layout: 1 + its FlowSlot
	flowUsed  uint32
}

// spill is a class that left its slot before it could overflow.
type spill struct {
	slot           uint32
	class          Class
	packets, bytes uint64
}

// NewTable returns an empty table for l out of m.
func NewTable(m *Memory, l *Layout) (*Table, error) {
	if l.FlowSlots > 0 {
		return newFlowTable(m, l)
	}
	t := &Table{Layout: l, spills: make([]spill, 0, maxSpills)}
	words := bitmapWords(l.Slots)
	var errs [8]error
	t.slots, errs[0] = alloc[Slot](m, uint64(l.Slots))
	t.active, errs[1] = alloc[uint64](m, words)
	t.summary, errs[2] = alloc[uint64](m, (words+63)/64)
	t.keys, errs[3] = alloc[Key](m, uint64(l.Directory))
	t.flows.small, errs[4] = alloc[uint64](m, uint64(l.Small)*smallWords)
	t.flows.big, errs[5] = alloc[uint64](m, uint64(l.Big)*bigWords)
	t.flows.inline, errs[6] = alloc[uint32](m, uint64(l.Small))
	t.flows.before, errs[7] = alloc[uint32](m, uint64(l.Big))
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("make a table of %d slots: %w", l.Slots, err)
		}
	}
	t.flows.flowMarks = newFlowMarks(l.Workers)
	return t, nil
}

func newFlowTable(m *Memory, l *Layout) (*Table, error) {
	t := &Table{Layout: l}
	var errs [3]error
	t.flowSlots, errs[0] = alloc[FlowSlot](m, uint64(l.FlowSlots))
	t.flowIndex, errs[1] = alloc[uint32](m, uint64(l.Slots))
	t.keys, errs[2] = alloc[Key](m, uint64(l.Directory))
	for _, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("make a table of %d flow slots: %w", l.FlowSlots, err)
		}
	}
	return t, nil
}

func bitmapWords(slots uint32) uint64 { return (uint64(slots) + 63) / 64 }

// tableBytes is what NewTable takes.
func (l *Layout) tableBytes() uint64 {
	if l.FlowSlots > 0 {
		return sizeOf[FlowSlot](uint64(l.FlowSlots)) + sizeOf[uint32](uint64(l.Slots)) +
			sizeOf[Key](uint64(l.Directory))
	}
	words := bitmapWords(l.Slots)
	return sizeOf[Slot](uint64(l.Slots)) + sizeOf[uint64](words) + sizeOf[uint64]((words+63)/64) +
		sizeOf[Key](uint64(l.Directory)) + sizeOf[uint64](uint64(l.Small)*smallWords) +
		sizeOf[uint64](uint64(l.Big)*bigWords) + sizeOf[uint32](uint64(l.Small)+uint64(l.Big))
}

// Slot returns the slot in a line. It is valid until the table is merged.
func (t *Table) Slot(line uint32) *Slot { return &t.slots[line] }

// Count makes ops from number from on, and appends to expired the numbers of those that burn down
// their slot's fuse: a host's first packet in the epoch, a limit to look at, a sample to take. A
// slot is reported once; the caller arms it anew. The slots should have been prefetched.
func (t *Table) Count(ops []Op, from int, expired []uint8) []uint8 {
	for i := from; i < len(ops); i++ {
		op := &ops[i]
		s := &t.slots[op.Line]
		add := onePacket + uint64(op.Bytes)
		s.count[op.Class&3] += add
		if op.Mark != 0 {
			if op.Mark&MarkSYN != 0 {
				s.count[SYN] += add
			}
			if op.Mark&MarkFrag != 0 {
				s.count[Frag] += add
			}
			if op.Mark&MarkNoFlow != 0 {
				goto burn
			}
		}
		if s.state&slabMask != 0 {
			t.addSlabFlow(s, op.Hash)
		} else {
			t.addFlow(s, op.Hash)
		}
	burn:
		if s.fuse++; s.fuse == 1 {
			expired = append(expired, uint8(i))
		}
	}
	return expired
}

// Touch notes the first packet of the epoch of the slot in a line, at now nanoseconds since 1970,
// and reports whether it was the first. Further calls check that no class comes near its overflow.
func (t *Table) Touch(line uint32, now int64) bool {
	s := &t.slots[line]
	if s.state&flagSeen != 0 {
		t.spill(line, s)
		return false
	}
	s.state |= flagSeen
	s.first = uint32(max(0, min(now-t.Start, math.MaxUint32*1000)) / 1000)
	w := line / 64
	t.active[w] |= 1 << (line % 64)
	t.summary[w/64] |= 1 << (w % 64)
	return true
}

// Name notes the key that entry e of the directory stands for in this epoch.
func (t *Table) Name(entry uint32, key Key) { t.keys[entry] = key }

// Seen reports whether slot i of a table of flow records has counts of this epoch.
func (t *Table) Seen(i uint32) bool { return t.flowIndex[i] != 0 }

// spill moves classes that are half way to their overflow out of the slot.
func (t *Table) spill(line uint32, s *Slot) {
	for c := range s.count {
		if s.count[c]>>bytesBits >= spillAt && len(t.spills) < cap(t.spills) {
			t.spills = append(t.spills, spill{SlotOf(line), Class(c), s.Packets(Class(c)),
				s.Bytes(Class(c))})
			s.count[c] = 0
		}
	}
}

// Busy returns how many words of 64 neighbouring slots were touched in this epoch; of flow records
// none are.
func (t *Table) Busy() (words int) {
	for _, sum := range t.summary {
		words += bits.OnesCount64(sum)
	}
	return words
}

// Words of a bitmap by lines: those of a block of hosts for one direction, for both, and for how
// many blocks one word of a summary is.
const (
	wordsOfSide  = 1 << blockBits / 64
	wordsOfPair  = 2 * wordsOfSide
	pairsSummary = 64 / wordsOfPair
)

// eachWord calls f with every word w of active that has 64 hosts' incoming lines, where these or
// the outgoing ones were touched, which word w+wordsOfSide has.
func (t *Table) eachWord(f func(w int)) {
	for si, sum := range t.summary {
		if sum == 0 {
			continue
		}
		for pair := range pairsSummary {
			from := pair * wordsOfPair
			words := (sum>>from | sum>>(from+wordsOfSide)) & (1<<wordsOfSide - 1)
			for ; words != 0; words &= words - 1 {
				f(si*64 + from + bits.TrailingZeros64(words))
			}
		}
	}
}

// eachSlot calls f with the slots of 64 hosts, in ascending order, that in has a bit for, which is
// word w of a bitmap by lines, or out, which is word w+wordsOfSide.
func eachSlot(w int, in, out uint64, f func(slot uint32)) {
	first := SlotOf(uint32(w * 64))
	for both := in | out; both != 0; both &= both - 1 {
		bit := bits.TrailingZeros64(both)
		slot := first + 2*uint32(bit)
		if in>>bit&1 != 0 {
			f(slot)
		}
		if out>>bit&1 != 0 {
			f(slot + 1)
		}
	}
}

// Clear makes the table empty for its next epoch. Merger.Add does it too.
func (t *Table) Clear() {
	for i := range t.flowSlots[:t.flowUsed] {
		t.flowIndex[t.flowSlots[i].slot] = 0
		t.flowSlots[i].reset()
	}
	empty := func(i uint32) {
		s := &t.slots[Line(i)]
		*s = Slot{state: s.state & keepMask}
	}
	t.eachWord(func(w int) { eachSlot(w, t.active[w], t.active[w+wordsOfSide], empty) })
	t.clearRest()
}

// clearRest empties everything but the slots.
func (t *Table) clearRest() {
	for si, sum := range t.summary {
		for ; sum != 0; sum &= sum - 1 {
			t.active[si*64+bits.TrailingZeros64(sum)] = 0
		}
		t.summary[si] = 0
	}
	t.flows.reset()
	t.flowUsed = 0
	t.spills = t.spills[:0]
	t.Stats = Stats{}
}
