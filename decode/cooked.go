package decode

import "encoding/binary"

// Linux cooked headers (LINKTYPE_LINUX_SLL and LINKTYPE_LINUX_SLL2).
const (
	offSLLProtocol = 14
	sllLen         = 16
	sll2Len        = 20 // begins with the protocol

	sllProtocolLLC = 4
)

// link decodes a frame of any link type.
func (d *Decoder) link(r *Record, link Link, b []byte, n uint) Status {
	switch link {
	case LinkEthernet:
		return d.ethernet(r, b, n, 0)
	case LinkRaw12, LinkRaw14, LinkRaw, LinkIPv4, LinkIPv6:
		return d.anyIP(r, b, n, 0)
	case LinkPPP:
		return d.ppp(r, b, n, 0)
	case LinkWLAN:
		return d.wlan(r, b, n, 0)
	case LinkMPLS:
		return d.mpls(r, b, n, 0)
	case LinkNull, LinkLoop:
		return d.loopback(r, b, n)
	case LinkSLL:
		return d.cooked(r, b, n, offSLLProtocol, sllLen)
	case LinkSLL2:
		return d.cooked(r, b, n, 0, sll2Len)
	}
	return UnknownLink
}

// cooked decodes a Linux cooked header of size bytes with the protocol at off.
func (d *Decoder) cooked(r *Record, b []byte, n, off, size uint) Status {
	if uint(len(b)) < size {
		return r.short(n, size)
	}
	t := ethertype(binary.BigEndian.Uint16(b[off:]))
	b, n = b[size:], n-size
	if t == sllProtocolLLC {
		return d.llc(r, b, n, 0)
	}
	return d.payload(r, t, b, n, 0)
}

// familyLen is the length of a loopback header: the address family, in the byte order of the
// host or, on OpenBSD, of the network.
const familyLen = 4

// loopback decodes a BSD loopback header. The values of AF_INET6 differ between systems.
func (d *Decoder) loopback(r *Record, b []byte, n uint) Status {
	if len(b) < familyLen {
		return r.short(n, familyLen)
	}
	family := binary.BigEndian.Uint32(b)
	if family > 1<<16 {
		family = binary.LittleEndian.Uint32(b)
	}
	b, n = b[familyLen:], n-familyLen
	switch family {
	case 2:
		return d.ipv4(r, b, n, 0)
	case 10, 23, 24, 28, 30:
		return d.ipv6(r, b, n, 0)
	}
	return NotIP
}
