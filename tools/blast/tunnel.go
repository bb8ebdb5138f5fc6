package blast

import "encoding/binary"

// Lengths of headers in bytes.
const (
	GRELen  = 4
	L2TPLen = 8
	PPPLen  = 4
)

// PortL2TP is the UDP port of both ends of an L2TP tunnel.
const PortL2TP = 1701

// PPPIPv4 is PPP's number of IPv4 (RFC 1332).
const PPPIPv4 = 0x0021

// GRE is a header without optional fields (RFC 2784 section 2). Type is an Ethernet type.
type GRE struct{ Type uint16 }

// Put writes the header.
func (h *GRE) Put(b []byte) int {
	_ = b[GRELen-1]
	b[0], b[1] = 0, 0
	binary.BigEndian.PutUint16(b[2:], h.Type)
	return GRELen
}

// L2TP is the header of a data message of L2TP version 2 with a length field (RFC 2661 section
// 3.1). It goes behind UDP from and to PortL2TP, and PPP behind it.
type L2TP struct{ Tunnel, Session uint16 }

// Put writes the header.
func (h *L2TP) Put(b []byte) int {
	const hasLength, version2 = 0x4000, 2
	_ = b[L2TPLen-1]
	binary.BigEndian.PutUint16(b, hasLength|version2)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	binary.BigEndian.PutUint16(b[4:], h.Tunnel)
	binary.BigEndian.PutUint16(b[6:], h.Session)
	return L2TPLen
}

// PPP is a header with the address and control fields of HDLC-like framing (RFC 1661 section 2,
// RFC 1662 section 3.1).
type PPP struct{ Proto uint16 }

// Put writes the header.
func (h *PPP) Put(b []byte) int {
	_ = b[PPPLen-1]
	b[0], b[1] = 0xff, 0x03
	binary.BigEndian.PutUint16(b[2:], h.Proto)
	return PPPLen
}
