package sflow

import (
	"fmt"
	"net/netip"
	"strings"

	"weir/decode"
	"weir/decode/sflow/sflowtest"
)

var (
	agent4 = netip.MustParseAddr("192.0.2.9")
	socket = decode.AddrFrom(netip.MustParseAddr("198.51.100.1"))
)

// read decodes a datagram, one record at a time into memory full of rubbish.
func read(d *Decoder, payload []byte) []decode.Record {
	d.Begin(&decode.Arrival{Payload: payload, Source: socket})
	var all []decode.Record
	for {
		out := [1]decode.Record{scribbled()}
		if d.Next(out[:]) == 0 {
			return all
		}
		all = append(all, out[0])
	}
}

// scribbled returns a record with something in every field.
func scribbled() decode.Record {
	a := decode.Addr{Hi: 7, Lo: 8}
	r := decode.Record{
		Src: a, Dst: a, Packets: 77, Bytes: 77, IPLen: 77, Sampling: 77, Wire: 77, SrcPort: 77,
		DstPort: 77, Proto: 77, TCPFlags: 77, TTL: 77, Version: 77, Fragment: 2, NVLAN: 3,
		NMPLS: 3, NTunnels: 3, IPFlags: 3,
	}
	r.Flow = decode.Flow{
		Start: 7, End: 7, NextHop: a, SrcAS: 7, DstAS: 7, InIf: 7, OutIf: 7, Forwarding: 7, TOS: 7,
	}
	return r
}

// shown returns what of a record is not zero, in short.
func shown(r *decode.Record) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%v:%d>%v:%d %d", r.Src.Netip(), r.SrcPort, r.Dst.Netip(), r.DstPort, r.Proto)
	add := func(name string, v uint64) {
		if v != 0 {
			fmt.Fprintf(&s, " %s=%d", name, v)
		}
	}
	add("ip", uint64(r.IPLen))
	if r.Bytes != uint64(r.IPLen) {
		add("bytes", r.Bytes)
	}
	add("wire", uint64(r.Wire))
	add("1:", uint64(r.Sampling))
	add("flags", uint64(r.TCPFlags))
	add("ttl", uint64(r.TTL))
	for _, v := range r.VLAN[:r.NVLAN] {
		add("vlan", uint64(v))
	}
	for _, v := range r.MPLS[:r.NMPLS] {
		add("mpls", uint64(v))
	}
	f := &r.Flow
	add("in", uint64(f.InIf))
	add("out", uint64(f.OutIf))
	add("status", uint64(f.Forwarding))
	add("tos", uint64(f.TOS))
	add("from", uint64(f.SrcAS))
	add("to", uint64(f.DstAS))
	if f.NextHop != (decode.Addr{}) {
		fmt.Fprintf(&s, " via %v", f.NextHop.Netip())
	}
	add("start", uint64(f.Start))
	add("end", uint64(f.End))
	if r.Packets != 1 {
		add("packets", r.Packets)
	}
	return s.String()
}

// counts returns what of a datagram's counts is not zero.
func counts(g *decode.Datagram) string {
	var s []string
	add := func(name string, n uint32) {
		if n > 0 {
			s = append(s, fmt.Sprintf("%s=%d", name, n))
		}
	}
	add("counters", g.CounterSamples)
	add("discarded", g.Discarded)
	for i, n := range g.Skipped {
		add(decode.Skip(i).String(), n)
	}
	for i, n := range g.Faults {
		add(decode.Fault(i).String(), n)
	}
	return strings.Join(s, " ")
}

// sampled is the head of the samples of tests.
var sampled = sflowtest.Flow{Sequence: 1, Source: 3, Rate: 100, Pool: 5000, In: 3, Out: 4}

// one wraps samples into a datagram of version 5.
func one(samples ...[]byte) []byte {
	return sflowtest.Head{Agent: agent4, Sequence: 1, Uptime: 1000}.Datagram(samples...)
}

// Frames and packets of tests: udp4 is UDP from 192.0.2.1:53 to 198.51.100.7:4444 in 128 bytes,
// with TOS 184.
func udp4() []byte {
	return sflowtest.Join([]byte{
		0x45, 184, 0, 128, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 7,
		0, 53, 0x11, 0x5c, 0, 108, 0, 0,
	}, make([]byte, 20))
}

// udp6 is the same in IPv6.
func udp6() []byte {
	b := []byte{0x6b, 0x80, 0, 0, 0, 20, 17, 60}
	b = append(b, netip.MustParseAddr("2001:db8::1").AsSlice()...)
	b = append(b, netip.MustParseAddr("2001:db8::2").AsSlice()...)
	return append(b, 0, 53, 0x11, 0x5c, 0, 20, 0, 0)
}

// ethernet returns a frame; types are VLAN tags and the Ethernet type.
func frame(types []byte, packet []byte) []byte {
	return sflowtest.Join(make([]byte, 12), types, packet)
}

var (
	isIPv4 = []byte{8, 0}
	isIPv6 = []byte{0x86, 0xdd}
	shown4 = "192.0.2.1:53>198.51.100.7:4444 17 ip=128"
)

// listed returns records in short.
func listed(all []decode.Record) string {
	var s []string
	for i := range all {
		s = append(s, shown(&all[i]))
	}
	return strings.Join(s, "; ")
}
