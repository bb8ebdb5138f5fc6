package sflow

import "weir/decode"

// An interface is a format in the two high bits and a value below.
const (
	formatShift = 30
	formatMask  = 1<<formatShift - 1

	formatIndex   = 0 // of the SNMP ifIndex; 0 is not known
	formatDiscard = 1 // the packet was dropped, for this reason

	internal = formatMask // an index that is none: the packet came from, or ended in, the device

	forUs = 3 // RFC 7270 section 4.12: terminated, for us
)

// dropReason returns the reason of RFC 7270 section 4.12 for a reason of sFlow: below 256 a code
// of ICMP destination unreachable, beyond it one of its own.
func dropReason(reason uint32) uint8 {
	switch reason {
	case 0, 1, 5, 6, 7, 11, 12:
		return 3 // unroutable
	case 9, 10, 13, 258:
		return 1 // denied by an access list
	case 4, 262:
		return 5 // too big
	case 257:
		return 9 // TTL
	case 260:
		return 11 // RED
	case 261:
		return 10 // policer
	}
	return 0
}

// switched reads extended switch data: VLAN and priority, in and out.
func (d *Decoder) switched(p *packet, b []byte) {
	if len(b) < 16 {
		d.fault(decode.BadField)
		return
	}
	// 0 and 4095 are no VLANs, but what agents write for a port without one.
	if v := be32(b); v > 0 && v < 1<<12-1 {
		p.vlan = uint16(v)
	}
}

// routed reads extended router data: next hop, lengths of the two prefixes.
func (d *Decoder) routed(p *packet, b []byte) {
	if d.want == Counted {
		return
	}
	hop, _, ok := address(b)
	if !ok {
		d.fault(decode.BadField)
		return
	}
	if hop != (decode.Addr{}) {
		p.record.Flow.NextHop = hop
	}
}

// gateway reads extended gateway data: BGP's next hop, the router's AS, that of the source, its
// peer's, the path to the destination, communities, local preference.
func (d *Decoder) gateway(p *packet, b []byte) {
	if d.want == Counted {
		return
	}
	hop, b, ok := address(b)
	if !ok || len(b) < 16 {
		d.fault(decode.BadField)
		return
	}
	f := &p.record.Flow
	if f.NextHop == (decode.Addr{}) {
		f.NextHop = hop
	}
	f.SrcAS = be32(b[4:])
	dst, _, ok := lastAS(b[12:])
	if !ok {
		d.fault(decode.BadField)
	}
	f.DstAS = dst
}

// lastAS reads an AS path, segments of a type and a list, and returns its last AS, 0 if it is
// empty, and what follows it. It returns false, and what it read so far, if b ends before.
func lastAS(b []byte) (uint32, []byte, bool) {
	if len(b) < 4 {
		return 0, nil, false
	}
	segments, last := be32(b), uint32(0)
	b = b[4:]
	for range segments {
		if len(b) < 8 {
			return last, nil, false
		}
		n := be32(b[4:])
		b = b[8:]
		if uint64(n)*4 > uint64(len(b)) {
			return last, nil, false
		}
		if n > 0 {
			last = be32(b[4*(n-1):])
		}
		b = b[4*n:]
	}
	return last, b, true
}
