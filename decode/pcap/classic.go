package pcap

import (
	"encoding/binary"
	"io"
)

// The pcap format (draft-ietf-opsawg-pcap): a file header, then records of a header and data.
const (
	fileHeaderLen = 24
	offVersion    = 4
	offFileSnap   = 16
	offFileLink   = 20

	recordLen         = 16
	modifiedRecordLen = 24 // and interface index, protocol, packet type
	offFraction       = 4
	offRecordCap      = 8
	offRecordWire     = 12
)

// The magics of pcap files, as the writer's byte order has them.
const (
	magicMicros   = 0xa1b2c3d4
	magicNanos    = 0xa1b23c4d
	magicModified = 0xa1b2cd34 // Kuznetsov's patched libpcap
)

// classic is a pcap file behind its header.
type classic struct {
	s         *stream
	order     order
	headerLen int
	fraction  int64 // nanoseconds per unit of the fraction of a second
	link      uint16
}

func newClassic(s *stream) (*classic, error) {
	magic, err := s.need(4, "file magic")
	if err != nil {
		return nil, err
	}
	c := &classic{s: s, headerLen: recordLen, fraction: 1000}
	if !c.readMagic(magic) {
		return nil, s.fail(0, "magic %#08x is neither pcap nor pcapng",
			binary.BigEndian.Uint32(magic))
	}
	b, err := s.need(fileHeaderLen, "the file header")
	if err != nil {
		return nil, err
	}
	major, minor := c.order.u16(b[offVersion:]), c.order.u16(b[offVersion+2:])
	if major != 2 || minor != 4 {
		return nil, s.fail(offVersion, "pcap version %d.%d is not 2.4", major, minor)
	}
	// The upper half holds the length of an FCS and reserved bits, to be ignored.
	c.link = uint16(c.order.u32(b[offFileLink:]))
	s.advance(fileHeaderLen)
	return c, nil
}

// readMagic sets what the file's magic says, and reports whether it is one of pcap.
func (c *classic) readMagic(b []byte) bool {
	for _, o := range [2]order{little, big} {
		c.order = o
		switch o.u32(b) {
		case magicMicros:
			return true
		case magicNanos:
			c.fraction = 1
			return true
		case magicModified:
			c.headerLen = modifiedRecordLen
			return true
		}
	}
	return false
}

func (c *classic) nanos() bool { return c.fraction == 1 }

func (c *classic) next(p *Packet) error {
	end, err := c.s.atEnd()
	if err != nil {
		return err
	}
	if end {
		return io.EOF
	}
	h, err := c.s.need(c.headerLen, "a packet's header")
	if err != nil {
		return err
	}
	captured, wire := c.order.u32(h[offRecordCap:]), c.order.u32(h[offRecordWire:])
	if captured > MaxFrame {
		return c.s.fail(c.s.off, "packet of %d captured bytes is over %d", captured, MaxFrame)
	}
	// A fraction of a second or more is carried, as libpcap's users do.
	p.Time = int64(c.order.u32(h))*1e9 + int64(c.order.u32(h[offFraction:]))*c.fraction
	p.Link = c.link
	p.Wire = max(wire, captured)
	total := c.headerLen + int(captured)
	b, err := c.s.need(total, "a packet")
	if err != nil {
		return err
	}
	p.Data = b[c.headerLen:]
	c.s.advance(total)
	return nil
}
