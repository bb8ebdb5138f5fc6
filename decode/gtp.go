package decode

import "encoding/binary"

// A GTP-U header (3GPP TS 29.281 section 5.1) and its extension headers (section 5.2.1).
const (
	offGTPType    = 1
	offGTPLength  = 2 // of what follows the first 8 bytes
	gtpMinLen     = 8
	gtpVersion    = 0xf0 // version and protocol type
	gtpVersion1   = 0x30
	gtpOptional   = 0x07 // any of these flags brings the optional fields
	gtpExtended   = 0x04
	gtpGPDU       = 255
	gtpOptLen     = 4 // sequence, N-PDU number, type of the first extension header
	gtpExtUnit    = 4
	maxGTPHeaders = 8 // the most extension headers that we follow
)

// gtp decodes a GTP-U header. Only a G-PDU carries a user's packet.
func (d *Decoder) gtp(r *Record, b []byte, n uint, level uint8) Status {
	if len(b) < gtpMinLen {
		return r.cut(n, gtpMinLen)
	}
	flags := b[0]
	if flags&gtpVersion != gtpVersion1 || b[offGTPType] != gtpGPDU {
		return OK
	}
	length := uint(binary.BigEndian.Uint16(b[offGTPLength:]))
	b, n = b[gtpMinLen:], n-gtpMinLen
	lies := length > n
	b, n = clip(b, length), min(n, length)
	if flags&gtpOptional != 0 {
		size, s := r.gtpOptions(flags, b, n)
		if s != OK || size == 0 {
			return s
		}
		b, n = b[size:], n-size
	}
	s := d.open(r, GTP, typeAnyIP, b, n, level)
	if s == OK && lies {
		return BadLength
	}
	return s
}

// gtpOptions returns the length of the optional fields and extension headers at the head of b;
// 0 is what cannot be GTP.
func (r *Record) gtpOptions(flags byte, b []byte, n uint) (uint, Status) {
	if len(b) < gtpOptLen {
		return 0, r.cut(n, gtpOptLen)
	}
	size := uint(gtpOptLen)
	if flags&gtpExtended == 0 || b[gtpOptLen-1] == 0 {
		return size, OK
	}
	for range maxGTPHeaders {
		if uint(len(b)) <= size {
			return 0, r.cut(n, size+1)
		}
		if b[size] == 0 {
			return 0, OK
		}
		size += uint(b[size]) * gtpExtUnit
		if uint(len(b)) < size {
			return 0, r.cut(n, size)
		}
		if b[size-1] == 0 {
			return size, OK
		}
	}
	return 0, TooDeep
}
