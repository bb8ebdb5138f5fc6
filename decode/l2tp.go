package decode

import "encoding/binary"

// An L2TP header: version 2 (RFC 2661 section 3.1), and version 3 over UDP and IP (RFC 3931
// section 4.1).
const (
	l2tpControl  = 0x8000
	l2tpLength   = 0x4000
	l2tpSequence = 0x0800
	l2tpOffset   = 0x0200
	l2tpVersion  = 0x000f

	l2tpMinLen       = 6 // flags, tunnel, session
	l2tpSequenceLen  = 4
	l2tpFieldLen     = 2
	l2tpV3Len        = 8 // flags, reserved, session
	l2tpV3SessionLen = 4
)

// l2tpUDP decodes an L2TP message over UDP. Control messages carry nobody's packet.
func (d *Decoder) l2tpUDP(r *Record, b []byte, n uint, level uint8) Status {
	if len(b) < l2tpMinLen {
		return r.cut(n, l2tpMinLen)
	}
	flags := binary.BigEndian.Uint16(b)
	if flags&l2tpControl != 0 {
		return OK
	}
	switch flags & l2tpVersion {
	case 2:
		return d.l2tpV2(r, flags, b, n, level)
	case 3:
		if len(b) < l2tpV3Len {
			return r.cut(n, l2tpV3Len)
		}
		return d.l2tpV3(r, b[l2tpV3Len:], n-l2tpV3Len, level)
	}
	return OK
}

// l2tpV2 decodes a data message of version 2: PPP.
func (d *Decoder) l2tpV2(r *Record, flags uint16, b []byte, n uint, level uint8) Status {
	size := uint(l2tpMinLen)
	if flags&l2tpLength != 0 {
		length := uint(binary.BigEndian.Uint16(b[2:]))
		b, n = clip(b, length), min(n, length)
		size += l2tpFieldLen
	}
	if flags&l2tpSequence != 0 {
		size += l2tpSequenceLen
	}
	if flags&l2tpOffset != 0 {
		size += l2tpFieldLen
		if uint(len(b)) < size {
			return r.cut(n, size)
		}
		size += uint(binary.BigEndian.Uint16(b[size-l2tpFieldLen:]))
	}
	if uint(len(b)) < size {
		return r.cut(n, size)
	}
	if n == size {
		return OK
	}
	return d.open(r, L2TP, typePPP, b[size:], n-size, level)
}

// l2tpIP decodes an L2TP version 3 message over IP. Session 0 is control.
func (d *Decoder) l2tpIP(r *Record, b []byte, n uint, level uint8) Status {
	if len(b) < l2tpV3SessionLen {
		return r.short(n, l2tpV3SessionLen)
	}
	if binary.BigEndian.Uint32(b) == 0 {
		return OK
	}
	return d.l2tpV3(r, b[l2tpV3SessionLen:], n-l2tpV3SessionLen, level)
}

// l2tpV3 decodes what follows the session ID of version 3. Neither the length of the cookie (0,
// 4 or 8 bytes) and of the sublayer behind it (0 or 4), nor the kind of payload is said in the
// packet: the first place where an IP packet in Ethernet or PPP would fit is taken.
func (d *Decoder) l2tpV3(r *Record, b []byte, n uint, level uint8) Status {
	for skip := uint(0); skip <= 12 && skip < uint(len(b)); skip += 4 {
		if t, ok := likelyFrame(b[skip:], n-skip); ok {
			return d.open(r, L2TP, t, b[skip:], n-skip, level)
		}
	}
	return OK
}

// likelyFrame reports whether b looks like Ethernet or PPP around an IP packet of at most n
// bytes.
func likelyFrame(b []byte, n uint) (ethertype, bool) {
	if likelyEthernet(b) {
		t := ethertype(binary.BigEndian.Uint16(b[offEtherType:]))
		if t != typeIPv4 && t != typeIPv6 || likelyIP(b[ethernetLen:], n-ethernetLen) {
			return typeMAC, true
		}
	}
	skip := uint(0)
	if len(b) >= 4 && binary.BigEndian.Uint16(b) == pppFraming {
		skip = pppFramingLen
	}
	if uint(len(b)) < skip+2 {
		return 0, false
	}
	switch binary.BigEndian.Uint16(b[skip:]) {
	case pppIPv4, pppIPv6:
		skip += 2
		return typePPP, likelyIP(b[skip:], n-skip)
	}
	return 0, false
}
