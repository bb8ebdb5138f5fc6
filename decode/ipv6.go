package decode

import "encoding/binary"

// An IPv6 header (RFC 8200 section 3).
const (
	offIPv6Length = 4
	offIPv6Next   = 6
	offIPv6Hops   = 7
	offIPv6Src    = 8
	offIPv6Dst    = 24
	ipv6Len       = 40
)

// ipv6 decodes an IPv6 packet.
func (d *Decoder) ipv6(r *Record, b []byte, n uint, level uint8) Status {
	if len(b) < ipv6Len {
		return r.short(n, ipv6Len)
	}
	if b[0]>>4 != 6 {
		return BadHeader
	}
	length := ipv6Len + uint(binary.BigEndian.Uint16(b[offIPv6Length:]))
	if length == ipv6Len {
		length = ipv6NoLength(b, n)
	}
	if length > n && length <= ipv6Longest && d.LengthFromIP { // a jumbogram is not believed
		n = r.believe(length, n)
	}
	r.Src.Hi = binary.BigEndian.Uint64(b[offIPv6Src:])
	r.Src.Lo = binary.BigEndian.Uint64(b[offIPv6Src+8:])
	r.Dst.Hi = binary.BigEndian.Uint64(b[offIPv6Dst:])
	r.Dst.Lo = binary.BigEndian.Uint64(b[offIPv6Dst+8:])
	r.Bytes, r.IPLen = uint64(length), uint32(length)
	r.SrcPort, r.DstPort = 0, 0
	r.Proto, r.TCPFlags, r.TTL = b[offIPv6Next], 0, b[offIPv6Hops]
	r.Version, r.NTunnels, r.IPFlags = 6, level, 0
	if length > n {
		r.Bytes = uint64(n)
		d.transport(r, r.Proto, b[ipv6Len:], n-ipv6Len, level)
		return BadLength
	}
	return d.transport(r, r.Proto, b[ipv6Len:], length-ipv6Len, level)
}

// A jumbo payload option where its alignment puts it, at the head of the hop-by-hop header
// (RFC 2675 section 2).
const (
	jumboOption   = 0xc204 // type and length
	offJumbo      = ipv6Len + 2
	offJumboValue = offJumbo + 2
	jumboEnd      = offJumboValue + 4
)

// ipv6Longest is the length of the longest packet that is no jumbogram.
const ipv6Longest = ipv6Len + 1<<16 - 1

// ipv6NoLength returns the length of a packet whose payload length is 0: that of a jumbogram, of
// nothing behind the header, or of all that is there when it is too long for the field, as
// segmentation offload shows it.
func ipv6NoLength(b []byte, n uint) uint {
	switch {
	case b[offIPv6Next] == protoHopByHop && len(b) >= jumboEnd &&
		binary.BigEndian.Uint16(b[offJumbo:]) == jumboOption:
		jumbo := uint(binary.BigEndian.Uint32(b[offJumboValue:]))
		return ipv6Len + min(jumbo, 1<<32-1-ipv6Len)
	case n > ipv6Longest:
		return n
	}
	return ipv6Len
}

// Extension headers (RFC 8200 section 4) and AH, which IPv4 has too (RFC 4302 section 2).
const (
	extMinLen     = 8
	extLenUnit    = 8 // and the first 8 bytes do not count
	ahLenUnit     = 4 // as above
	fragmentLen   = 8
	offExtLen     = 1
	offFragOffset = 2
	fragMore      = 1
	fragOffset    = 0xfff8
)

// extends reports whether a header of protocol p is one that we pass through.
func (r *Record) extends(p uint8) bool {
	switch p {
	case protoAH:
		return true
	case protoHopByHop, protoRouting, protoFragment, protoDestOptions, protoMobility, protoHIP,
		protoShim6:
		return r.Version == 6
	}
	return false
}

// extensions passes through a chain of extension headers, the first of protocol p.
func (d *Decoder) extensions(r *Record, p uint8, b []byte, n uint, level uint8) Status {
	for range MaxExtHeaders {
		if len(b) < extMinLen {
			return r.short(n, extMinLen)
		}
		size := extMinLen + uint(b[offExtLen])*extLenUnit
		switch p {
		case protoAH:
			size = extMinLen + uint(b[offExtLen])*ahLenUnit
		case protoFragment:
			size = fragmentLen
			if r.setFragment(b) == LaterFragment {
				r.Proto = b[0]
				return OK
			}
		}
		if uint(len(b)) < size {
			return r.short(n, size)
		}
		p = b[0]
		r.Proto = p
		b, n = b[size:], n-size
		if !r.extends(p) {
			return d.transport(r, p, b, n, level)
		}
	}
	return TooDeep
}

// setFragment reads a fragment header (RFC 8200 section 4.5).
func (r *Record) setFragment(b []byte) Fragment {
	v := binary.BigEndian.Uint16(b[offFragOffset:])
	r.IPFlags = uint8(v) & MoreFragments
	if v&fragOffset != 0 {
		r.Fragment = LaterFragment
	} else if v&fragMore != 0 {
		r.Fragment = FirstFragment
	}
	return r.Fragment
}
