package pcap

import "io"

// Block types of pcapng (draft-ietf-opsawg-pcapng). Packets stand in three of them.
const (
	blockSection   = 0x0a0d0d0a // the same in both byte orders
	blockInterface = 1
	blockObsolete  = 2 // the packet block that the enhanced one replaced
	blockSimple    = 3
	blockEnhanced  = 6
)

// A block is its type, its length, a body in multiples of 4 bytes, and its length again.
const (
	blockHeaderLen  = 8
	blockTrailerLen = 4
	blockMinLen     = blockHeaderLen + blockTrailerLen

	offByteOrder = 8
	offMajor     = 12
	offMinor     = 14
	sectionLen   = 24 // without options and trailer

	offInterfaceID = 8 // 16 bits in the obsolete packet block
	offTimeHigh    = 12
	offTimeLow     = 16
	offCaptured    = 20
	offWire        = 24
	packetLen      = 28 // in front of the data

	offSimpleWire = 8
	simpleLen     = 12
)

// maxBlock is the greatest length of a block that is read as a whole: a packet and its options.
// Blocks that are skipped may be longer.
const maxBlock = MaxFrame + 256<<10

// sectionMagic begins every pcapng file.
var sectionMagic = [4]byte{0x0a, 0x0d, 0x0d, 0x0a}

// ng is a pcapng file.
type ng struct {
	s      *stream
	order  order
	ifaces []iface // of this section, by ID
	last   iface   // of the last packet
	time   int64   // of the last packet that had one
}

func newNG(s *stream) (*ng, error) {
	n := &ng{s: s}
	start := s.off
	_, b, err := n.block()
	if err != nil {
		return nil, err
	}
	if err := n.section(start, b); err != nil {
		return nil, err
	}
	return n, nil
}

func (n *ng) nanos() bool { return n.last.unitsPerSec > 1e6 }

func (n *ng) next(p *Packet) error {
	for {
		end, err := n.s.atEnd()
		if err != nil {
			return err
		}
		if end {
			return io.EOF
		}
		start := n.s.off
		kind, b, err := n.block()
		if err != nil {
			return err
		}
		switch kind {
		case blockSection:
			err = n.section(start, b)
		case blockInterface:
			err = n.describe(start, b)
		case blockSimple:
			return n.simple(start, b, p)
		case blockEnhanced, blockObsolete:
			return n.packet(start, b, kind, p)
		}
		if err != nil {
			return err
		}
	}
}

// block consumes the next block and returns it without its trailer; nil when it is of a type
// that holds nothing for us.
func (n *ng) block() (kind uint32, b []byte, err error) {
	start := n.s.off
	h, err := n.s.need(blockHeaderLen, "a block's header")
	if err != nil {
		return 0, nil, err
	}
	kind = n.order.u32(h)
	if kind == blockSection {
		if err := n.setOrder(start); err != nil {
			return 0, nil, err
		}
		h, _ = n.s.need(blockHeaderLen, "a block's header")
	}
	length := n.order.u32(h[4:])
	if length < blockMinLen || length%4 != 0 {
		return 0, nil, n.s.fail(start, "block of type %#x has length %d", kind, length)
	}
	switch kind {
	case blockSection, blockInterface, blockObsolete, blockSimple, blockEnhanced:
		b, err = n.whole(start, kind, length)
	default:
		err = n.pass(start, length)
	}
	return kind, b, err
}

// setOrder reads the byte order of the section that begins at start.
func (n *ng) setOrder(start int64) error {
	b, err := n.s.need(offByteOrder+4, "a section header")
	if err != nil {
		return err
	}
	switch [4]byte(b[offByteOrder:]) {
	case [4]byte{0x4d, 0x3c, 0x2b, 0x1a}:
		n.order = little
	case [4]byte{0x1a, 0x2b, 0x3c, 0x4d}:
		n.order = big
	default:
		return n.s.fail(start, "byte-order magic %#x of the section header is unknown",
			b[offByteOrder:])
	}
	return nil
}

// whole consumes a block and returns all of it but the trailer.
func (n *ng) whole(start int64, kind, length uint32) ([]byte, error) {
	if length > maxBlock {
		return nil, n.s.fail(start, "block of type %#x has length %d, over %d",
			kind, length, maxBlock)
	}
	b, err := n.s.need(int(length), "a block")
	if err != nil {
		return nil, err
	}
	body, trailer := b[:length-blockTrailerLen], b[length-blockTrailerLen:]
	if err := n.checkTrailer(start, length, trailer); err != nil {
		return nil, err
	}
	n.s.advance(int(length))
	return body, nil
}

// pass consumes a block without keeping it.
func (n *ng) pass(start int64, length uint32) error {
	if err := n.s.skip(start, start+int64(length)-blockTrailerLen, "a block"); err != nil {
		return err
	}
	trailer, err := n.s.need(blockTrailerLen, "a block's trailer")
	if err != nil {
		return err
	}
	if err := n.checkTrailer(start, length, trailer); err != nil {
		return err
	}
	n.s.advance(blockTrailerLen)
	return nil
}

func (n *ng) checkTrailer(start int64, length uint32, trailer []byte) error {
	if again := n.order.u32(trailer); again != length {
		return n.s.fail(start, "block begins with length %d and ends with %d", length, again)
	}
	return nil
}

// section begins a new section: interfaces are numbered anew.
func (n *ng) section(start int64, b []byte) error {
	if len(b) < sectionLen {
		return n.s.fail(start, "section header of %d bytes is too short", len(b))
	}
	major, minor := n.order.u16(b[offMajor:]), n.order.u16(b[offMinor:])
	if major != 1 || minor != 0 && minor != 2 { // 1.2 is 1.0 (section 4.1)
		return n.s.fail(start, "pcapng version %d.%d is not 1.0", major, minor)
	}
	n.ifaces = n.ifaces[:0]
	return nil
}

// packet reads an enhanced or an obsolete packet block.
func (n *ng) packet(start int64, b []byte, kind uint32, p *Packet) error {
	if len(b) < packetLen {
		return n.s.fail(start, "packet block of %d bytes is too short", len(b))
	}
	id := n.order.u32(b[offInterfaceID:])
	if kind == blockObsolete {
		id = uint32(n.order.u16(b[offInterfaceID:]))
	}
	if err := n.choose(start, id); err != nil {
		return err
	}
	units := uint64(n.order.u32(b[offTimeHigh:]))<<32 | uint64(n.order.u32(b[offTimeLow:]))
	time, ok := n.last.time(units)
	if !ok {
		return n.s.fail(start, "timestamp %d is outside the years 1970 to 2262", units)
	}
	n.time = time
	captured, wire := n.order.u32(b[offCaptured:]), n.order.u32(b[offWire:])
	return n.fill(start, p, b[packetLen:], captured, wire)
}

// simple reads a simple packet block, which belongs to the first interface and has no time.
func (n *ng) simple(start int64, b []byte, p *Packet) error {
	if len(b) < simpleLen {
		return n.s.fail(start, "packet block of %d bytes is too short", len(b))
	}
	if err := n.choose(start, 0); err != nil {
		return err
	}
	wire := n.order.u32(b[offSimpleWire:])
	captured := wire
	if n.last.snap != 0 {
		captured = min(wire, n.last.snap)
	}
	return n.fill(start, p, b[simpleLen:], captured, wire)
}

// choose makes the interface with that ID the one of the next packet.
func (n *ng) choose(start int64, id uint32) error {
	if uint64(id) >= uint64(len(n.ifaces)) {
		return n.s.fail(start, "packet of interface %d, the section has described %d",
			id, len(n.ifaces))
	}
	n.last = n.ifaces[id]
	return nil
}

// fill sets p to a packet whose data is at the start of body, which may have options behind it.
func (n *ng) fill(start int64, p *Packet, body []byte, captured, wire uint32) error {
	if captured > MaxFrame {
		return n.s.fail(start, "packet of %d captured bytes is over %d", captured, MaxFrame)
	}
	if int(captured) > len(body) {
		return n.s.fail(start, "packet of %d captured bytes is longer than its block", captured)
	}
	p.Time, p.Link, p.Wire = n.time, n.last.link, max(wire, captured)
	p.Data = body[:captured:captured]
	return nil
}
