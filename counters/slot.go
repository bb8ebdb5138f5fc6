package counters

import "math/bits"

// Class is a traffic class of a slot. TCP to Other are disjoint and sum to the total; SYN and
// Frag count packets of those again.
type Class uint8

// The classes.
const (
	TCP Class = iota
	UDP
	ICMP
	Other
	SYN
	Frag
	NumClasses
)

// A count packs packets and bytes into one word, so that a packet costs one addition per class:
// the upper 26 bits are packets (67 M in one epoch), the lower 38 bytes (274 GB). An epoch lasts a
// second; at spillAt a class moves to the table's spill list, so a late epoch loses nothing.
const (
	bytesBits = 38
	bytesMask = 1<<bytesBits - 1
	spillAt   = 1 << (64 - bytesBits - 1)
	onePacket = 1 << bytesBits
)

// Slot counts one host in one direction during one epoch: one cache line. The zero value is a
// host that was not seen.
type Slot struct {
	count [NumClasses]uint64
	flow  uint32 // inline bitmap; in slab mode: set bits << slabRefBits | slab
	fuse  int32  // counts up; Count reports the slot when it becomes 1; see Arm
	first uint32 // first packet, microseconds after the epoch's start; see Table.Touch
	state uint32 // flag bits, flow mode, and the sampling gap << gapShift
}

// Flags of a slot that the worker sets and control may read after the flip.
const (
	flagSeen  = 1 << iota // first packet accounted
	FlagWarm              // above a fifth of a limit
	FlagOver              // above a limit
	flagSmall             // flow state is a 1024-bit slab
	flagBig               // flow state is a 4096-bit slab
	flagLow               // the flow estimate is a lower bound
	preSmall              // the host needed a small slab lately
	preBig                // the host needed a big slab lately

	gapShift = 8
	maxGap   = 1<<(32-gapShift) - 1
	keepMask = preSmall | preBig // survives clearing
	slabMask = flagSmall | flagBig
)

// Packets returns the packets of class c.
func (s *Slot) Packets(c Class) uint64 { return s.count[c] >> bytesBits }

// Bytes returns the bytes of class c.
func (s *Slot) Bytes(c Class) uint64 { return s.count[c] & bytesMask }

// Total returns packets and bytes of all classes.
func (s *Slot) Total() (packets, bytes uint64) {
	for c := TCP; c <= Other; c++ {
		packets += s.count[c] >> bytesBits
		bytes += s.count[c] & bytesMask
	}
	return packets, bytes
}

// Has reports whether all of flags are set.
func (s *Slot) Has(flags uint32) bool { return s.state&flags == flags }

// Set sets flags.
func (s *Slot) Set(flags uint32) { s.state |= flags }

// Gap returns the mean sampling gap that SetGap stored; 0 when none is.
func (s *Slot) Gap() uint32 { return s.state >> gapShift }

// SetGap stores the mean number of packets between two samples of this slot.
func (s *Slot) SetGap(gap uint32) {
	s.state = s.state&(1<<gapShift-1) | min(gap, maxGap)<<gapShift
}

// Arm makes Count report the slot at its packets-th packet from now, at least the next.
func (s *Slot) Arm(packets uint32) { s.fuse = 1 - int32(max(1, min(packets, 1<<30))) }

// FlowBits returns how many bits of the flow state are set and out of how many: the raw material
// of the estimate, cheap enough to compare with a limit on the packet path.
func (s *Slot) FlowBits() (set, of uint32) {
	switch {
	case s.state&flagBig != 0:
		return s.flow >> slabRefBits, bigBits
	case s.state&flagSmall != 0:
		return s.flow >> slabRefBits, smallBits
	}
	return uint32(bits.OnesCount32(s.flow)), inlineBits
}

// Op is one count to be made: a packet on one side of one host.
type Op struct {
	Line  uint32 // of the slot in the worker's table
	Hash  uint32 // of the 5-tuple, seeded
	Bytes uint32 // IP length
	Group uint16 // hostgroup
	Class Class  // TCP, UDP, ICMP or Other
	Mark  uint8  // MarkSYN, MarkFrag, MarkNoFlow
	Frame uint8  // index in the burst
}

// Slots of 2^blockBits hosts lie side by side for one direction, and then for the other: most of a
// flood goes one way, and neither the lines beside (processors fetch them in pairs) nor the bitmap
// of the active are to be half empty.
const (
	blockBits = 10
	blockMask = 1<<blockBits - 1
	pairMask  = 2<<blockBits - 1 // both directions
)

// Line returns in which line of a table's memory a slot lies. A slot's number is even for incoming
// traffic, odd for outgoing, and a host's are neighbours.
func Line(slot uint32) uint32 {
	return slot&^pairMask | slot&1<<blockBits | slot>>1&blockMask
}

// SlotOf is the inverse of Line.
func SlotOf(line uint32) uint32 {
	return line&^pairMask | line&blockMask<<1 | line>>blockBits&1
}

// Side returns 0 where the op counts incoming traffic, 1 for outgoing.
func (op *Op) Side() uint32 { return op.Line >> blockBits & 1 }

// Marks of an Op.
const (
	MarkSYN    = 1 << iota // count in class SYN too
	MarkFrag               // count in class Frag too
	MarkNoFlow             // leave the flow estimate alone: the slot is an aggregate
)
