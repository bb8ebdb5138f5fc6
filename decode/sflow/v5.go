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

// sample is the head of a flow sample, the same in all versions.
type sample struct {
	source               uint64 // type and index of the data source, 32 bits each
	sequence             uint32 // of the samples of this source
	rate                 uint32
	pool, drops          uint32
	inFormat, outFormat  uint32
	inIf, outIf, records uint32
}

// sample5 reads a sample of version 5 and reports whether it made a record.
func (d *Decoder) sample5(r *decode.Record) bool {
	b := d.rest
	if len(b) < tagLen {
		d.stop(missing(b))
		return false
	}
	format, size := be32(b), be32(b[4:])
	b = b[tagLen:]
	if uint64(size) > uint64(len(b)) {
		d.stop(decode.BadSetLength)
		return false
	}
	body := b[:size]
	d.rest = b[padded(int(size), len(b)):]
	switch format {
	case flowSample:
		return d.flow5(r, body)
	case expandedFlowSample:
		return d.expanded5(r, body)
	case counterSample:
		d.counters5(body, 12)
	case expandedCounterSample:
		d.counters5(body, 16)
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
func (d *Decoder) flow5(r *decode.Record, b []byte) bool {
	if len(b) < compactLen {
		d.fault(decode.BadSetLength)
		return false
	}
	s := sample{
		sequence: be32(b), source: compactSource(be32(b[4:])), rate: be32(b[8:]),
		pool: be32(b[12:]), drops: be32(b[16:]),
		inFormat: be32(b[20:]) >> formatShift, inIf: be32(b[20:]) & formatMask,
		outFormat: be32(b[24:]) >> formatShift, outIf: be32(b[24:]) & formatMask,
		records: be32(b[offCompact:]),
	}
	return d.flow(r, &s, b[compactLen:])
}

// expanded5 reads a flow sample whose source and interfaces have 32 bits each.
func (d *Decoder) expanded5(r *decode.Record, b []byte) bool {
	if len(b) < expandedLen {
		d.fault(decode.BadSetLength)
		return false
	}
	s := sample{
		sequence: be32(b), source: uint64(be32(b[4:]))<<32 | uint64(be32(b[8:])),
		rate: be32(b[12:]), pool: be32(b[16:]), drops: be32(b[20:]),
		inFormat: be32(b[24:]), inIf: be32(b[28:]),
		outFormat: be32(b[32:]), outIf: be32(b[36:]),
		records: be32(b[offRecord:]),
	}
	return d.flow(r, &s, b[expandedLen:])
}

// compactSource spreads a data source of 8 bits of type and 24 of index.
func compactSource(s uint32) uint64 { return uint64(s>>24)<<32 | uint64(s&(1<<24-1)) }

// flow reads the records of a flow sample and reports whether they made one of ours.
func (d *Decoder) flow(r *decode.Record, s *sample, b []byte) bool {
	if s.records > MaxRecords {
		d.fault(decode.TooMany)
		s.records = MaxRecords
	}
	p := packet{record: r, vlan: noVLAN}
	d.begin(r, s)
	for range s.records {
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
		if format == rawHeader {
			d.rawHeader5(&p, b[:size])
		} else {
			d.record5(&p, format, b[:size])
		}
		b = b[padded(int(size), len(b)):]
	}
	return d.finish(&p)
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

// record5 reads a flow record that is no header. What else there is – users, URLs, MPLS, NAT, and
// the addresses inside or around a tunnel – is passed over: a record has one pair of addresses.
func (d *Decoder) record5(p *packet, format uint32, b []byte) {
	switch format {
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

// rawHeader5 reads a sampled header: protocol, frame length, stripped bytes, length, header.
func (d *Decoder) rawHeader5(p *packet, b []byte) {
	const offHeader = 16
	if len(b) < offHeader {
		d.fault(decode.BadField)
		return
	}
	d.sampledHeader(p, be32(b), be32(b[4:]), be32(b[8:]), be32(b[12:]), b[offHeader:])
}
