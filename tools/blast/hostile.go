package blast

import (
	"encoding/binary"

	"weir/decode"
)

// hostile is W8: in every hundred frames, on average, 5 are truncated or malformed, 5 are not IP,
// and the other 90 are fragments.
func (f *Frames) hostile(b []byte) int {
	b = b[:MinFrame]
	switch die := f.below(100); {
	case die < 5:
		return f.broken(b)
	case die < 10:
		return f.notIP(b)
	}
	f.fragment(b)
	return len(b)
}

// fragment writes one of the fragments of a datagram: a third of them are first ones.
func (f *Frames) fragment(b []byte) {
	n := ethernet(b, TypeIPv4)
	packet := b[n : n+IPv4Len+(smallPacket-IPv4Len)&^7]
	ip := IPv4{
		ID: uint16(f.u32()), More: true, TTL: ttl, Proto: ProtoUDP,
		Src: decode.AddrFrom4(f.anywhere4()), Dst: decode.AddrFrom4(hosts16 + f.hosts.next()),
	}
	first := f.below(3) == 0
	if !first {
		ip.Offset, ip.More = f.laterOffset(), f.below(2) == 0
	}
	n += ip.Put(packet)
	clear(b[n:])
	if first {
		f.firstPart(packet[IPv4Len:], ip.Src, ip.Dst)
	}
}

// lies are values that contradict the rest of a frame, and where in it they stand.
var lies = [...]struct {
	offset int
	value  uint16
}{
	{EthernetLen, 0x5500},             // IP version 5
	{EthernetLen, 0x4300},             // header of 12 bytes
	{EthernetLen + 2, MTU},            // packet longer than the frame
	{EthernetLen + 2, 12},             // and shorter than its header
	{EthernetLen + IPv4Len + 4, 1000}, // datagram longer than the packet
	{EthernetLen + IPv4Len + 4, 4},    // and shorter than its header
}

// broken writes a frame of W2 and damages it: cut inside its headers, or with a lie in one.
func (f *Frames) broken(b []byte) int {
	n := ethernet(b, TypeIPv4)
	f.udp4(b[n:], hosts16+f.hosts.next())
	if f.below(2) == 0 {
		const headers = EthernetLen + IPv4Len + UDPLen
		return 1 + int(f.below(headers-1))
	}
	lie := lies[f.below(uint32(len(lies)))]
	binary.BigEndian.PutUint16(b[lie.offset:], lie.value)
	setIPv4Checksum(b[EthernetLen:])
	return len(b)
}

// The payloads of frames that every network has: an ARP request (RFC 826), an LLDP frame with
// the mandatory TLVs (IEEE 802.1AB section 8.2), and a spanning tree BPDU behind LLC (IEEE 802.1D
// section 9.3.1).
const (
	arpRequest = "\x00\x01\x08\x00\x06\x04\x00\x01\x02\x00\x00\x00\x00\x02\x0a\x09\x00\x01" +
		"\x00\x00\x00\x00\x00\x00\x0a\x09\x00\x02"
	lldp = "\x02\x07\x04\x02\x00\x00\x00\x00\x02\x04\x05\x05eth1\x06\x02\x00\x78\x00\x00"
	bpdu = "\x42\x42\x03\x00\x00\x00\x00\x00\x80\x00\x02\x00\x00\x00\x00\x02\x00\x00\x00\x00" +
		"\x80\x00\x02\x00\x00\x00\x00\x02\x80\x01\x00\x00\x14\x00\x02\x00\x0f\x00"
)

// notIP writes a frame with another protocol.
func (f *Frames) notIP(b []byte) int {
	kind, payload := uint16(TypeARP), arpRequest
	switch f.below(3) {
	case 1:
		kind, payload = TypeLLDP, lldp
	case 2:
		kind, payload = uint16(len(bpdu)), bpdu
	}
	n := ethernet(b, kind)
	n += copy(b[n:], payload)
	clear(b[n:])
	return len(b)
}
