package lab

import (
	"net/netip"

	"weir/decode"
	"weir/tools/blast"
)

const protoUDP = 17

// UDPFrame returns an Ethernet frame of size bytes with a UDP datagram, IPv4 or IPv6.
func UDPFrame(src, dst netip.Addr, srcPort, dstPort uint16, size int) []byte {
	b := make([]byte, size)
	ethernet := blast.Ethernet{
		Dst: MAC(), Src: MAC(), Type: blast.TypeIPv4,
	}
	at := blast.EthernetLen
	if dst.Is4() {
		at += (&blast.IPv4{TTL: 64, Proto: protoUDP, Src: address(src),
			Dst: address(dst)}).Put(b[at:])
	} else {
		ethernet.Type = blast.TypeIPv6
		at += (&blast.IPv6{HopLimit: 64, Next: protoUDP, Src: address(src),
			Dst: address(dst)}).Put(b[at:])
	}
	ethernet.Put(b)
	(&blast.UDP{SrcPort: srcPort, DstPort: dstPort}).Put(b[at:])
	return b
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
