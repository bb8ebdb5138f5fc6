package pcap

import (
	"math/bits"
)

// The interface description block (draft-ietf-opsawg-pcapng section 4.2).
const (
	offIfaceLink = 8
	offIfaceSnap = 12
	ifaceLen     = 16 // without options and trailer

	optEnd       = 0
	optComment   = 1
	optTimeRes   = 9
	optTimeShift = 14
)

// maxIfaces bounds the interfaces of a section.
const maxIfaces = 1 << 16

// maxSeconds bounds times, in seconds since 1970 UTC, to those that fit nanoseconds in 62 bits, the
// year 2116: who reckons with them need not fear overflows.
const maxSeconds = 1<<62/1_000_000_000 - 1

// iface is what a pcapng file says of an interface.
type iface struct {
	link        uint16
	snap        uint32 // 0: no limit
	unitsPerSec uint64 // of timestamps
	shift       int64  // seconds to add to them
}

// time returns nanoseconds since 1970 UTC, and false where these do not fit 62 bits.
func (i *iface) time(units uint64) (int64, bool) {
	sec, rest := units/i.unitsPerSec, units%i.unitsPerSec
	hi, lo := bits.Mul64(rest, 1e9)
	nanos, _ := bits.Div64(hi, lo, i.unitsPerSec) // rest < unitsPerSec, so this is below 1e9
	if sec > 1<<62 || i.shift > maxSeconds || i.shift < -1<<62 {
		return 0, false
	}
	total := int64(sec) + i.shift
	if total < 0 || total > maxSeconds {
		return 0, false
	}
	return total*1e9 + int64(nanos), true
}

// describe reads an interface description block.
func (n *ng) describe(start int64, b []byte) error {
	if len(b) < ifaceLen {
		return n.s.fail(start, "interface description of %d bytes is too short", len(b))
	}
	if len(n.ifaces) == maxIfaces {
		return n.s.fail(start, "section has more than %d interfaces", maxIfaces)
	}
	i := iface{
		link:        n.order.u16(b[offIfaceLink:]),
		snap:        n.order.u32(b[offIfaceSnap:]),
		unitsPerSec: 1e6,
	}
	for opts := b[ifaceLen:]; len(opts) > 0; {
		code, value, rest, ok := n.option(opts)
		if !ok {
			return n.s.fail(start, "option of the interface description overruns it")
		}
		if code == optEnd {
			break
		}
		if !i.apply(n.order, code, value) {
			return n.s.fail(start, "option %d of the interface description has value %#x",
				code, value)
		}
		opts = rest
	}
	n.ifaces = append(n.ifaces, i)
	return nil
}

// option splits the first option off b; false when it overruns b.
func (n *ng) option(b []byte) (code uint16, value, rest []byte, ok bool) {
	if len(b) < 4 {
		return 0, nil, nil, false
	}
	code = n.order.u16(b)
	length := int(n.order.u16(b[2:]))
	padded := (length + 3) &^ 3
	if padded > len(b)-4 {
		return 0, nil, nil, false
	}
	return code, b[4 : 4+length], b[4+padded:], true
}

// apply takes over an option, and returns false when its value makes no sense.
func (i *iface) apply(o order, code uint16, value []byte) bool {
	switch code {
	case optTimeRes:
		if len(value) != 1 {
			return false
		}
		i.unitsPerSec = unitsPerSec(value[0])
		return i.unitsPerSec != 0
	case optTimeShift:
		if len(value) != 8 {
			return false
		}
		i.shift = int64(o.u64(value))
	}
	return true
}

// unitsPerSec reads if_tsresol: a negative power of 10, or of 2 when the upper bit is set. It is
// 0 when 64 bits do not hold it.
func unitsPerSec(resolution byte) uint64 {
	exp := resolution & 0x7f
	if resolution&0x80 != 0 {
		return 1 << exp // 0 from 64 on
	}
	if exp > 19 {
		return 0
	}
	units := uint64(1)
	for range exp {
		units *= 10
	}
	return units
}
