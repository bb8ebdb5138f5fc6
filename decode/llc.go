package decode

import "encoding/binary"

// Lengths of an 802.2 LLC header with a one-byte control field, and of SNAP behind it
// (IEEE 802 section 9.2, RFC 1042).
const (
	llcLen  = 3
	snapLen = llcLen + 5
)

const (
	sapIP   = 0x06
	sapSNAP = 0xaa
	llcUI   = 0x03 // unnumbered information

	ouiEthernet = 0x000000 // the protocol ID is an ethertype
	ouiCisco90  = 0x0000f8 // so it is here
)

// llc decodes an 802.2 LLC header. Only SNAP and the SAP of IP lead to IP.
func (d *Decoder) llc(r *Record, b []byte, n uint, level uint8) Status {
	b = clip(b, n)
	if len(b) < llcLen {
		return r.short(n, llcLen)
	}
	if b[0] == sapIP && b[1] == sapIP && b[2] == llcUI {
		return d.ipv4(r, b[llcLen:], n-llcLen, level)
	}
	if b[0] != sapSNAP || b[1] != sapSNAP || b[2] != llcUI {
		return NotIP
	}
	if len(b) < snapLen {
		return r.short(n, snapLen)
	}
	oui := binary.BigEndian.Uint32(b[2:]) & 0xffffff
	if oui != ouiEthernet && oui != ouiCisco90 {
		return NotIP
	}
	t := ethertype(binary.BigEndian.Uint16(b[snapLen-2:]))
	return d.payload(r, t, b[snapLen:], n-snapLen, level)
}
