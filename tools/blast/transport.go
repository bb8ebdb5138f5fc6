package blast

import "encoding/binary"

// TCP flags (RFC 9293 section 3.1).
const (
	FIN = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
)

// Lengths of headers in bytes.
const (
	UDPLen  = 8
	TCPLen  = 20
	ICMPLen = 8
)

// UDP is a UDP header (RFC 768). Put leaves its checksum 0, which means none; SetChecksum sets it.
type UDP struct {
	SrcPort, DstPort uint16
	// Length is that of the datagram, 0 that of the buffer given to Put. A first fragment must
	// give it, as it holds less.
	Length uint16
}

// Put writes the header.
func (h *UDP) Put(b []byte) int {
	_ = b[UDPLen-1]
	length := h.Length
	if length == 0 {
		length = uint16(len(b))
	}
	binary.BigEndian.PutUint16(b, h.SrcPort)
	binary.BigEndian.PutUint16(b[2:], h.DstPort)
	binary.BigEndian.PutUint16(b[4:], length)
	b[6], b[7] = 0, 0
	return UDPLen
}

// TCP is a TCP header without options (RFC 9293 section 3.1). Put leaves its checksum 0;
// SetChecksum sets it.
type TCP struct {
	SrcPort, DstPort uint16
	Seq, Ack         uint32
	Flags            uint8
	Window           uint16
}

// Put writes the header.
func (h *TCP) Put(b []byte) int {
	_ = b[TCPLen-1]
	binary.BigEndian.PutUint16(b, h.SrcPort)
	binary.BigEndian.PutUint16(b[2:], h.DstPort)
	binary.BigEndian.PutUint32(b[4:], h.Seq)
	binary.BigEndian.PutUint32(b[8:], h.Ack)
	b[12], b[13] = TCPLen/4<<4, h.Flags
	binary.BigEndian.PutUint16(b[14:], h.Window)
	clear(b[16:TCPLen])
	return TCPLen
}

// ICMP types of echo messages (RFC 792, RFC 4443 section 4.1).
const (
	EchoRequest   = 8
	EchoRequestV6 = 128
)

// ICMP is the header of an ICMP or ICMPv6 echo message (RFC 792, RFC 4443 section 4.1); other
// types have other fields in place of ID and Seq. Put leaves its checksum 0; SetChecksum sets it.
type ICMP struct {
	Type, Code uint8
	ID, Seq    uint16
}

// Put writes the header.
func (h *ICMP) Put(b []byte) int {
	_ = b[ICMPLen-1]
	b[0], b[1], b[2], b[3] = h.Type, h.Code, 0, 0
	binary.BigEndian.PutUint16(b[4:], h.ID)
	binary.BigEndian.PutUint16(b[6:], h.Seq)
	return ICMPLen
}
