package blast

import (
	"encoding/binary"

	"weir/decode"
)

// IP protocol numbers (IANA).
const (
	ProtoHopByHop = 0
	ProtoICMP     = 1
	ProtoTCP      = 6
	ProtoUDP      = 17
	ProtoFragment = 44
	ProtoGRE      = 47
	ProtoICMPv6   = 58
)

// Lengths of headers in bytes.
const (
	IPv4Len         = 20
	IPv6Len         = 40
	HopByHopLen     = 8
	IPv6FragmentLen = 8
)

// IPv4 is a header without options (RFC 791 section 3.1). Its total length is that of the buffer
// given to Put, at most 65535.
type IPv4 struct {
	TOS      uint8
	ID       uint16
	Offset   uint16 // of a fragment, in bytes: a multiple of 8
	More     bool   // more fragments follow
	Dont     bool   // fragment
	TTL      uint8
	Proto    uint8
	Src, Dst decode.Addr // v4-mapped
}

// Put writes the header with its checksum.
func (h *IPv4) Put(b []byte) int {
	_ = b[IPv4Len-1]
	fragment := h.Offset / 8
	if h.More {
		fragment |= 0x2000
	}
	if h.Dont {
		fragment |= 0x4000
	}
	b[0], b[1] = 0x45, h.TOS
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	binary.BigEndian.PutUint16(b[4:], h.ID)
	binary.BigEndian.PutUint16(b[6:], fragment)
	b[8], b[9] = h.TTL, h.Proto
	binary.BigEndian.PutUint32(b[12:], uint32(h.Src.Lo))
	binary.BigEndian.PutUint32(b[16:], uint32(h.Dst.Lo))
	setIPv4Checksum(b)
	return IPv4Len
}

// setIPv4Checksum sets the checksum of the header without options that b begins with.
func setIPv4Checksum(b []byte) {
	b[10], b[11] = 0, 0
	binary.BigEndian.PutUint16(b[10:], ^fold(sum(b[:IPv4Len])))
}

// IPv6 is a fixed header (RFC 8200 section 3). Its payload length is that of the buffer given to
// Put less 40, at most 65535.
type IPv6 struct {
	Class     uint8
	FlowLabel uint32 // 20 bits
	Next      uint8  // protocol of the header that follows
	HopLimit  uint8
	Src, Dst  decode.Addr
}

// Put writes the header.
func (h *IPv6) Put(b []byte) int {
	_ = b[IPv6Len-1]
	binary.BigEndian.PutUint32(b, 6<<28|uint32(h.Class)<<20|h.FlowLabel&0xfffff)
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)-IPv6Len))
	b[6], b[7] = h.Next, h.HopLimit
	binary.BigEndian.PutUint64(b[8:], h.Src.Hi)
	binary.BigEndian.PutUint64(b[16:], h.Src.Lo)
	binary.BigEndian.PutUint64(b[24:], h.Dst.Hi)
	binary.BigEndian.PutUint64(b[32:], h.Dst.Lo)
	return IPv6Len
}

// HopByHop is a hop-by-hop options header with padding and nothing else (RFC 8200 sections 4.2
// and 4.3).
type HopByHop struct{ Next uint8 }

// Put writes the header.
func (h *HopByHop) Put(b []byte) int {
	const padN, padding = 1, 4
	_ = b[HopByHopLen-1]
	b[0], b[1], b[2], b[3] = h.Next, 0, padN, padding
	clear(b[4:HopByHopLen])
	return HopByHopLen
}

// IPv6Fragment is a fragment header (RFC 8200 section 4.5). Without Offset and More it marks an
// atomic fragment (RFC 6946).
type IPv6Fragment struct {
	Next   uint8
	Offset uint16 // in bytes: a multiple of 8
	More   bool
	ID     uint32
}

// Put writes the header.
func (h *IPv6Fragment) Put(b []byte) int {
	_ = b[IPv6FragmentLen-1]
	offset := h.Offset &^ 7
	if h.More {
		offset |= 1
	}
	b[0], b[1] = h.Next, 0
	binary.BigEndian.PutUint16(b[2:], offset)
	binary.BigEndian.PutUint32(b[4:], h.ID)
	return IPv6FragmentLen
}
