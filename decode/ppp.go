package decode

import "encoding/binary"

// A PPPoE header (RFC 2516 section 4): version and type, code, session, length.
const (
	offPPPoECode   = 1
	offPPPoELength = 4
	pppoeLen       = 6
	pppoeVersion   = 0x11
	pppoeSession   = 0 // code of the session stage
)

// pppoe decodes a frame of a PPPoE session.
func (d *Decoder) pppoe(r *Record, b []byte, n uint, level uint8) Status {
	if len(b) < pppoeLen {
		return r.short(n, pppoeLen)
	}
	if b[0] != pppoeVersion {
		return BadHeader
	}
	if b[offPPPoECode] != pppoeSession {
		return NotIP
	}
	length := uint(binary.BigEndian.Uint16(b[offPPPoELength:]))
	b, n = b[pppoeLen:], n-pppoeLen
	if length > n && !d.LengthFromIP {
		if s := d.open(r, PPPoE, typePPP, b, n, level); s != OK {
			return s
		}
		return BadLength
	}
	return d.open(r, PPPoE, typePPP, clip(b, length), min(n, length), level)
}

// PPP (RFC 1661 section 2) with the address and control fields of HDLC-like framing, which most
// tunnels leave out (RFC 1662 section 3.1).
const (
	pppFraming    = 0xff03
	pppFramingLen = 2
	pppIPv4       = 0x0021
	pppIPv6       = 0x0057
	pppMPLS       = 0x0281
	pppMPLSMulti  = 0x0283
)

// ppp decodes a PPP frame.
func (d *Decoder) ppp(r *Record, b []byte, n uint, level uint8) Status {
	if len(b) >= pppFramingLen && binary.BigEndian.Uint16(b) == pppFraming {
		b, n = b[pppFramingLen:], n-pppFramingLen
	}
	if len(b) < 2 {
		return r.short(n, 2)
	}
	protocol, size := uint(binary.BigEndian.Uint16(b)), uint(2)
	if b[0]&1 != 0 {
		protocol, size = uint(b[0]), 1 // compressed: RFC 1661 section 6.5
	}
	b, n = b[size:], n-size
	switch protocol {
	case pppIPv4:
		return d.ipv4(r, b, n, level)
	case pppIPv6:
		return d.ipv6(r, b, n, level)
	case pppMPLS, pppMPLSMulti:
		return d.mpls(r, b, n, level)
	}
	return NotIP
}
