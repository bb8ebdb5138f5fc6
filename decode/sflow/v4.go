package sflow

import "weir/decode"

// Versions 2 and 4 (RFC 3176 section 4): samples have a type, but no length, so that all of a
// sample must be read to find the next.
const (
	sampleHead4 = 28 // sequence number, source, rate, pool, drops, input, output

	multiple4 = 1 << 31 // of an output: the number of interfaces

	packetHeader4 = 1
	packetIPv4    = 2
	packetIPv6    = 3

	extSwitch4  = 1
	extRouter4  = 2
	extGateway4 = 3
	extUser4    = 4
	extURL4     = 5
)

// next4 reads samples of version 2 or 4 until out is full.
func (d *Decoder) next4(out []decode.Record) int {
	n := 0
	for n < len(out) && d.left > 0 {
		d.left--
		b := d.rest
		if len(b) < 4 {
			d.stop(missing(b))
			break
		}
		d.rest = b[4:]
		switch be32(b) {
		case flowSample:
			if d.flow4(&out[n]) {
				n++
			}
		case counterSample:
			d.counters4()
		default:
			d.datagram.Skipped[decode.Foreign]++
			d.stop(decode.BadField)
		}
	}
	return n
}

// flow4 reads a flow sample: its head, a packet in one of three forms, extended data.
func (d *Decoder) flow4(r *decode.Record) bool {
	b := d.rest
	if len(b) < sampleHead4+4 {
		d.stop(decode.ShortDatagram)
		return false
	}
	d.begin(r, compactSource(be32(b[4:])), be32(b[8:]), be32(b[12:]), be32(b[16:]))
	r.Flow = decode.Flow{InIf: be32(b[20:])}
	if out := be32(b[24:]); out&multiple4 == 0 {
		r.Flow.OutIf = out
	}
	d.rest = b[sampleHead4:]
	p := packet{record: r}
	// What was read of a sample whose end is missing is as good as the rest.
	if d.packet4(&p) {
		d.extended4(&p)
	}
	return r.Version != 0 && p.vlan == 0 || d.finish(&p)
}

// packet4 reads a packet's type and data. It reports whether the datagram goes on.
func (d *Decoder) packet4(p *packet) bool {
	kind, b := be32(d.rest), d.rest[4:]
	switch kind {
	case packetHeader4:
		const offHeader = 12 // protocol, frame length, length
		if len(b) < offHeader {
			d.stop(decode.ShortDatagram)
			return false
		}
		size := be32(b[8:])
		if uint64(size) > uint64(len(b)-offHeader) {
			d.stop(decode.BadSetLength)
			return false
		}
		protocol, frame := be32(b), be32(b[4:])
		b = b[offHeader:]
		d.sampledHeader(p, protocol, frame, 0, size, b)
		d.rest = b[padded(int(size), len(b)):]
		return true
	case packetIPv4:
		return d.packetIP4(p, b, sampledIPv4Len, 4)
	case packetIPv6:
		return d.packetIP4(p, b, sampledIPv6Len, 6)
	}
	d.stop(decode.BadField)
	return false
}

// packetIP4 reads sampled IPv4 or IPv6 data, which has the layout of version 5.
func (d *Decoder) packetIP4(p *packet, b []byte, size int, version uint8) bool {
	if len(b) < size {
		d.stop(decode.ShortDatagram)
		return false
	}
	d.sampledIP(p, b[:size], version)
	d.rest = b[size:]
	return true
}

// extended4 reads the extended data of a flow sample.
func (d *Decoder) extended4(p *packet) {
	if len(d.rest) < 4 {
		d.stop(decode.ShortDatagram)
		return
	}
	n := be32(d.rest)
	d.rest = d.rest[4:]
	if n > MaxRecords {
		d.stop(decode.TooMany)
		return
	}
	for range n {
		if len(d.rest) < 4 {
			d.stop(missing(d.rest))
			return
		}
		kind := be32(d.rest)
		b := d.rest[4:]
		size, ok := d.extendedLen4(kind, b)
		if !ok || size > len(b) {
			d.stop(decode.BadField)
			return
		}
		d.rest = b[size:]
		switch kind {
		case extSwitch4:
			d.switched(p, b[:size])
		case extRouter4:
			d.routed(p, b[:size])
		case extGateway4:
			d.gateway4(p, b[:size])
		}
	}
}

// extendedLen4 returns how long extended data of a kind is, and false if it does not fit in b or
// the kind is not known.
func (d *Decoder) extendedLen4(kind uint32, b []byte) (int, bool) {
	switch kind {
	case extSwitch4:
		return 16, true
	case extRouter4:
		_, rest, ok := address(b)
		return len(b) - len(rest) + 8, ok
	case extGateway4:
		return d.gatewayLen4(b)
	case extUser4:
		n, ok := opaqueLen(b)
		if !ok {
			return 0, false
		}
		m, ok := opaqueLen(b[n:])
		return n + m, ok
	case extURL4:
		if len(b) < 4 {
			return 0, false
		}
		n, ok := opaqueLen(b[4:])
		return 4 + n, ok
	}
	return 0, false
}

// opaqueLen returns the length of XDR opaque data with its own length and padding.
func opaqueLen(b []byte) (int, bool) {
	if len(b) < 4 || uint64(be32(b)) > uint64(len(b)-4) {
		return 0, false
	}
	return 4 + padded(int(be32(b)), len(b)-4), true
}

const gatewayHead4 = 12 // the router's AS, that of the source, its peer's

// gatewayLen4 returns the length of extended gateway data. In version 2 the path is one list, and
// nothing follows it.
func (d *Decoder) gatewayLen4(b []byte) (int, bool) {
	if len(b) < gatewayHead4 {
		return 0, false
	}
	path := b[gatewayHead4:]
	if d.version == 2 {
		n, ok := listLen(path)
		return gatewayHead4 + n, ok
	}
	_, rest, ok := lastAS(path)
	if !ok {
		return 0, false
	}
	n, ok := listLen(rest) // communities, then local preference
	return len(b) - len(rest) + n + 4, ok
}

// listLen returns the length of a list of integers with its count.
func listLen(b []byte) (int, bool) {
	if len(b) < 4 || uint64(be32(b))*4 > uint64(len(b)-4) {
		return 0, false
	}
	return 4 + 4*int(be32(b)), true
}

// gateway4 reads extended gateway data that is wholly there; it has no next hop.
func (d *Decoder) gateway4(p *packet, b []byte) {
	if d.want == Counted {
		return
	}
	f := &p.record.Flow
	f.SrcAS = be32(b[4:])
	path := b[gatewayHead4:]
	if d.version != 2 {
		f.DstAS, _, _ = lastAS(path)
		return
	}
	if n := be32(path); n > 0 {
		f.DstAS = be32(path[4*n:])
	}
}
