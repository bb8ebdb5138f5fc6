package sflow

import (
	"weir/decode"
)

// packet is a sampled packet in the making, from several records about it.
type packet struct {
	record  *decode.Record
	ip      []byte // sampled IPv4 or IPv6 record, for want of a header
	version uint8  // of ip
	unread  bool   // there is a header of a protocol that is not read
	vlan    uint16 // of extended switch data; 0: none
	frame   uint32 // length of the frame; 0: not told
}

// begin fills what the head of a flow sample tells, except Flow.
func (d *Decoder) begin(r *decode.Record, source uint64, rate, pool, drops uint32) {
	r.Packets = 1
	r.Version = 0
	if rate == 0 || d.override != 0 {
		r.Sampling = d.untold()
		return
	}
	if d.want != All {
		if d.first {
			d.first = false
			d.agent.compare(source, rate, pool)
		}
		known := d.sources.find(d.agent.tag, source, d.agents.tick)
		rate = known.add(d.agent, rate, pool, drops)
	}
	r.Sampling = min(rate, decode.MaxSampling)
	d.datagram.Learned, d.datagram.Rate = decode.RateRecord, r.Sampling
}

// untold returns the sampling rate where the sample has none, or the configuration overrides it.
func (d *Decoder) untold() uint32 {
	rate, learned := d.override, decode.RateConfigured
	if rate == 0 {
		rate, learned = d.fallback, decode.RateUnknown
	}
	d.datagram.Learned, d.datagram.Rate = learned, rate
	return rate
}

// interfaces returns what formats and values of input and output say.
func interfaces(inFormat, in, outFormat, out uint32) decode.Flow {
	var f decode.Flow
	if inFormat == formatIndex && in != internal {
		f.InIf = in
	}
	switch {
	case outFormat == formatDiscard:
		f.Forwarding = decode.Dropped | dropReason(out)
	case outFormat != formatIndex:
	case out == internal:
		f.Forwarding = decode.Consumed | forUs
	default:
		f.OutIf = out
	}
	return f
}

// sampledHeader decodes the first bytes of a frame. b is what the record holds; size of it are
// header. A second header of a sample is read only if the first gave no addresses.
func (d *Decoder) sampledHeader(p *packet, protocol, frame, stripped, size uint32, b []byte) {
	if uint64(size) > uint64(len(b)) {
		d.fault(decode.BadField)
		size = uint32(len(b))
	}
	r := p.record
	if r.Version != 0 {
		return
	}
	p.frame = max(p.frame, frame)
	link, ok := linkOf(protocol)
	if !ok {
		p.unread = true
		return
	}
	d.frame(r, link, frame, stripped, b[:size])
}

// frame decodes the first bytes of a frame of n bytes. What was stripped off was in front of
// header or behind what it describes: either way it is not part of that.
func (d *Decoder) frame(r *decode.Record, link decode.Link, n, stripped uint32, header []byte) {
	d.inner.Decode(r, link, header, n-min(stripped, n))
	r.Wire = max(n, r.Wire)
	if d.want != Counted {
		class(r, link, header)
	}
}

// class tells the traffic class of a packet outside any tunnel, which its header holds.
func class(r *decode.Record, link decode.Link, header []byte) {
	if r.Version != 0 && r.NTunnels == 0 {
		r.Flow.TOS = decode.TrafficClass(link, header)
	}
}

// Header protocols that are read. Of the others – token ring, FDDI, frame relay, X.25, SMDS, AAL5,
// aggregates of 802.11, InfiniBand – none carries the traffic of a network's edge today.
const (
	headerEthernet = 1
	headerPPP      = 7
	headerIPv4     = 11
	headerIPv6     = 12
	headerMPLS     = 13
	headerPOS      = 14 // PPP over SONET, with framing
	headerWLAN     = 15
)

// linkOf returns the link type of a header protocol, and false if it is not read.
func linkOf(protocol uint32) (decode.Link, bool) {
	switch protocol {
	case headerEthernet:
		return decode.LinkEthernet, true
	case headerPPP, headerPOS:
		return decode.LinkPPP, true
	case headerIPv4:
		return decode.LinkIPv4, true
	case headerIPv6:
		return decode.LinkIPv6, true
	case headerMPLS:
		return decode.LinkMPLS, true
	case headerWLAN:
		return decode.LinkWLAN, true
	}
	return 0, false
}

// finish completes the record, and reports whether it has addresses.
func (d *Decoder) finish(p *packet) bool {
	r := p.record
	if r.Version == 0 && !p.fromIP() {
		if p.unread {
			d.datagram.Skipped[decode.NoHeader]++
		} else {
			d.datagram.Skipped[decode.NoAddresses]++
		}
		return false
	}
	if p.vlan != 0 && r.NVLAN == 0 {
		r.VLAN[0], r.NVLAN = p.vlan, 1
	}
	return true
}

// A sampled IPv4 record: length, protocol, addresses, ports, TCP flags, TOS; in one of IPv6 the
// addresses have 16 bytes each.
const (
	sampledIPv4Len = 32
	sampledIPv6Len = 56
)

// sampledIP keeps a record of what an agent that keeps no headers read in them.
func (d *Decoder) sampledIP(p *packet, b []byte, version uint8) {
	if len(b) < sampledIPv4Len || version == 6 && len(b) < sampledIPv6Len {
		d.fault(decode.BadField)
		return
	}
	if p.ip == nil {
		p.ip, p.version = b, version
	}
}

// fromIP fills the record from a sampled IPv4 or IPv6 record, and reports whether there is one.
func (p *packet) fromIP() bool {
	b, r := p.ip, p.record
	if b == nil {
		return false
	}
	length, proto := be32(b), be32(b[4:])
	*r = decode.Record{
		Packets: 1, Sampling: r.Sampling, Flow: r.Flow, Version: p.version, Proto: uint8(proto),
		IPLen: length, Bytes: uint64(length), Wire: max(length, p.frame),
	}
	if p.version == 4 {
		r.Src, r.Dst = decode.AddrFrom4(be32(b[8:])), decode.AddrFrom4(be32(b[12:]))
		b = b[16:]
	} else {
		r.Src, r.Dst = addr16(b[8:]), addr16(b[24:])
		b = b[40:]
	}
	switch proto {
	case 6, 17, 33, 132, 136: // TCP, UDP, DCCP, SCTP, UDP-Lite; for ICMP nobody says what it is
		r.SrcPort, r.DstPort = uint16(be32(b)), uint16(be32(b[4:]))
	}
	if proto == 6 {
		r.TCPFlags = uint8(be32(b[8:]))
	}
	r.Flow.TOS = uint8(be32(b[12:]))
	return true
}

// ethernet reads a sampled Ethernet record: length, two MAC addresses in eight bytes each, type.
func (d *Decoder) ethernet(p *packet, b []byte) {
	if len(b) < 24 {
		d.fault(decode.BadField)
		return
	}
	p.frame = max(p.frame, be32(b))
}
