// Package prefix is an immutable longest-prefix match from addresses to what a worker must know
// of them. It is built by the control plane and read by every worker without synchronisation.
package prefix

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
)

// Value is what a prefix stands for; 0 is no match. Values are indices into tables of the caller.
type Value uint32

// maxValue leaves the top bit of a cell to tell nodes from values.
const maxValue = 1<<31 - 1

// Table maps addresses to the value of their longest prefix: one load for the first 16 bits, and
// one more per 8 bits below that a prefix distinguishes.
type Table struct {
	home4 [1 << 16 / 64]uint64 // 8 KiB: a bit per /16 that holds any prefix
	root4 [1 << 16]cell        // by the upper 16 bits of an IPv4 address
	root6 []cell               // 65536, by the upper 16 bits of an IPv6 address
	nodes []node

	// Where the walk of an IPv6 address begins: below what all IPv6 prefixes have in common.
	top6   []cell
	shift6 uint8  // of an address's upper half, to its index in top6
	mask6  uint64 // the bits above, in which …
	want6  uint64 // … all prefixes are this
}

// cell is a value, or isNode and the number of a node.
type cell uint32

const isNode = 1 << 31

type node [256]cell

// Entry is one prefix of a Table and its value.
type Entry struct {
	Prefix netip.Prefix
	Value  Value
}

// New returns the table of entries. Of equal prefixes the last one counts. IPv4-mapped IPv6
// prefixes are an error: an address has one form.
func New(entries []Entry) (*Table, error) {
	t := &Table{root6: make([]cell, 1<<16)}
	sorted := slices.Clone(entries)
	slices.SortStableFunc(sorted, func(a, b Entry) int { return a.Prefix.Bits() - b.Prefix.Bits() })
	for _, e := range sorted {
		if !e.Prefix.IsValid() || e.Prefix.Addr().Is4In6() {
			return nil, fmt.Errorf("add prefix %v: not a plain IPv4 or IPv6 prefix", e.Prefix)
		}
		if e.Value == 0 || e.Value > maxValue {
			return nil, fmt.Errorf("add prefix %v: value %d out of range 1 to %d", e.Prefix,
				e.Value, maxValue)
		}
		t.insert(e)
	}
	t.skipCommon(sorted)
	return t, nil
}

// skipCommon lets IPv6 addresses begin where the prefixes first differ, or the shortest ends: a
// network has one or a few, far below the root.
func (t *Table) skipCommon(sorted []Entry) {
	t.top6, t.shift6 = t.root6, 48
	common, first := 64, true
	for _, e := range sorted {
		if e.Prefix.Addr().Is4() {
			continue
		}
		b := e.Prefix.Masked().Addr().As16()
		hi := binary.BigEndian.Uint64(b[:8])
		if first {
			t.want6, first = hi, false
		}
		common = min(common, e.Prefix.Bits()-1, bits.LeadingZeros64(hi^t.want6))
	}
	if first || common < 16 {
		t.want6 = 0
		return
	}
	t.shift6 = 48
	for at := t.want6 >> 48; t.shift6 > 0 && common >= 64-int(t.shift6); {
		t.top6 = t.nodes[t.top6[at]&^isNode][:]
		t.shift6 -= 8
		at = t.want6 >> t.shift6 & 0xff
	}
	t.mask6 = ^(uint64(len(t.top6))<<t.shift6 - 1) // none at 16 bits from 48 on
	t.want6 &= t.mask6
}

// insert adds e, whose prefix is at least as long as all before it.
func (t *Table) insert(e Entry) {
	left := e.Prefix.Bits()
	addr := e.Prefix.Masked().Addr().AsSlice()
	cells := t.root6
	if e.Prefix.Addr().Is4() {
		cells = t.root4[:]
		t.markHome(addr, left)
	}
	at, width := int(addr[0])<<8|int(addr[1]), 16
	for next := 2; left > width; next++ {
		cells = t.descend(cells, at)
		at, left, width = int(addr[next]), left-width, 8
	}
	for i := range 1 << (width - left) {
		t.fill(&cells[at+i], cell(e.Value))
	}
}

// markHome sets the bits of the /16s that the prefix touches.
func (t *Table) markHome(addr []byte, bits int) {
	first := int(addr[0])<<8 | int(addr[1])
	for i := range 1 << max(0, 16-bits) {
		t.home4[(first+i)/64] |= 1 << ((first + i) % 64)
	}
}

// fill sets c to v; a node below it was built of shorter prefixes only if it is a value.
func (t *Table) fill(c *cell, v cell) {
	if *c&isNode == 0 {
		*c = v
		return
	}
	n := &t.nodes[*c&^isNode]
	for i := range n {
		t.fill(&n[i], v)
	}
}

// descend returns the node at cells[at], made of that cell's value if there is none. Earlier
// slices of nodes are stale afterwards.
func (t *Table) descend(cells []cell, at int) []cell {
	if c := cells[at]; c&isNode == 0 {
		var n node
		for i := range n {
			n[i] = c
		}
		cells[at] = cell(len(t.nodes)) | isNode
		t.nodes = append(t.nodes, n)
	}
	return t.nodes[cells[at]&^isNode][:]
}

// Foreign reports at the cost of one bit that the address with the big-endian halves hi and lo is
// IPv4, v4-mapped, and that no prefix holds it. False says nothing: ask Lookup. It is inlined,
// which spares most packets a call: their sources are not ours.
func (t *Table) Foreign(hi, lo uint64) bool {
	return hi|lo>>32^0xffff == 0 && t.home4[lo>>22&1023]>>(lo>>16&63)&1 == 0
}

// Lookup returns the value of the longest prefix that holds the address with the big-endian
// halves hi and lo, IPv4 v4-mapped; 0 when none does.
func (t *Table) Lookup(hi, lo uint64) Value {
	if hi|lo>>32^0xffff != 0 {
		return t.lookup6(hi, lo)
	}
	c := t.root4[uint16(lo>>16)]
	if c&isNode == 0 {
		return Value(c)
	}
	if c = t.nodes[c&^isNode][uint8(lo>>8)]; c&isNode == 0 {
		return Value(c)
	}
	return Value(t.nodes[c&^isNode][uint8(lo)])
}

func (t *Table) lookup6(hi, lo uint64) Value {
	if (hi^t.want6)&t.mask6 != 0 {
		return 0
	}
	c := t.top6[hi>>(t.shift6&63)&uint64(len(t.top6)-1)]
	for shift := int(t.shift6) - 8; c&isNode != 0; shift -= 8 {
		word, at := hi, shift
		if shift < 0 {
			word, at = lo, shift+64
		}
		c = t.nodes[c&^isNode][uint8(word>>at)]
	}
	return Value(c)
}
