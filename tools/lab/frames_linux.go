package lab

import (
	"net/netip"

	"weir/decode"
	"weir/tools/blast"
)

// minFrame is the shortest frame that Ethernet has, without FCS.
const minFrame = 60

// UDPFrame returns an Ethernet frame of size bytes with a UDP datagram, IPv4 or IPv6.
func UDPFrame(src, dst netip.Addr, srcPort, dstPort uint16, size int) []byte {
	b := make([]byte, size)
	at := putHeaders(b, src, dst, blast.ProtoUDP)
	(&blast.UDP{SrcPort: srcPort, DstPort: dstPort}).Put(b[at:])
	return b
}

// SYNFrame returns an Ethernet frame with a TCP SYN without options, IPv4 or IPv6, as short as
// Ethernet allows.
func SYNFrame(src, dst netip.Addr, srcPort, dstPort uint16) []byte {
	length := blast.EthernetLen + blast.IPv4Len + blast.TCPLen
	if !dst.Is4() {
		length += blast.IPv6Len - blast.IPv4Len
	}
	b := make([]byte, max(length, minFrame))
	at := putHeaders(b[:length], src, dst, blast.ProtoTCP)
	segment := b[at:length]
	(&blast.TCP{
		SrcPort: srcPort, DstPort: dstPort, Flags: blast.SYN, Window: 64240,
	}).Put(segment)
	blast.SetChecksum(segment, blast.ProtoTCP, address(src), address(dst), len(segment))
	return b
}

// putHeaders puts those of Ethernet and IP on b, all of which the packet fills, and returns their
// length.
func putHeaders(b []byte, src, dst netip.Addr, proto uint8) int {
	ethernet := blast.Ethernet{Dst: MAC(), Src: MAC(), Type: blast.TypeIPv4}
	at := blast.EthernetLen
	if dst.Is4() {
		at += (&blast.IPv4{TTL: 64, Proto: proto, Src: address(src),
			Dst: address(dst)}).Put(b[at:])
	} else {
		ethernet.Type = blast.TypeIPv6
		at += (&blast.IPv6{HopLimit: 64, Next: proto, Src: address(src),
			Dst: address(dst)}).Put(b[at:])
	}
	ethernet.Put(b)
	return at
}

func address(a netip.Addr) (d decode.Addr) {
	for i, octet := range a.As16() {
		if i < 8 {
			d.Hi = d.Hi<<8 | uint64(octet)
		} else {
			d.Lo = d.Lo<<8 | uint64(octet)
		}
	}
	return d
}

// SourcePatches give every frame, IPv4 or IPv6 over Ethernet, a random source: any of
// 198.18.0.0/15, or of the source's /96, and any port.
func SourcePatches(frame []byte) []Patch {
	const v4, v6 = blast.EthernetLen + 12, blast.EthernetLen + 8
	port := Patch{Offset: blast.EthernetLen + blast.IPv4Len, Width: 2, Base: 1024, Mask: 0x7fff,
		Random: true}
	if frame[blast.EthernetLen]>>4 == 4 {
		return []Patch{
			{Offset: v4, Width: 4, Base: 198<<24 | 18<<16, Mask: 1<<17 - 1, Random: true},
			port,
		}
	}
	port.Offset = blast.EthernetLen + blast.IPv6Len
	return []Patch{{Offset: v6 + 12, Width: 4, Mask: 1<<32 - 1, Random: true}, port}
}
