package decode

import "encoding/binary"

// A Geneve header (RFC 8926 section 3.4).
const (
	offGeneveType = 2
	geneveMinLen  = 8
	geneveVersion = 0xc0 // 0 is the only one
	geneveOptLen  = 0x3f // of the options, in units of 4 bytes
)

// geneve decodes a Geneve header.
func (d *Decoder) geneve(r *Record, b []byte, n uint, level uint8) Status {
	if len(b) < geneveMinLen {
		return r.cut(n, geneveMinLen)
	}
	if b[0]&geneveVersion != 0 {
		return OK
	}
	size := geneveMinLen + uint(b[0]&geneveOptLen)*4
	if uint(len(b)) < size {
		return r.cut(n, size)
	}
	t := tunnelled(binary.BigEndian.Uint16(b[offGeneveType:]))
	return d.open(r, Geneve, t, b[size:], n-size, level)
}
