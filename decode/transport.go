package decode

import "encoding/binary"

// Protocol numbers of IPv4 and IPv6.
const (
	protoHopByHop    = 0
	protoICMP        = 1
	protoIPv4        = 4
	protoTCP         = 6
	protoUDP         = 17
	protoDCCP        = 33
	protoIPv6        = 41
	protoRouting     = 43
	protoFragment    = 44
	protoGRE         = 47
	protoAH          = 51
	protoICMPv6      = 58
	protoNone        = 59
	protoDestOptions = 60
	protoL2TP        = 115
	protoSCTP        = 132
	protoMobility    = 135
	protoUDPLite     = 136
	protoHIP         = 139
	protoShim6       = 140
)

// A TCP header (RFC 9293 section 3.1). Its options are not read, and need not have been captured.
const (
	offTCPDataOffset = 12 // upper four bits, in units of 4 bytes
	offTCPFlags      = 13
	tcpMinLen        = 20
)

// transport decodes what an IP header carries as protocol p. Unlike elsewhere b may hold more
// than n bytes, Ethernet's padding, which only the uncommon needs to clip.
func (d *Decoder) transport(r *Record, p uint8, b []byte, n uint, level uint8) Status {
	switch p {
	case protoTCP:
		if len(b) < tcpMinLen || n < tcpMinLen {
			return r.shortPorts(b, n, tcpMinLen)
		}
		r.SrcPort = binary.BigEndian.Uint16(b)
		r.DstPort = binary.BigEndian.Uint16(b[2:])
		r.TCPFlags = b[offTCPFlags]
		size := uint(b[offTCPDataOffset]>>4) * 4
		if size < tcpMinLen || size > n && r.Fragment == NotFragment {
			return BadLength
		}
		return OK
	case protoUDP:
		if len(b) < udpLen || n < udpLen {
			return r.shortPorts(b, n, udpLen)
		}
		r.SrcPort = binary.BigEndian.Uint16(b)
		r.DstPort = binary.BigEndian.Uint16(b[2:])
		length := uint(binary.BigEndian.Uint16(b[offUDPLength:]))
		if length == n && !tunnelPort(r.DstPort) && r.SrcPort != portL2TP {
			return OK
		}
		return d.udpRare(r, b, n, length, level)
	}
	return d.upper(r, p, clip(b, n), n, level)
}

// upper decodes the protocols that are rarer than TCP and UDP. Tunnels stay closed in fragments:
// the second part could not be told whose it is.
func (d *Decoder) upper(r *Record, p uint8, b []byte, n uint, level uint8) Status {
	switch p {
	case protoICMP, protoICMPv6:
		return r.icmp(b, n)
	case protoSCTP, protoDCCP:
		return r.ports(b, n, portsHeaderLen)
	case protoUDPLite:
		return r.ports(b, n, udpLen)
	}
	if r.extends(p) {
		return d.extensions(r, p, b, n, level)
	}
	if r.Fragment != NotFragment || n == 0 {
		return OK
	}
	switch p {
	case protoIPv4:
		return d.open(r, IPIP, typeIPv4, b, n, level)
	case protoIPv6:
		return d.open(r, IPIP, typeIPv6, b, n, level)
	case protoGRE:
		return d.gre(r, b, n, level)
	case protoL2TP:
		return d.l2tpIP(r, b, n, level)
	}
	return OK
}

// portsHeaderLen is that of SCTP's common header (RFC 9260 section 3.1) and of DCCP's shortest
// (RFC 4340 section 5.1). Both begin with the ports.
const portsHeaderLen = 12

// ports reads the ports at the head of a header of size bytes.
func (r *Record) ports(b []byte, n, size uint) Status {
	if uint(len(b)) < size {
		return r.shortPorts(b, n, size)
	}
	r.SrcPort, r.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	return OK
}

// shortPorts reads the ports of a header that ends before its size bytes, if they came.
func (r *Record) shortPorts(b []byte, n, size uint) Status {
	b = clip(b, n)
	if len(b) >= 4 {
		r.SrcPort, r.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	}
	return r.short(n, size)
}
