package filter

import (
	lua "github.com/yuin/gopher-lua"

	"weir/decode"
)

// numberField is a field of flow that a script names.
type numberField struct {
	name  string
	of    func(*decode.Record) uint64
	last  uint64 // above 65535; what value was made of
	value lua.LValue
}

// addrField is one whose value is an address, as text.
type addrField struct {
	name string
	of   func(*decode.Record) decode.Addr
}

// addrCache is the number of addresses whose text a State keeps.
const addrCache = 512

// addrText is an address and its text. Nobody needs ::, so that the zero addrText is none.
type addrText struct {
	addr decode.Addr
	text lua.LValue
}

// fieldsOf returns the fields that are among names, or all of them for a script that goes through
// all keys of a table.
func fieldsOf(names map[string]bool) (numbers []numberField, addrs []addrField) {
	all := names["pairs"] || names["next"]
	for _, f := range allNumbers() {
		for _, name := range f.names {
			if all || names[name] {
				numbers = append(numbers, numberField{name: name, of: f.of})
			}
		}
	}
	for _, f := range allAddrs() {
		for _, name := range f.names {
			if all || names[name] {
				addrs = append(addrs, addrField{name: name, of: f.of})
			}
		}
	}
	return numbers, addrs
}

// numberNames are the names of one number: our own first, then those of FastNetMon's structures.
type numberNames struct {
	names []string
	of    func(*decode.Record) uint64
}

type addrNames struct {
	names []string
	of    func(*decode.Record) decode.Addr
}

func allAddrs() []addrNames {
	type R = *decode.Record
	return []addrNames{
		{[]string{"src_ip"}, func(r R) decode.Addr { return r.Src }},
		{[]string{"dst_ip", "dest_ip"}, func(r R) decode.Addr { return r.Dst }},
		{[]string{"next_hop", "nexthop_ip"}, func(r R) decode.Addr { return r.Flow.NextHop }},
	}
}

func allNumbers() []numberNames {
	type R = *decode.Record
	const millisecond = 1_000_000
	return []numberNames{
		{[]string{"src_port"}, func(r R) uint64 { return uint64(r.SrcPort) }},
		{[]string{"dst_port", "dest_port"}, func(r R) uint64 { return uint64(r.DstPort) }},
		{[]string{"protocol"}, func(r R) uint64 { return uint64(r.Proto) }},
		{[]string{"packets", "flow_packets"}, func(r R) uint64 { return r.Packets }},
		{[]string{"bytes", "length", "flow_octets"}, func(r R) uint64 { return r.Bytes }},
		{[]string{"flags", "tcp_flags"}, func(r R) uint64 { return uint64(r.TCPFlags) }},
		{[]string{"sampling", "sample_ratio"}, func(r R) uint64 { return uint64(r.Sampling) }},
		{[]string{"ip_version"}, func(r R) uint64 { return uint64(r.Version) }},
		{[]string{"ttl"}, func(r R) uint64 { return uint64(r.TTL) }},
		{[]string{"tos"}, func(r R) uint64 { return uint64(r.Flow.TOS) }},
		{[]string{"fragment"}, func(r R) uint64 { return uint64(r.Fragment) }},
		{[]string{"forwarding_status"}, func(r R) uint64 { return uint64(r.Flow.Forwarding) }},
		{[]string{"src_as"}, func(r R) uint64 { return uint64(r.Flow.SrcAS) }},
		{[]string{"dst_as", "dest_as"}, func(r R) uint64 { return uint64(r.Flow.DstAS) }},
		{[]string{"in_if", "if_index_in", "inputPort"},
			func(r R) uint64 { return uint64(r.Flow.InIf) }},
		{[]string{"out_if", "if_index_out", "outputPort"},
			func(r R) uint64 { return uint64(r.Flow.OutIf) }},
		{[]string{"start_ms", "flow_start"},
			func(r R) uint64 { return uint64(max(0, r.Flow.Start/millisecond)) }},
		{[]string{"end_ms", "flow_finish"},
			func(r R) uint64 { return uint64(max(0, r.Flow.End/millisecond)) }},
		{[]string{"vlan"}, func(r R) uint64 {
			if r.NVLAN == 0 {
				return 0
			}
			return uint64(r.VLAN[0])
		}},
	}
}

// fill writes a record into the table that the script gets.
func (s *State) fill(r *decode.Record) {
	for i := range s.numbers {
		f := &s.numbers[i]
		n := f.of(r)
		if n < uint64(len(s.script.small)) {
			s.flow.RawSetString(f.name, s.script.small[n])
			continue
		}
		if n != f.last {
			f.last, f.value = n, lua.LNumber(n) // the one allocation
		}
		s.flow.RawSetString(f.name, f.value)
	}
	for i := range s.addrs {
		f := &s.addrs[i]
		s.flow.RawSetString(f.name, s.text(f.of(r)))
	}
}

// text returns an address as a string; "" is none. Texts are made anew only for addresses that were
// not seen lately.
func (s *State) text(a decode.Addr) lua.LValue {
	h := (a.Lo ^ a.Hi) * 0x9e3779b97f4a7c15
	e := &s.texts[h>>55]
	if e.text == nil || e.addr != a {
		text := ""
		if a != (decode.Addr{}) {
			text = a.Netip().String()
		}
		*e = addrText{a, lua.LString(text)}
	}
	return e.text
}
