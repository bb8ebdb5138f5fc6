package netflow

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"weir/decode"
	"weir/decode/netflow/netflowtest"
)

var (
	ip1, ip2 = uint32(0xc0000201), uint32(0xc6336407)
	pair     = f(8, 4, 12, 4) // a source and a destination
	pairData = u32(ip1, ip2)
	six1     = u64(0x20010db8<<32, 1)
	six2     = u64(0x20010db8<<32, 2)
	mac      = make([]byte, 12)
)

func with(specs ...[]spec) []spec { return slices.Concat(append([][]spec{pair}, specs...)...) }

// TestQuirks decodes one record of a template with what exporters do.
func TestQuirks(t *testing.T) {
	check := func(name string, specs []spec, data []byte, want func(r *rec) bool) {
		t.Helper()
		checkOne(t, name, specs, data, want)
	}
	counts := func(p, b uint64) func(r *rec) bool {
		return func(r *rec) bool { return r.Packets == p && r.Bytes == b }
	}
	check("8-byte counters", with(f(1, 8, 2, 8)), slices.Concat(pairData, u64(1<<40, 3)),
		counts(3, 1<<40))
	check("3-byte counters", with(f(1, 3, 2, 3)), append(pairData, 1, 0, 0, 0, 0, 9),
		counts(9, 1<<16))
	check("totals", with(f(85, 4, 86, 4)), slices.Concat(pairData, u32(500, 5)), counts(5, 500))
	check("deltas before totals", with(f(85, 4, 86, 4, 1, 4, 2, 4)),
		slices.Concat(pairData, u32(500, 5, 100, 1)), counts(1, 100))
	check("layer 2 counts alone", with(f(352, 4, 2, 4)), slices.Concat(pairData, u32(500, 5)),
		func(r *rec) bool { return r.Bytes == 500 && r.Wire == 100 })
	check("layer 2 counts beside", with(f(352, 4, 2, 4, 1, 4)),
		slices.Concat(pairData, u32(570, 5, 500)),
		func(r *rec) bool { return r.Bytes == 500 && r.IPLen == 100 && r.Wire == 114 })
	check("out counts", with(f(23, 4, 24, 4)), slices.Concat(pairData, u32(500, 5)), counts(5, 500))
	check("out counts where in are zero", with(f(1, 4, 2, 4, 23, 4, 24, 4)),
		slices.Concat(pairData, u32(0, 0, 500, 5)), func(r *rec) bool {
			return r.Packets == 5 && r.Bytes == 500 && r.IPLen == 100 && r.Wire == 100
		})
	check("in counts before out", with(f(23, 4, 24, 4, 1, 4, 2, 4)),
		slices.Concat(pairData, u32(500, 5, 100, 1)), counts(1, 100))
	check("totals before out", with(f(23, 4, 24, 4, 85, 4, 86, 4)),
		slices.Concat(pairData, u32(500, 5, 100, 1)), counts(1, 100))
	check("out counts beyond belief", with(f(1, 8, 2, 8, 23, 8, 24, 8)),
		slices.Concat(pairData, u64(0, 0, 1<<60, 1)), counts(0, 0))
	check("physical interfaces", with(f(252, 4, 253, 4)), slices.Concat(pairData, u32(7, 8)),
		func(r *rec) bool { return r.Flow.InIf == 7 && r.Flow.OutIf == 8 })
	check("physical interfaces where the others are zero", with(f(10, 4, 14, 4, 252, 4, 253, 4)),
		slices.Concat(pairData, u32(0, 6, 7, 8)),
		func(r *rec) bool { return r.Flow.InIf == 7 && r.Flow.OutIf == 6 })
	check("the size of a frame alone", with(f(312, 2)), append(pairData, 0, 146),
		func(r *rec) bool { return r.Packets == 1 && r.Bytes == 146 && r.Wire == 146 })
	check("TCP flags of 2 bytes", with(f(6, 2)), append(pairData, 1, 0x12),
		func(r *rec) bool { return r.TCPFlags == 0x12 })
	check("forwarding of 4 bytes", with(f(89, 4)), append(pairData, 0, 0, 0, 0x80),
		func(r *rec) bool { return r.Flow.Forwarding == decode.Dropped })
	check("forwarding in front", with(f(89, 4)), append(pairData, 0x80, 0, 0, 0),
		func(r *rec) bool { return r.Flow.Forwarding == decode.Dropped })
	check("AS of 2 bytes", with(f(16, 2, 17, 4)), append(pairData, 0xfc, 0, 0, 1, 0, 0),
		func(r *rec) bool { return r.Flow.SrcAS == 64512 && r.Flow.DstAS == 65536 })
	check("BGP next hop", with(f(18, 4)), append(pairData, u32(ip1)...),
		func(r *rec) bool { return r.Flow.NextHop == decode.AddrFrom4(ip1) })
	check("IPv6 next hop beside a zero one", with(f(15, 4, 62, 16)),
		slices.Concat(pairData, u32(0), six1),
		func(r *rec) bool { return r.Flow.NextHop == decode.Addr{Hi: 0x20010db8 << 32, Lo: 1} })
	check("Pensando ports", with(f(4, 1, 180, 2, 181, 2, 182, 2, 183, 2)),
		slices.Concat(pairData, []byte{6}, u16(0, 0, 443, 999)),
		func(r *rec) bool { return r.SrcPort == 443 && r.DstPort == 999 })
	check("ICMP type and code", with(f(4, 1, 32, 2)), append(pairData, 1, 3, 1),
		func(r *rec) bool { return r.DstPort == 0x301 && r.SrcPort == 0 })
	check("ICMP in bytes", with(f(4, 1, 7, 2, 11, 2, 176, 1, 177, 1)),
		append(pairData, 1, 0, 9, 0, 0, 8, 2),
		func(r *rec) bool { return r.DstPort == 0x802 && r.SrcPort == 0 })
	check("ICMP in the port", with(f(4, 1, 7, 2, 11, 2)), append(pairData, 1, 0, 9, 8, 0),
		func(r *rec) bool { return r.DstPort == 0x800 && r.SrcPort == 0 })
	check("both families, IPv4", with(f(27, 16, 28, 16)),
		slices.Concat(pairData, make([]byte, 32)),
		func(r *rec) bool { return r.Version == 4 && r.Src == decode.AddrFrom4(ip1) })
	check("both families, IPv6", append(f(27, 16, 28, 16), pair...),
		slices.Concat(six1, six2, make([]byte, 8)),
		func(r *rec) bool { return r.Version == 6 && r.Dst.Lo == 2 && r.Src.Lo == 1 })
	check("fragment", with(f(88, 2)), append(pairData, 0, 185),
		func(r *rec) bool { return r.Fragment == decode.LaterFragment })
	check("first fragment", with(f(197, 1)), append(pairData, 0x20),
		func(r *rec) bool {
			return r.Fragment == decode.FirstFragment && r.IPFlags == decode.MoreFragments
		})
	check("not to be fragmented", with(f(197, 2)), append(pairData, 0x40, 0),
		func(r *rec) bool {
			return r.Fragment == decode.NotFragment && r.IPFlags == decode.DontFragment
		})
	check("tags", with(f(58, 2, 245, 2, 70, 3, 71, 3)),
		append(pairData, 0, 100, 0, 7, 0, 1, 0x01, 0, 2, 0x11), func(r *rec) bool {
			return r.NVLAN == 2 && r.VLAN[0] == 100 && r.VLAN[1] == 7 && r.NMPLS == 2 &&
				r.MPLS[0] == 16 && r.MPLS[1] == 33
		})
	check("a tag where another is zero", with(f(243, 2, 58, 2)), append(pairData, 0, 0, 0, 181),
		func(r *rec) bool { return r.NVLAN == 1 && r.VLAN[0] == 181 })
	check("a tag behind where all are zero", with(f(243, 2, 58, 2, 254, 2, 59, 2)),
		append(pairData, 0, 0, 0, 0, 0, 0, 0, 9),
		func(r *rec) bool { return r.NVLAN == 1 && r.VLAN[0] == 9 })
	check("TTL", with(f(192, 1)), append(pairData, 57), func(r *rec) bool { return r.TTL == 57 })

	check("variable length before", append([]spec{{id: 82, length: variable}}, with(f(1, 4))...),
		slices.Concat([]byte{255, 0, 3, 'a', 'b', 'c'}, pairData, u32(9)), counts(0, 9))
	check("variable length behind", with(f(1, 4, 82, variable, 2, 4)),
		slices.Concat(pairData, u32(9), []byte{3, 'a', 'b', 'c'}, u32(1)), counts(1, 9))
	check("enterprise fields", append([]spec{{id: 8, length: 4, pen: 9}}, with(f(2, 4))...),
		slices.Concat(u32(1), pairData, u32(9)), counts(9, 0))
}

// TestRateInRecord decodes one record that tells its sampling rate.
func TestRateInRecord(t *testing.T) {
	check := func(name string, specs []spec, data []byte, rate uint32) {
		t.Helper()
		checkOne(t, name, specs, data, func(r *rec) bool { return r.Sampling == rate })
	}
	check("rate in the record", with(f(34, 4)), slices.Concat(pairData, u32(512)), 512)
	check("rate beyond belief", with(f(34, 4)), slices.Concat(pairData, u32(math.MaxUint32)), 1)
	check("a random sampler's rate", with(f(34, 4, 50, 4)), slices.Concat(pairData, u32(0, 100)),
		100)
	for told, want := range map[uint32]uint32{
		1 << 24: 1, 0xae080000: 2222, 1 << 18: 1024, 1 << 16: 256,
		70_000: 70_000, 1<<24 - 1: 1<<24 - 1,
	} {
		data := slices.Concat(pairData, u32(told))
		check("MikroTik's rate upside down", with(f(34, 4)), data, want)
	}
	check("rate 0", with(f(34, 4)), slices.Concat(pairData, u32(0)), 1)
}

type rec = decode.Record

// checkOne decodes one record in IPFIX and, unless it needs more, in NetFlow v9.
func checkOne(t *testing.T, name string, specs []spec, data []byte, want func(r *rec) bool) {
	t.Helper()
	for _, v9 := range []bool{false, true} {
		if v9 && slices.ContainsFunc(specs, func(s spec) bool {
			return s.pen != 0
		}) {
			continue
		}
		got := one(newDecoder(), v9, specs, data)
		if len(got) != 1 || !want(&got[0]) || got[0].Sampling == 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestTimes decodes the clocks that exporters write times by.
func TestTimes(t *testing.T) {
	check := func(name string, specs []spec, data []byte, start, end int64) {
		t.Helper()
		checkOne(t, name, specs, data, func(r *rec) bool {
			return r.Flow.Start == start && r.Flow.End == end
		})
	}
	check("seconds", with(f(150, 4, 151, 4)), slices.Concat(pairData, u32(100, 200)),
		100*second, 200*second)
	check("milliseconds", with(f(152, 8, 153, 8)), slices.Concat(pairData, u64(100, 200)),
		100*milli, 200*milli)
	ntp := uint64(since1970+1000) << 32
	check("NTP microseconds", with(f(154, 8, 155, 8)), slices.Concat(pairData, u64(ntp, ntp|1<<31)),
		1000*second, 1000*second+second/2)
	check("plain nanoseconds", with(f(156, 8, 157, 8)),
		slices.Concat(pairData, u64(uint64(exported), uint64(exported)+7)), exported, exported+7)
	check("plain microseconds", with(f(154, 8, 155, 8)),
		slices.Concat(pairData, u64(uint64(exported/1000), uint64(exported/1000)+7)),
		exported, exported+7*micro)
	check("deltas of time", with(f(158, 4, 159, 4)), slices.Concat(pairData, u32(3000, 1000)),
		exported-3*milli, exported-milli)
	check("a duration", with(f(152, 8, 161, 4)), slices.Concat(pairData, u64(100), u32(50)),
		100*milli, 150*milli)
	check("observation time", with(f(323, 8)), slices.Concat(pairData, u64(77)),
		77*milli, 77*milli)
	check("uptimes and system start", with(f(22, 4, 21, 4, 160, 8)),
		slices.Concat(pairData, u32(1000, 2000), u64(uint64(exported/milli)-5000)),
		exported-4*second, exported-3*second)
}

// TestDirections decodes biflows: two records of one.
func TestDirections(t *testing.T) {
	f := func(name string, specs []spec, data []byte, want ...[2]uint64) {
		t.Helper()
		got := one(newDecoder(), false, specs, data)
		if len(got) != len(want) {
			t.Fatalf("%s: %+v", name, got)
		}
		for i, w := range want {
			r := &got[i]
			src := decode.AddrFrom4([]uint32{ip1, ip2}[i])
			if r.Packets != w[0] || r.Bytes != w[1] || r.Src != src || r.SrcPort != uint16(i+1) {
				t.Errorf("%s: %+v", name, r)
			}
		}
	}
	ports := slices.Concat(pairData, u16(1, 2))
	asa := with([]spec{{7, 2, 0}, {11, 2, 0}, {231, 4, 0}, {232, 4, 0}, {298, 4, 0}, {299, 4, 0}})
	f("ASA", asa, slices.Concat(ports, u32(100, 200, 1, 2)), [2]uint64{1, 100}, [2]uint64{2, 200})
	f("ASA, no answer", asa, slices.Concat(ports, u32(100, 0, 1, 0)), [2]uint64{1, 100})
	f("initiator's counts beside totals", append(asa, spec{1, 4, 0}, spec{2, 4, 0}),
		slices.Concat(ports, u32(100, 200, 1, 2, 300, 3)), [2]uint64{3, 300})
	rfc := with([]spec{{7, 2, 0}, {11, 2, 0}, {1, 4, 0}, {2, 4, 0},
		{1, 4, reversePEN}, {2, 4, reversePEN}, {6, 1, reversePEN}})
	f("RFC 5103", rfc, slices.Concat(ports, u32(100, 1, 200, 2), []byte{2}),
		[2]uint64{1, 100}, [2]uint64{2, 200})
}

// TestOpposite decodes counts of what left the device: nProbe's, whose template proves it by an
// element of its own wherever that stands, are the other direction's, all others the same packets'.
func TestOpposite(t *testing.T) {
	f := func(name string, v9 bool, specs []spec, last []byte, want ...uint64) {
		t.Helper()
		specs = with(f2(1, 4, 2, 4, 23, 4, 24, 4), specs)
		data := slices.Concat(pairData, u32(100, 1, 300, 3), last)
		var got []uint64
		for i, r := range one(newDecoder(), v9, specs, data) {
			got = append(got, r.Packets)
			if src := []uint32{ip1, ip2}[i]; r.Src != decode.AddrFrom4(src) ||
				r.Bytes != 100*r.Packets {
				t.Errorf("%s: %+v", name, r)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: packets %v, want %v", name, got, want)
		}
	}
	f("no proof", true, nil, nil, 1)
	f("no proof", false, nil, nil, 1)
	f("L7_PROTO", true, f2(57590, 2), u16(7), 1, 3)
	f("L7_PROTO", false, []spec{{118, 2, ntopPEN}}, u16(7), 1, 3)
	f("a string", false, []spec{{119, variable, ntopPEN}}, []byte{2, 'a', 'b'}, 1, 3)
	f("the number in IPFIX", false, []spec{{57590 & 0x7fff, 2, 0}}, u16(7), 1)
	f("ASA's number", true, f2(40005, 1), []byte{2}, 1)
	f("Palo Alto's number", true, f2(56701, 2), u16(7), 1)
	f("another enterprise", false, []spec{{118, 2, 9}}, u16(7), 1)
	f("biflow by RFC 5103", false, []spec{{1, 4, reversePEN}, {2, 4, reversePEN},
		{118, 2, ntopPEN}}, slices.Concat(u32(500, 5), u16(7)), 1, 5)
	got := one(newDecoder(), true, with(f2(23, 4, 24, 4, 57590, 2)),
		slices.Concat(pairData, u32(300, 3), u16(7)))
	if len(got) != 1 || got[0].Packets != 3 || got[0].Src != decode.AddrFrom4(ip1) {
		t.Errorf("no others beside them: %+v", got)
	}
}

// TestSkipped decodes records that are no traffic.
func TestSkipped(t *testing.T) {
	f := func(name string, specs []spec, data []byte, want decode.Skip) {
		t.Helper()
		d := newDecoder()
		if got := one(d, true, specs, data); len(got) != 0 || d.Datagram().Skipped[want] != 1 {
			t.Errorf("%s: %+v, %+v", name, got, d.Datagram().Skipped)
		}
	}
	f("NAT event", with(f2(230, 1, 1, 4)), append(pairData, 1, 0, 0, 0, 0), decode.NATEvent)
	f("firewall event", with(f2(233, 1)), append(pairData, 1), decode.NoTraffic)
	f("denied, with counts of 0", with(f2(233, 1, 1, 4)), append(pairData, 3, 0, 0, 0, 0),
		decode.NoTraffic)
	f("old firewall event", with(f2(40005, 1)), append(pairData, 1), decode.NoTraffic)
	f("layer 2", f2(56, 6, 80, 6, 1, 4), append(mac, 0, 0, 0, 9), decode.NoAddresses)
	d := newDecoder()
	got := one(d, true, with(f2(233, 1, 85, 4)), append(pairData, 2, 0, 0, 0, 9))
	if len(got) != 1 {
		t.Error("a flow that a firewall counted was skipped")
	}
}

func f2(pairs ...int) []spec { return f(pairs...) }

// TestImpossible drops counts that would overflow.
func TestImpossible(t *testing.T) {
	for _, specs := range [][]spec{with(f2(1, 8, 2, 8)), with(f2(1, 8, 2, 8, 192, 0, 32, 0))} {
		d := newDecoder()
		got := one(d, true, specs, pairData, u64(1<<63, 1), pairData, u64(1<<47, 1))
		if len(got) != 1 || d.Datagram().Faults[decode.BadField] != 1 {
			t.Errorf("%+v %+v", got, d.Datagram())
		}
	}
}

// TestSections decodes sampled packets: inline monitoring, and Cisco's NetFlow-Lite.
func TestSections(t *testing.T) {
	packet := slices.Concat([]byte{
		0x45, 0, 0, 200, 0, 0, 0, 0, 64, 17, 0, 0,
	}, pairData, u16(53, 4444, 180, 0))
	frame := slices.Concat(mac, []byte{8, 0}, packet)
	f := func(name string, specs []spec, data []byte, wire, rate uint32) {
		t.Helper()
		got := one(newDecoder(), false, specs, data)
		if len(got) != 1 {
			t.Fatalf("%s: %+v", name, got)
		}
		r := &got[0]
		if r.Packets != 1 || r.Bytes != 200 || r.IPLen != 200 || r.Wire != wire ||
			r.SrcPort != 53 || r.Src != decode.AddrFrom4(ip1) || r.Sampling != rate {
			t.Errorf("%s: %+v", name, r)
		}
	}
	prefixed := append([]byte{byte(len(frame))}, frame...)
	f("inline monitoring", f2(312, 2, 315, variable), append(u16(214), prefixed...), 214, 1)
	f("without a length", f2(315, variable), prefixed, 214, 1)
	f("an IP packet", f2(313, len(packet)), packet, 200, 1)
	marked := slices.Clone(frame)
	marked[15] = 0x10
	d := newDecoder()
	got := one(d, false, f2(312, 2, 315, len(marked)), append(u16(214), marked...))
	if len(got) != 1 || got[0].Flow.TOS != 0x10 {
		t.Errorf("the packet's TOS: %+v", got)
	}
	padded := append(slices.Clone(frame), 1, 2, 3, 4)
	f("NetFlow-Lite", f2(312, 2, 103, 2, 104, len(padded), 318, 4, 319, 4),
		slices.Concat(u16(214, len(frame)), padded, u32(1000, 10)), 214, 100)
	d = newDecoder()
	arp := slices.Concat([]byte{15}, mac, []byte{8, 6, 0})
	if got := one(d, false, f2(315, variable), arp); len(got) != 0 ||
		d.Datagram().Skipped[decode.NoAddresses] != 1 {
		t.Error("ARP:", got)
	}
}

// TestRates learns sampling rates from options data, and looks them up.
func TestRates(t *testing.T) {
	type told struct {
		scopes int
		specs  []spec
		data   []byte
	}
	f := func(name string, o told, record []byte, want uint32, from decode.RateSource) {
		t.Helper()
		for _, v9 := range []bool{true, false} {
			d := newDecoder()
			b := datagram(v9, templateSet(v9, 300, o.scopes, o.specs),
				netflowtest.Set(nil, 300, o.data...))
			decodeAll(d, arrivalOf(b), 1)
			if d.Datagram().Options == 0 {
				t.Fatalf("%s: no options data", name)
			}
			specs := with(f2(48, 1, 10, 4, 14, 4))
			got := one(d, v9, specs, append(slices.Clone(pairData), record...))
			if len(got) != 1 || got[0].Sampling != want || d.Datagram().Rate != want ||
				d.Datagram().Learned != from {
				t.Errorf("%s (v9: %v): %+v %+v", name, v9, got, d.Datagram())
			}
		}
	}
	plain := []byte{0, 0, 0, 0, 0, 0, 0, 0, 0}
	whole := func(specs []spec, data ...[]byte) told {
		data = append([][]byte{u32(0)}, data...)
		return told{1, append(f2(149, 4), specs...), slices.Concat(data...)}
	}
	options := decode.RateOptions
	f("34", whole(f2(34, 4, 35, 1), u32(1000), []byte{1}), plain, 1000, options)
	f("50 of 2 bytes", whole(f2(49, 1, 50, 2), []byte{2}, u16(100)), plain, 100, options)
	f("305 and 306", whole(f2(304, 2, 305, 4, 306, 4), u16(1), u32(1, 99)), plain, 100, options)
	f("305 alone", whole(f2(305, 4), u32(4000)), plain, 4000, options)
	f("309 and 310", whole(f2(309, 4, 310, 4), u32(2, 200)), plain, 100, options)
	f("311", whole(f2(311, 8), u64(math.Float64bits(0.001))), plain, 1000, options)
	f("34 upside down", whole(f2(34, 4), u32(0xe8030000)), plain, 1000, options)
	f("34 of 65536", whole(f2(34, 4), u32(1<<16)), plain, 1<<16, options)
	f("no algorithm", whole(f2(34, 4, 35, 1), u32(67), []byte{131}), plain, 1, decode.RateUnknown)
	f("beyond belief", whole(f2(305, 4, 306, 4), u32(1, math.MaxUint32)), plain, 1,
		decode.RateUnknown)
	f("zero", whole(f2(34, 4), u32(0)), plain, 1, decode.RateUnknown)
	samplers := told{1, f2(48, 1, 50, 4), slices.Concat([]byte{1}, u32(10), []byte{2}, u32(20))}
	f("sampler 1", samplers, []byte{1, 0, 0, 0, 0, 0, 0, 0, 0}, 10, decode.RateSampler)
	f("sampler 2", samplers, []byte{2, 0, 0, 0, 0, 0, 0, 0, 0}, 20, decode.RateSampler)
	f("an unknown sampler", samplers, []byte{7, 0, 0, 0, 0, 0, 0, 0, 0}, 20, options)
	f("no sampler", samplers, plain, 1, decode.RateUnknown)
	interfaces := told{1, f2(10, 4, 34, 4), u32(5, 64)}
	f("interface in", interfaces, []byte{0, 0, 0, 0, 5, 0, 0, 0, 6}, 64, decode.RateInterface)
	f("interface out", interfaces, []byte{0, 0, 0, 0, 6, 0, 0, 0, 5}, 64, decode.RateInterface)
	f("another interface", interfaces, []byte{0, 0, 0, 0, 6, 0, 0, 0, 7}, 1, decode.RateUnknown)
}

// TestRateOfOtherDomain decodes data of a domain that was told no rate, of an exporter that told
// one for another; and applies a change from the next record on.
func TestRateOfOtherDomain(t *testing.T) {
	d := newDecoder()
	h := testHeader
	h.Domain = 0
	tell := func(n uint32) []byte {
		b := append(netflowtest.V9(nil, h, 2), templateSet(true, 300, 1, f2(1, 4, 34, 4))...)
		return append(b, netflowtest.Set(nil, 300, u32(0, n)...)...)
	}
	decodeAll(d, arrivalOf(tell(100)), 1)
	if got := one(d, true, pair, pairData); len(got) != 1 || got[0].Sampling != 100 {
		t.Errorf("%+v", got)
	}
	data := netflowtest.Set(nil, 256, slices.Concat(pairData, pairData)...)
	options := slices.Concat(templateSet(true, 300, 1, f2(1, 4, 34, 4)),
		netflowtest.Set(nil, 300, u32(0, 7)...))
	got := decodeAll(d, arrivalOf(datagram(true, data, options, data)), 3)
	var rates []uint32
	for _, r := range got {
		rates = append(rates, r.Sampling)
	}
	if !slices.Equal(rates, []uint32{100, 100, 7, 7}) {
		t.Error(rates)
	}
}

// TestSamplerOfOtherDomain finds a sampler where it was told: in the data's own domain, else in
// another of the exporter's, and only then falls back to what the own domain was told of others.
func TestSamplerOfOtherDomain(t *testing.T) {
	f := func(name string, own []byte, sampler byte, want uint32, from decode.RateSource) {
		t.Helper()
		for _, v9 := range []bool{true, false} {
			d := newDecoder()
			tell := func(domain uint32, sets ...[]byte) {
				b := datagram(v9, sets...)
				binary.BigEndian.PutUint32(b[map[bool]int{true: 16, false: 12}[v9]:], domain)
				decodeAll(d, arrivalOf(b), 1)
				if d.Datagram().Options == 0 {
					t.Fatalf("%s: no options data", name)
				}
			}
			rate := func(id byte, n uint32) []byte {
				return netflowtest.Set(nil, 300, append([]byte{id}, u32(n)...)...)
			}
			samplers := templateSet(v9, 300, 1, f2(48, 1, 50, 4))
			tell(0, samplers, rate(0, 9000), rate(1, 1000), rate(2, 2000))
			tell(7, samplers, rate(1, 7000), rate(4, 4000))
			if own != nil {
				tell(1, samplers, templateSet(v9, 301, 1, f2(149, 4, 34, 4)), own)
			}
			got := one(d, v9, with(f2(48, 1)), append(slicesOf(pairData), sampler))
			if len(got) != 1 || got[0].Sampling != want || d.Datagram().Rate != want ||
				d.Datagram().Learned != from {
				t.Errorf("%s (v9: %v): %+v %+v", name, v9, got, d.Datagram())
			}
		}
	}
	named, options := decode.RateSampler, decode.RateOptions
	other := netflowtest.Set(nil, 300, append([]byte{3}, u32(30)...)...)
	whole := netflowtest.Set(nil, 301, u32(0, 50)...)
	f("its own", other, 3, 30, named)
	f("of domain 0", other, 1, 1000, named)
	f("of domain 0, beside a rate for all of the own", whole, 1, 1000, named)
	f("of domain 7", other, 4, 4000, named)
	f("of domain 7, none in the own", nil, 4, 4000, named)
	f("unknown", other, 9, 30, options)
	f("unknown, beside a rate for all of the own", whole, 9, 50, options)
	f("0 of another domain", other, 0, 1, decode.RateUnknown)
	f("0 of another domain, beside a rate for all of the own", whole, 0, 50, options)
}
