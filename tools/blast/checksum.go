package blast

import (
	"encoding/binary"

	"weir/decode"
)

// Where a header keeps its checksum.
const (
	offTCPChecksum  = 16
	offUDPChecksum  = 6
	offICMPChecksum = 2
)

// SetChecksum sets the checksum of the TCP, UDP, ICMP or ICMPv6 message b between two addresses;
// other protocols are left alone. length is that of the message, more than len(b) only when b
// ends with a first fragment and everything after it is zeros.
func SetChecksum(b []byte, proto uint8, src, dst decode.Addr, length int) {
	var at int
	switch proto {
	case ProtoTCP:
		at = offTCPChecksum
	case ProtoUDP:
		at = offUDPChecksum
	case ProtoICMP, ProtoICMPv6:
		at = offICMPChecksum
	default:
		return
	}
	b[at], b[at+1] = 0, 0
	s := sum(b)
	if proto != ProtoICMP {
		s += pseudo(proto, src, dst, length)
	}
	c := ^fold(s)
	if c == 0 && proto == ProtoUDP {
		c = 0xffff // 0 is no checksum (RFC 768)
	}
	binary.BigEndian.PutUint16(b[at:], c)
}

// pseudo returns the sum of the pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1). The
// two are laid out apart, but add up alike.
func pseudo(proto uint8, src, dst decode.Addr, length int) uint64 {
	s := uint64(proto) + uint64(length)
	if src.Is4() {
		return s + src.Lo&0xffffffff + dst.Lo&0xffffffff
	}
	for _, half := range [...]uint64{src.Hi, src.Lo, dst.Hi, dst.Lo} {
		s += half>>32 + half&0xffffffff
	}
	return s
}

// sum adds up b as 32-bit words, with zeros behind it: what fold makes 16 bits of is the same as
// for 16-bit words (RFC 1071 section 2).
func sum(b []byte) uint64 {
	s := uint64(0)
	for ; len(b) >= 8; b = b[8:] {
		v := binary.BigEndian.Uint64(b)
		s += v>>32 + v&0xffffffff
	}
	if len(b) >= 4 {
		s += uint64(binary.BigEndian.Uint32(b))
		b = b[4:]
	}
	for i, c := range b {
		s += uint64(c) << (24 - 8*i)
	}
	return s
}

// fold returns the ones' complement sum of the 16-bit parts of s.
func fold(s uint64) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
