package decode

import "encoding/binary"

// ethernetLen is the length of an Ethernet header: two addresses and the type
// (IEEE 802.3 section 3.1.1).
const (
	offEtherType = 12
	ethernetLen  = offEtherType + 2
)

// ethernet decodes an Ethernet II or 802.3 frame.
func (d *Decoder) ethernet(r *Record, b []byte, n uint, level uint8) Status {
	if len(b) < ethernetLen {
		return r.short(n, ethernetLen)
	}
	t := ethertype(binary.BigEndian.Uint16(b[offEtherType:]))
	return d.tagged(r, t, b[ethernetLen:], n-ethernetLen, level)
}

// tagged decodes what follows the type field of an Ethernet header or a VLAN tag.
func (d *Decoder) tagged(r *Record, t ethertype, b []byte, n uint, level uint8) Status {
	if t < minType {
		if t < llcLen {
			return NotIP
		}
		return d.llc(r, b, min(n, uint(t)), level)
	}
	return d.payload(r, t, b, n, level)
}

// vlanLen is the length of a VLAN tag behind its ethertype: priority and ID, and the type of
// what follows (IEEE 802.1Q section 9.3).
const vlanLen = 4

// vlan decodes a run of VLAN tags of any ethertype.
func (d *Decoder) vlan(r *Record, b []byte, n uint, level uint8) Status {
	for {
		if len(b) < vlanLen {
			return r.short(n, vlanLen)
		}
		if r.NVLAN == MaxTags {
			return TooDeep
		}
		r.VLAN[r.NVLAN] = binary.BigEndian.Uint16(b) & 0xfff
		r.NVLAN++
		t := ethertype(binary.BigEndian.Uint16(b[2:]))
		b, n = b[vlanLen:], n-vlanLen
		switch t {
		case typeVLAN, typeQinQ, typeQinQOld:
		case typeIPv4: // as after Ethernet
			return d.ipv4(r, b, n, level)
		case typeMPLS:
			return d.mpls(r, b, n, level)
		default:
			return d.tagged(r, t, b, n, level)
		}
	}
}
