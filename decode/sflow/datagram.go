package sflow

import (
	"encoding/binary"

	"weir/decode"
)

// A datagram's header: version, agent address with its type, sub-agent (version 5 only),
// sequence number, uptime in milliseconds, number of samples.
const (
	offAgent    = 4
	afterAgent4 = 12 // bytes of version 4 header behind the address
	afterAgent5 = 16

	addrIPv4 = 1
	addrIPv6 = 2
)

// header reads a datagram's header.
func (d *Decoder) header(b []byte) {
	if len(b) < offAgent {
		d.fault(decode.ShortDatagram)
		return
	}
	d.version = be32(b)
	size := afterAgent4
	switch d.version {
	case 2, 4:
		d.datagram.Proto = decode.SFlow4
	case 5:
		d.datagram.Proto = decode.SFlow5
		size = afterAgent5
	default:
		d.fault(decode.BadVersion)
		return
	}
	exporter, b, ok := address(b[offAgent:])
	if !ok {
		d.fault(decode.BadField) // with an address of no known length nothing can follow
		return
	}
	if len(b) < size {
		d.fault(decode.ShortDatagram)
		return
	}
	dg := &d.datagram
	if exporter != (decode.Addr{}) {
		dg.Exporter = exporter // else the agent does not know its own
	}
	if size == afterAgent5 {
		dg.Domain = be32(b)
	}
	b, d.rest = b[size-afterAgent4:size], b[size:]
	dg.Valid = true
	sequence, uptime, samples := be32(b), be32(b[4:]), be32(b[8:])
	if samples > MaxSamples {
		d.fault(decode.TooMany)
		samples = MaxSamples
	}
	d.left = samples
	d.agent = d.agents.find(d.sender, dg.Exporter, dg.Domain)
	d.agent.sequence(dg, sequence, uptime)
}

// address reads an address with its type, and returns what follows it. An unknown address
// (type 0) has no bytes.
func address(b []byte) (decode.Addr, []byte, bool) {
	if len(b) < 4 {
		return decode.Addr{}, nil, false
	}
	kind, b := be32(b), b[4:]
	switch {
	case kind == 0:
		return decode.Addr{}, b, true
	case kind == addrIPv4 && len(b) >= 4:
		return known4(be32(b)), b[4:], true
	case kind == addrIPv6 && len(b) >= 16:
		return addr16(b), b[16:], true
	}
	return decode.Addr{}, nil, false
}

// known4 returns an IPv4 address; 0.0.0.0 is none.
func known4(ip uint32) decode.Addr {
	if ip == 0 {
		return decode.Addr{}
	}
	return decode.AddrFrom4(ip)
}

// addr16 returns the 16-byte address at the beginning of b.
func addr16(b []byte) decode.Addr {
	return decode.Addr{Hi: binary.BigEndian.Uint64(b), Lo: binary.BigEndian.Uint64(b[8:])}
}
