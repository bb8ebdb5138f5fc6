package decode

import "encoding/binary"

// An IPv4 header (RFC 791 section 3.1).
const (
	offIPv4Length   = 2
	offIPv4Fragment = 6
	offIPv4TTL      = 8
	offIPv4Proto    = 9
	offIPv4Src      = 12
	offIPv4Dst      = 16
	ipv4MinLen      = 20

	ipv4NoOptions = 4<<4 | ipv4MinLen/4 // version and header length of nearly every packet
	moreFragments = 0x2000
	fragmentMask  = 0x3fff // more fragments, and the offset
	offsetMask    = 0x1fff
	flagShift     = 5 // of the flags in the field's first byte
)

// ipv4 decodes an IPv4 packet. Everything uncommon is in ipv4Rare. Inside a tunnel r.Fragment is
// still NotFragment, since fragments are not opened.
func (d *Decoder) ipv4(r *Record, b []byte, n uint, level uint8) Status {
	if len(b) < ipv4MinLen {
		return r.short(n, ipv4MinLen)
	}
	if b[0]-ipv4NoOptions > 10 {
		if s := r.badStart(b[0]); s != OK {
			return s
		}
	}
	length := uint(binary.BigEndian.Uint16(b[offIPv4Length:]))
	if length > n && d.LengthFromIP {
		n = r.believe(length, n)
	}
	r.Src = AddrFrom4(binary.BigEndian.Uint32(b[offIPv4Src:]))
	r.Dst = AddrFrom4(binary.BigEndian.Uint32(b[offIPv4Dst:]))
	r.Bytes, r.IPLen = uint64(length), uint32(length)
	r.SrcPort, r.DstPort = 0, 0
	r.Proto, r.TCPFlags, r.TTL = b[offIPv4Proto], 0, b[offIPv4TTL]
	r.Version, r.NTunnels = 4, level
	r.IPFlags = b[offIPv4Fragment] >> flagShift & (DontFragment | MoreFragments)
	fragment := binary.BigEndian.Uint16(b[offIPv4Fragment:]) & fragmentMask
	if b[0] != ipv4NoOptions || fragment != 0 || length < ipv4MinLen {
		return d.ipv4Rare(r, b, n, level)
	}
	if length > n {
		r.Bytes = uint64(n)
		d.transport(r, b[offIPv4Proto], b[ipv4MinLen:], n-ipv4MinLen, level)
		return BadLength
	}
	return d.transport(r, b[offIPv4Proto], b[ipv4MinLen:], length-ipv4MinLen, level)
}

// badStart is for a version that is not 4, or a header length below 20. The outermost header of
// the latter kind still names a victim, and is OK here; one in a tunnel is nonsense.
func (r *Record) badStart(first byte) Status {
	if first>>4 != 4 {
		return BadHeader
	}
	if r.Version != 0 {
		return BadLength
	}
	return OK
}

// believe returns n for the IP packet of length bytes that begins here when n says less, as
// Decoder.LengthFromIP describes it: only the outermost header is believed.
func (r *Record) believe(length, n uint) uint {
	if r.Version != 0 {
		return n
	}
	r.Wire += uint32(length - n)
	return length
}

// ipv4Rare goes on where there are options, a fragment or a length that is no length.
func (d *Decoder) ipv4Rare(r *Record, b []byte, n uint, level uint8) Status {
	header := uint(b[0]&0xf) * 4
	length := uint(r.IPLen)
	if length == 0 {
		// Segmentation offload: the packet was captured before it was cut, and is too long for
		// the field.
		length = n
		r.IPLen, r.Bytes = uint32(n), uint64(n)
	}
	if length > n {
		r.Bytes = uint64(n)
	}
	fragment := binary.BigEndian.Uint16(b[offIPv4Fragment:])
	if fragment&offsetMask != 0 {
		r.Fragment = LaterFragment
	} else if fragment&moreFragments != 0 {
		r.Fragment = FirstFragment
	}
	switch {
	case header < ipv4MinLen || length < header:
		return BadLength
	case uint(len(b)) < header:
		return r.short(n, header)
	}
	s := OK
	if r.Fragment != LaterFragment {
		s = d.transport(r, r.Proto, b[header:], min(length, n)-header, level)
	}
	if length > n {
		return BadLength
	}
	return s
}
