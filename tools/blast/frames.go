package blast

import (
	"net/netip"

	"weir/decode"
)

// The first of the addresses that a workload's hosts have, one after the other. The prefixes of
// 2^16 and 2^20 hosts are 10.9.0.0/16 and 10.16.0.0/12.
const (
	target   = home4<<24 | 1
	hosts16  = home4<<24 | 9<<16
	hosts20  = home4<<24 | 1<<20
	hosts10M = home4 << 24
)

// What receivers see: the TTL of a host a few hops away, and the window that Linux offers first.
const (
	ttl    = 57
	window = 64240
)

// smallPacket is the length of the IP packet that fills the smallest frame.
const smallPacket = MinFrame - EthernetLen

// ethernet writes an Ethernet header with made-up, locally administered addresses.
func ethernet(b []byte, kind uint16) int {
	h := Ethernet{Dst: [6]byte{2, 0, 0, 0, 0, 1}, Src: [6]byte{2, 0, 0, 0, 0, 2}, Type: kind}
	return h.Put(b)
}

// udp4 fills b with an IPv4 and a UDP header from a random host and between random ports, and a
// payload of zeros.
func (f *Frames) udp4(b []byte, dst uint32) {
	ip := IPv4{
		Dont: true, TTL: ttl, Proto: ProtoUDP,
		Src: decode.AddrFrom4(f.anywhere4()), Dst: decode.AddrFrom4(dst),
	}
	f.udp(b[ip.Put(b):], ip.Src, ip.Dst)
}

func (f *Frames) udp(b []byte, src, dst decode.Addr) {
	ports := f.u32()
	udp := UDP{SrcPort: uint16(ports >> 16), DstPort: uint16(ports)}
	clear(b[udp.Put(b):])
	SetChecksum(b, ProtoUDP, src, dst, len(b))
}

// udpFlood is W1 to W3b.
func udpFlood(first uint32) func(*Frames, []byte) int {
	return func(f *Frames, b []byte) int {
		b = b[:MinFrame]
		n := ethernet(b, TypeIPv4)
		f.udp4(b[n:], first+f.hosts.next())
		return len(b)
	}
}

// synFlood is W4: 40 bytes of IP and Ethernet's padding.
func (f *Frames) synFlood(b []byte) int {
	b = b[:MinFrame]
	n := ethernet(b, TypeIPv4)
	packet := b[n : n+IPv4Len+TCPLen]
	ip := IPv4{
		Dont: true, TTL: ttl, Proto: ProtoTCP,
		Src: decode.AddrFrom4(f.anywhere4()), Dst: decode.AddrFrom4(target),
	}
	segment := packet[ip.Put(packet):]
	tcp := TCP{SrcPort: uint16(f.u32()), DstPort: 80, Seq: f.u32(), Flags: SYN, Window: window}
	tcp.Put(segment)
	SetChecksum(segment, ProtoTCP, ip.Src, ip.Dst, len(segment))
	clear(b[n+len(packet):])
	return len(b)
}

// imixConversations is how many conversations each host of W5 has.
const imixConversations = 64

// popularHosts draws from n addresses of 10.9.0.0/16.
func popularHosts(n int, exponent float64) picker {
	prefix := netip.PrefixFrom(decode.AddrFrom4(hosts16).Netip(), 16)
	p, err := (&Hosts{Prefix: prefix, N: n, Zipf: exponent}).picker(false, nil)
	if err != nil {
		panic("BUG: workload's hosts: " + err.Error())
	}
	return p
}

// imix is W5: of twelve frames on average seven of 64 bytes and one of 1518 are TCP, four of 594
// are UDP. A host speaks with each server outside from a port of its own.
func (f *Frames) imix(b []byte) int {
	size, proto := smallPacket, uint8(ProtoTCP)
	switch die := f.below(12); {
	case die == 11:
		size = MTU
	case die >= 7:
		size, proto = 576, ProtoUDP
	}
	host := f.popular.pick(&f.random)
	c := conversation(f.seed, host, f.below(imixConversations))
	ip := IPv4{
		Dont: true, TTL: ttl, Proto: proto,
		Src: decode.AddrFrom4(c.anywhere4()), Dst: host,
	}
	src, dst := uint16(443), ephemeral+uint16(c.below(1<<16-ephemeral))
	if f.below(5) == 0 {
		ip.Src, ip.Dst, src, dst = ip.Dst, ip.Src, dst, src
	}
	b = b[:EthernetLen+size]
	n := ethernet(b, TypeIPv4)
	n += ip.Put(b[n:])
	f.segment(b[n:], &ip, src, dst)
	return len(b)
}

// segment fills b with a UDP datagram or a TCP segment in the middle of a connection.
func (f *Frames) segment(b []byte, ip *IPv4, src, dst uint16) {
	var n int
	if ip.Proto == ProtoUDP {
		n = (&UDP{SrcPort: src, DstPort: dst}).Put(b)
	} else {
		seq := f.u64()
		tcp := TCP{
			SrcPort: src, DstPort: dst, Seq: uint32(seq >> 32), Ack: uint32(seq),
			Flags: ACK, Window: window,
		}
		n = tcp.Put(b)
	}
	clear(b[n:])
	SetChecksum(b, ip.Proto, ip.Src, ip.Dst, len(b))
}

// Lengths of the frames of W6, 78 bytes with FCS, and of W6b, where a fragment has 24 bytes: a
// multiple of 8.
const (
	ipv6Frame     = 78 - 4
	extendedFrame = EthernetLen + IPv6Len + HopByHopLen + IPv6FragmentLen + 24
)

// host6 returns the host of that number, of 256 in each of 256 /64s.
func host6(i uint32) decode.Addr {
	return decode.Addr{Hi: home6.Hi | uint64(i>>8), Lo: 1 + uint64(i&0xff)}
}

// ipv6 is W6.
func (f *Frames) ipv6(b []byte) int {
	b = b[:ipv6Frame]
	n := ethernet(b, TypeIPv6)
	ip := IPv6{Next: ProtoUDP, HopLimit: ttl, Src: f.unicast6(), Dst: host6(f.hosts.next())}
	n += ip.Put(b[n:])
	f.udp(b[n:], ip.Src, ip.Dst)
	return len(b)
}

// ipv6Extended is W6b: a third of the frames each are atomic fragments, first ones, and later
// ones.
func (f *Frames) ipv6Extended(b []byte) int {
	b = b[:extendedFrame]
	n := ethernet(b, TypeIPv6)
	ip := IPv6{
		Next: ProtoHopByHop, HopLimit: ttl, Src: f.unicast6(), Dst: host6(f.hosts.next()),
	}
	n += ip.Put(b[n:])
	n += (&HopByHop{Next: ProtoFragment}).Put(b[n:])
	fragment := IPv6Fragment{Next: ProtoUDP, ID: f.u32()}
	die := f.below(3)
	switch die {
	case 1:
		fragment.More = true
	case 2:
		fragment.Offset = f.laterOffset()
	}
	n += fragment.Put(b[n:])
	switch die {
	case 0:
		f.udp(b[n:], ip.Src, ip.Dst)
	case 1:
		f.firstPart(b[n:], ip.Src, ip.Dst)
	case 2:
		clear(b[n:])
	}
	return len(b)
}

// cutDatagram is the length of the UDP datagrams that fragments are parts of.
const cutDatagram = 4000

// firstPart fills b with the beginning of such a datagram, between random ports.
func (f *Frames) firstPart(b []byte, src, dst decode.Addr) {
	ports := f.u32()
	udp := UDP{SrcPort: uint16(ports >> 16), DstPort: uint16(ports), Length: cutDatagram}
	clear(b[udp.Put(b):])
	SetChecksum(b, ProtoUDP, src, dst, cutDatagram)
}

// laterOffset returns where a later fragment may begin.
func (f *Frames) laterOffset() uint16 { return uint16(8 + 8*f.below(MTU/8)) }

// mpls is W7.
func (f *Frames) mpls(b []byte) int {
	b = b[:MinFrame+VLANLen+2*MPLSLen]
	n := ethernet(b, TypeVLAN)
	n += (&VLAN{ID: 100, Type: TypeMPLS}).Put(b[n:])
	n += (&MPLS{Label: 24001, TTL: ttl}).Put(b[n:])
	n += (&MPLS{Label: 24002, TTL: ttl, Bottom: true}).Put(b[n:])
	f.udp4(b[n:], hosts16+f.hosts.next())
	return len(b)
}

// qinq is W7b.
func (f *Frames) qinq(b []byte) int {
	b = b[:MinFrame+2*VLANLen]
	n := ethernet(b, TypeQinQ)
	n += (&VLAN{ID: 200, Type: TypeVLAN}).Put(b[n:])
	n += (&VLAN{ID: 100, Type: TypeIPv4}).Put(b[n:])
	f.udp4(b[n:], hosts16+f.hosts.next())
	return len(b)
}

// tunnels is W7c: every other frame on average is GRE, the rest L2TP. The tunnels' ends are
// outside.
func (f *Frames) tunnels(b []byte) int {
	gre := f.below(2) == 0
	length := MinFrame + IPv4Len + GRELen
	if !gre {
		length = MinFrame + IPv4Len + UDPLen + L2TPLen + PPPLen
	}
	b = b[:length]
	n := ethernet(b, TypeIPv4)
	ip := IPv4{TTL: 255, Proto: ProtoUDP, Src: tunnelSrc, Dst: tunnelDst}
	if gre {
		ip.Proto = ProtoGRE
	}
	n += ip.Put(b[n:])
	if gre {
		n += (&GRE{Type: TypeIPv4}).Put(b[n:])
	} else {
		n += (&UDP{SrcPort: PortL2TP, DstPort: PortL2TP}).Put(b[n:])
		n += (&L2TP{Tunnel: 1, Session: 1}).Put(b[n:])
		n += (&PPP{Proto: PPPIPv4}).Put(b[n:])
	}
	f.udp4(b[n:], hosts16+f.hosts.next())
	return len(b)
}

// The ends of W7c's tunnels, 192.0.2.1 and 198.51.100.1.
var (
	tunnelSrc = decode.AddrFrom4(0xc0000201)
	tunnelDst = decode.AddrFrom4(0xc6336401)
)
