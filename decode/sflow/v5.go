package sflow

import "weir/decode"

// Samples and records of version 5 begin with their format, of which the upper 20 bits are an
// enterprise number, and the length of what follows.
const (
	tagLen          = 8
	enterpriseShift = 12

	flowSample             = 1
	counterSample          = 2
	expandedFlowSample     = 3
	expandedCounterSample  = 4
	discardedSample        = 5 // sflow.org/sflow_drops.txt
	compactLen, offCompact = 32, 28
	expandedLen, offRecord = 44, 40
)

// next5 reads samples of version 5 until out is full.
func (d *Decoder) next5(out []decode.Record) int {
	n, b, left := 0, d.rest, d.left
	for ; n < len(out) && left > 0; left-- {
		if len(b) < tagLen {
			d.stop(missing(b))
			return n
		}
		format, size := be32(b), be32(b[4:])
		b = b[tagLen:]
		if uint64(size) > uint64(len(b)) {
			d.stop(decode.BadSetLength)
			return n
		}
		ok := false
		if format == flowSample {
			ok = d.flow5(&out[n], b[:size])
		} else {
			ok = d.sample5(&out[n], format, b[:size])
		}
		if ok {
			n++
		}
		b = b[padded(int(size), len(b)):]
	}
	d.rest, d.left = b, left
	return n
}

// sample5 reads the body of a sample that is not flowSample and reports whether it made a record.
func (d *Decoder) sample5(r *decode.Record, format uint32, b []byte) bool {
	switch format {
	case expandedFlowSample:
		return d.expanded5(r, b)
	case counterSample:
		d.counters5(b, 12)
	case expandedCounterSample:
		d.counters5(b, 16)
	case discardedSample:
		d.datagram.Discarded++
	default:
		d.datagram.Skipped[decode.Foreign]++
	}
	return false
}

// missing is the fault of a sample or record of which only b is there.
func missing(b []byte) decode.Fault {
	if len(b) == 0 {
		return decode.BadCount
	}
	return decode.ShortDatagram
}

// flow5 reads a flow sample: sequence number, source, rate, pool, drops, input, output, records.
// Nearly every one begins with the header of an Ethernet frame, and many end with it: that way is
// straight, with as few calls as can be.
func (d *Decoder) flow5(r *decode.Record, b []byte) bool {
	if len(b) < firstHeader || be32(b[compactLen:]) != rawHeader ||
		be32(b[compactLen+tagLen:]) != headerEthernet || be32(b[offCompact:]) == 0 {
		return d.anyFlow5(r, b)
	}
	size, header := uint64(be32(b[compactLen+4:])), uint64(be32(b[firstHeader-4:]))
	if size > uint64(len(b)-compactLen-tagLen) || header+headerAt-tagLen > size {
		return d.anyFlow5(r, b)
	}
	d.begin(r, compactSource(be32(b[4:])), be32(b[8:]), be32(b[12:]), be32(b[16:]))
	in, out := be32(b[20:]), be32(b[24:])
	r.Flow = decode.Flow{}
	r.Flow.InIf, r.Flow.OutIf = in, out
	if in >= internal || out >= internal { // a format, or none
		r.Flow = interfaces(in>>formatShift, in&formatMask, out>>formatShift, out&formatMask)
	}
	frame, stripped := be32(b[compactLen+tagLen+4:]), be32(b[compactLen+tagLen+8:])
	d.inner.Decode(r, decode.LinkEthernet, b[firstHeader:firstHeader+header],
		frame-min(stripped, frame))
	r.Wire = max(frame, r.Wire)
	if d.want != Counted {
		class(r, decode.LinkEthernet, b[firstHeader:firstHeader+header])
	}
	n := be32(b[offCompact:])
	if n == 1 && r.Version != 0 {
		return true
	}
	b = b[compactLen+tagLen:]
	return d.records5(r, n-1, b[padded(int(size), len(b)):], frame)
}

// anyFlow5 reads a flow sample that begins with anything else.
func (d *Decoder) anyFlow5(r *decode.Record, b []byte) bool {
	if len(b) < compactLen {
		d.fault(decode.BadSetLength)
		return false
	}
	d.begin(r, compactSource(be32(b[4:])), be32(b[8:]), be32(b[12:]), be32(b[16:]))
	in, out := be32(b[20:]), be32(b[24:])
	r.Flow = interfaces(in>>formatShift, in&formatMask, out>>formatShift, out&formatMask)
	return d.records5(r, be32(b[offCompact:]), b[compactLen:], 0)
}

// expanded5 reads a flow sample whose source and interfaces have 32 bits each.
func (d *Decoder) expanded5(r *decode.Record, b []byte) bool {
	if len(b) < expandedLen {
		d.fault(decode.BadSetLength)
		return false
	}
	source := uint64(be32(b[4:]))<<32 | uint64(be32(b[8:]))
	d.begin(r, source, be32(b[12:]), be32(b[16:]), be32(b[20:]))
	r.Flow = interfaces(be32(b[24:]), be32(b[28:]), be32(b[32:]), be32(b[36:]))
	return d.records5(r, be32(b[offRecord:]), b[expandedLen:], 0)
}

// compactSource spreads a data source of 8 bits of type and 24 of index.
func compactSource(s uint32) uint64 { return uint64(s>>24)<<32 | uint64(s&(1<<24-1)) }

// records5 reads n records of a flow sample of which a header may have been read, of a frame of
// that length, and reports whether they all made one of ours.
func (d *Decoder) records5(r *decode.Record, n uint32, b []byte, frame uint32) bool {
	if n > MaxRecords {
		d.fault(decode.TooMany)
		n = MaxRecords
	}
	p := packet{record: r, frame: frame}
	for range n {
		if len(b) < tagLen {
			d.fault(missing(b))
			break
		}
		format, size := be32(b), be32(b[4:])
		b = b[tagLen:]
		if uint64(size) > uint64(len(b)) {
			d.fault(decode.BadSetLength)
			break
		}
		d.record5(&p, format, b[:size])
		b = b[padded(int(size), len(b)):]
	}
	return r.Version != 0 && p.vlan == 0 || d.finish(&p)
}

// Formats of flow records.
const (
	rawHeader       = 1
	sampledEthernet = 2
	sampledIPv4     = 3
	sampledIPv6     = 4
	extendedSwitch  = 1001
	extendedRouter  = 1002
	extendedGateway = 1003
)

// record5 reads a flow record. What else there is – users, URLs, MPLS, NAT, and
// the addresses inside or around a tunnel – is passed over: a record has one pair of addresses.
func (d *Decoder) record5(p *packet, format uint32, b []byte) {
	switch format {
	case rawHeader:
		d.rawHeader5(p, b)
	case sampledEthernet:
		d.ethernet(p, b)
	case sampledIPv4:
		d.sampledIP(p, b, 4)
	case sampledIPv6:
		d.sampledIP(p, b, 6)
	case extendedSwitch:
		d.switched(p, b)
	case extendedRouter:
		d.routed(p, b)
	case extendedGateway:
		d.gateway(p, b)
	default:
		if format>>enterpriseShift != 0 {
			d.datagram.Skipped[decode.Foreign]++
		}
	}
}

// headerAt is where in a record the sampled header begins: behind protocol, frame length, stripped
// bytes and its own length.
const headerAt = tagLen + 16

// firstHeader is where in a flow sample that begins with a sampled header that begins.
const firstHeader = compactLen + headerAt

// rawHeader5 reads a sampled header.
func (d *Decoder) rawHeader5(p *packet, b []byte) {
	if len(b) < headerAt-tagLen {
		d.fault(decode.BadField)
		return
	}
	d.sampledHeader(p, be32(b), be32(b[4:]), be32(b[8:]), be32(b[12:]), b[headerAt-tagLen:])
}
