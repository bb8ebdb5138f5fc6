package decode

// A VXLAN header (RFC 7348 section 5) and its generic extension (draft-ietf-nvo3-vxlan-gpe-12
// section 3).
const (
	vxlanLen      = 8
	vxlanValid    = 0x08 // the I flag: there is a VNI
	vxlanNextFlag = 0x04 // the P flag: there is a next protocol
	offVXLANNext  = 3
	vxlanNextIPv4 = 1
	vxlanNextIPv6 = 2
	vxlanNextMAC  = 3
	vxlanNextMPLS = 5
)

// vxlan decodes a VXLAN header. One without the I flag is invalid, but some send it so: then the
// content must look like a frame.
func (d *Decoder) vxlan(r *Record, b []byte, n uint, level uint8) Status {
	if len(b) < vxlanLen {
		return r.cut(n, vxlanLen)
	}
	if b[0]&vxlanValid == 0 && !likelyEthernet(b[vxlanLen:]) {
		return OK
	}
	return d.open(r, VXLAN, typeMAC, b[vxlanLen:], n-vxlanLen, level)
}

// vxlanGPE decodes a VXLAN-GPE header.
func (d *Decoder) vxlanGPE(r *Record, b []byte, n uint, level uint8) Status {
	if len(b) < vxlanLen {
		return r.cut(n, vxlanLen)
	}
	if b[0]&vxlanNextFlag == 0 {
		return d.vxlan(r, b, n, level)
	}
	var t ethertype
	switch b[offVXLANNext] {
	case vxlanNextIPv4:
		t = typeIPv4
	case vxlanNextIPv6:
		t = typeIPv6
	case vxlanNextMAC:
		t = typeMAC
	case vxlanNextMPLS:
		t = typeMPLS
	default:
		return OK
	}
	return d.open(r, VXLAN, t, b[vxlanLen:], n-vxlanLen, level)
}
