package decode

import "encoding/binary"

// ERSPAN headers (draft-foschiano-erspan-03 section 4).
const (
	erspan2Len         = 8
	erspan3Len         = 12
	erspan3PlatformLen = 8 // the optional subheader
	offERSPAN3Flags    = 10
	erspan3Platform    = 0x0001
	erspan3FrameType   = 0x7c00
	erspan3FrameIP     = 2 << 10
)

// erspan decodes ERSPAN type I, which has no header and no sequence number in GRE, and type II.
func (d *Decoder) erspan(r *Record, flags uint16, b []byte, n uint, level uint8) Status {
	if flags&greSequence == 0 {
		return d.open(r, ERSPAN, typeMAC, b, n, level)
	}
	if len(b) < erspan2Len {
		return r.short(n, erspan2Len)
	}
	return d.open(r, ERSPAN, typeMAC, b[erspan2Len:], n-erspan2Len, level)
}

// erspan3 decodes ERSPAN type III.
func (d *Decoder) erspan3(r *Record, b []byte, n uint, level uint8) Status {
	if len(b) < erspan3Len {
		return r.short(n, erspan3Len)
	}
	flags := binary.BigEndian.Uint16(b[offERSPAN3Flags:])
	size := uint(erspan3Len)
	if flags&erspan3Platform != 0 {
		size += erspan3PlatformLen
	}
	if uint(len(b)) < size {
		return r.short(n, size)
	}
	t := typeMAC
	if flags&erspan3FrameType == erspan3FrameIP {
		t = typeAnyIP
	}
	return d.open(r, ERSPAN, t, b[size:], n-size, level)
}
