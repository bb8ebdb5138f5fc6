package decode

import "encoding/binary"

// A GRE header: flags and version, type, and the optional fields that flags announce (RFC 1701,
// RFC 2784, RFC 2890; version 1 is PPTP's, RFC 2637 section 4.1).
const (
	greChecksum = 0x8000
	greRouting  = 0x4000
	greKey      = 0x2000
	greSequence = 0x1000
	greAck      = 0x0080 // version 1
	greVersion  = 0x0007

	greMinLen   = 4
	greFieldLen = 4 // of each optional field; checksum and offset are one
	sreLen      = 4 // source route entry, without its routing information
	maxSRE      = 8 // the most that we follow
)

// GRE protocol types that are not ethertypes of the same meaning.
const (
	greERSPAN3 = 0x22eb
	greEoIP    = 0x6400 // MikroTik: version 1, its key is length and tunnel
	greWLANMin = 0x8200 // Aruba: 802.11 frames, one type per forwarding kind
	greWLANMax = 0x83ff
	greWCCP    = 0x883e // before IPv4 there may be a redirect header of 4 bytes
	greERSPAN  = 0x88be // types I and II
	greWLAN    = 0x9000
)

// gre decodes a GRE header.
func (d *Decoder) gre(r *Record, b []byte, n uint, level uint8) Status {
	if len(b) < greMinLen {
		return r.short(n, greMinLen)
	}
	flags := binary.BigEndian.Uint16(b)
	protocol := binary.BigEndian.Uint16(b[2:])
	if flags&greVersion > 1 {
		return BadHeader
	}
	size := uint(greMinLen)
	if flags&(greChecksum|greRouting) != 0 {
		size += greFieldLen
	}
	if flags&greKey != 0 {
		size += greFieldLen
	}
	if flags&greSequence != 0 {
		size += greFieldLen
	}
	if flags&(greVersion|greAck) == 1|greAck {
		size += greFieldLen
	}
	if uint(len(b)) < size {
		return r.short(n, size)
	}
	if flags&greRouting != 0 {
		routes, s := r.greRoutes(b[size:], n-size)
		if s != OK {
			return s
		}
		size += routes
	}
	if n == size {
		return OK // an acknowledgement or a keepalive
	}
	return d.grePayload(r, flags, protocol, b[size:], n-size, level)
}

// greRoutes returns the length of the source route entries at the head of b; one without family
// and length ends them (RFC 1701).
func (r *Record) greRoutes(b []byte, n uint) (uint, Status) {
	size := uint(0)
	for range maxSRE {
		if uint(len(b)) < size+sreLen {
			return 0, r.short(n, size+sreLen)
		}
		entry := binary.BigEndian.Uint32(b[size:])
		size += sreLen + uint(entry&0xff)
		if uint(len(b)) < size {
			return 0, r.short(n, size)
		}
		if entry&0xffff00ff == 0 {
			return size, OK
		}
	}
	return 0, TooDeep
}

// grePayload decodes what a GRE header carries.
func (d *Decoder) grePayload(
	r *Record, flags, protocol uint16, b []byte, n uint, level uint8,
) Status {
	switch {
	case protocol == greERSPAN:
		return d.erspan(r, flags, b, n, level)
	case protocol == greERSPAN3:
		return d.erspan3(r, b, n, level)
	case protocol == greEoIP:
		return d.open(r, GRE, typeMAC, b, n, level)
	case protocol == greWLAN || protocol >= greWLANMin && protocol <= greWLANMax:
		return d.open(r, GRE, typeWLAN, b, n, level)
	case protocol == greWCCP:
		if len(b) >= 4 && b[0]>>4 != 4 {
			b, n = b[4:], n-4
		}
		return d.open(r, GRE, typeIPv4, b, n, level)
	}
	switch t := tunnelled(protocol); t {
	case typeIPv4, typeIPv6, typeMPLS, typeMPLSMulti, typeMAC, typePPP:
		return d.open(r, GRE, t, b, n, level)
	}
	return OK
}

// greUDP decodes GRE in UDP (RFC 8086). Only the port speaks for it: what is not GRE is no
// damage.
func (d *Decoder) greUDP(r *Record, b []byte, n uint, level uint8) Status {
	s := d.gre(r, b, n, level)
	if r.NTunnels == level && (s == BadHeader || s == BadLength) {
		return OK
	}
	return s
}
