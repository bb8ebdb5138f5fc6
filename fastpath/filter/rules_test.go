package filter

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"weir/decode"
)

func mustParse(t testing.TB, text string) *Rules {
	t.Helper()
	rs, err := ParseRules(strings.NewReader(text), "rules")
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

func addr(text string) decode.Addr { return decode.AddrFrom(netip.MustParseAddr(text)) }

// packet returns a TCP SYN to port 80 between documentation addresses, changed by change.
func packet(change func(*decode.Record)) decode.Record {
	r := decode.Record{
		Src: addr("192.0.2.1"), Dst: addr("198.51.100.7"), Version: 4, Packets: 1, Bytes: 60,
		IPLen: 60, Proto: protoTCP, SrcPort: 1024, DstPort: 80, TCPFlags: 2, TTL: 57,
	}
	if change != nil {
		change(&r)
	}
	return r
}

func packet6(change func(*decode.Record)) decode.Record {
	return packet(func(r *decode.Record) {
		r.Src, r.Dst, r.Version = addr("2001:db8::1"), addr("2001:db8:7::7"), 6
		if change != nil {
			change(r)
		}
	})
}

var noAgent decode.Addr

func TestMatch(t *testing.T) {
	set := func(change func(*decode.Record)) decode.Record { return packet(change) }
	type R = *decode.Record
	type L = []decode.Record
	later := func(r R) {
		r.Fragment, r.SrcPort, r.DstPort, r.TCPFlags = decode.LaterFragment, 0, 0, 0
	}
	for _, test := range []struct {
		rule    string
		yes, no []decode.Record
	}{
		{`{"source_prefix":"192.0.2.0/24"}`, L{set(nil)},
			L{set(func(r R) { r.Src = addr("192.0.3.1") }), packet6(nil)}},
		{`{"destination_prefix":"198.51.100.7/32"}`, L{set(nil)},
			L{set(func(r R) { r.Dst = addr("198.51.100.8") })}},
		{`{"destination_prefix":"2001:db8:7::/48"}`, L{packet6(nil)},
			L{set(nil), packet6(func(r R) { r.Dst = addr("2001:db8:8::7") })}},
		{`{"source_prefix":"2001:db8::1/128"}`, L{packet6(nil)},
			L{packet6(func(r R) { r.Src = addr("2001:db8::2") })}},
		{`{"destination_prefix":"0.0.0.0/0"}`, L{set(nil)},
			L{packet6(nil)}},
		{`{"destination_prefix":"::/0"}`, L{packet6(nil)}, L{set(nil)}},
		{`{"source_ports":[53,1024]}`, L{set(nil)}, L{
			set(func(r R) { r.SrcPort = 1025 }), set(func(r R) { r.Proto = 47 }), set(later)}},
		{`{"destination_ports":["70-90"]}`, L{set(nil), packet6(nil)},
			L{set(func(r R) { r.DstPort = 91 }), set(func(r R) { r.DstPort = 69 })}},
		{`{"destination_ports":[2048]}`, nil, // not an ICMP echo request
			L{set(func(r R) { r.Proto, r.SrcPort, r.DstPort = 1, 0, 2048 })}},
		{`{"source_ports":[0]}`, L{set(func(r R) { r.SrcPort = 0 })},
			L{set(later)}},
		{`{"packet_lengths":[60,1500]}`, L{set(nil), set(func(r R) {
			r.Packets, r.Bytes, r.IPLen = 10, 15_009, 0
		})}, L{set(func(r R) { r.IPLen = 61 }),
			set(func(r R) { r.Packets, r.IPLen = 0, 0 })}},
		{`{"vlans":[100]}`, L{
			set(func(r R) { r.NVLAN, r.VLAN = 2, [8]uint16{7, 100} })},
			L{set(nil), set(func(r R) { r.NVLAN, r.VLAN = 1, [8]uint16{7, 100} })}},
		{`{"vlans":[0]}`, L{set(nil), set(func(r R) { r.NVLAN = 1 })},
			L{set(func(r R) { r.NVLAN, r.VLAN = 1, [8]uint16{7} })}},
		{`{"source_asns":[64500]}`, L{set(func(r R) { r.Flow.SrcAS = 64500 })},
			L{set(nil), set(func(r R) { r.Flow.DstAS = 64500 })}},
		{`{"destination_asns":["4200000000-4294967295"]}`,
			L{set(func(r R) { r.Flow.DstAS = 4294967295 })}, L{set(nil)}},
		{`{"input_interfaces":[7]}`, L{set(func(r R) { r.Flow.InIf = 7 })},
			L{set(func(r R) { r.Flow.OutIf = 7 })}},
		{`{"output_interfaces":[7]}`, L{set(func(r R) { r.Flow.OutIf = 7 })},
			L{set(func(r R) { r.Flow.InIf = 7 })}},
		{`{"ttls":[57]}`, L{set(nil)}, L{set(func(r R) { r.TTL = 58 })}},
		{`{"protocols":["udp","TCP"]}`, L{set(nil), packet6(nil)},
			L{set(func(r R) { r.Proto = 1 })}},
		{`{"protocols":[1,"47-50","icmpv6"]}`, L{set(func(r R) { r.Proto = 1 }),
			set(func(r R) { r.Proto = 50 }), set(func(r R) { r.Proto = 58 })},
			L{set(nil), set(func(r R) { r.Proto = 51 })}},
		{`{"ipv4_nexthops":["192.0.2.254","2001:db8::fe"]}`,
			L{set(func(r R) { r.Flow.NextHop = addr("2001:db8::fe") })},
			L{set(nil), set(func(r R) { r.Flow.NextHop = addr("192.0.2.253") })}},
		{`{"fragmentation_flags":["dont-fragment"]}`,
			L{set(func(r R) { r.IPFlags = decode.DontFragment })},
			L{set(nil), set(func(r R) { r.IPFlags = decode.MoreFragments })}},
		{`{"fragmentation_flags":["is-fragment"]}`, L{set(later),
			set(func(r R) { r.Fragment = decode.FirstFragment })}, L{set(nil)}},
		{`{"fragmentation_flags":["first-fragment"]}`,
			L{set(func(r R) { r.Fragment = decode.FirstFragment })},
			L{set(nil), set(later)}},
		{`{"fragmentation_flags":["last-fragment"]}`, L{set(later)},
			L{set(func(r R) { later(r); r.IPFlags = decode.MoreFragments })}},
		{`{"fragmentation_flags":["not-a-fragment"]}`, L{set(nil)},
			L{set(later)}},
		{`{"tcp_flags":["syn|ack","syn"]}`, L{set(nil),
			set(func(r R) { r.TCPFlags = 2 | 16 }), set(func(r R) { r.TCPFlags = 2 | 0xc0 })},
			L{set(func(r R) { r.TCPFlags = 16 }), set(later),
				set(func(r R) { r.TCPFlags = 2 | 8 }), set(func(r R) { r.Proto = protoUDP })}},
		{`{"tcp_flags":["fin|push|urgent|rst"], "protocols":["tcp"]}`,
			L{set(func(r R) { r.TCPFlags = 1 | 8 | 32 | 4 })}, L{set(nil)}},
		{`{"protocols":["tcp"],"source_prefix":"192.0.2.0/24","destination_ports":[80]}`,
			L{set(nil)}, L{set(func(r R) { r.DstPort = 81 }),
				set(func(r R) { r.Proto = protoUDP }), set(func(r R) { r.Src = r.Dst })}},
	} {
		rs := mustParse(t, test.rule)
		for i := range test.yes {
			if got := rs.Match(&test.yes[i], noAgent); got != 0 {
				t.Errorf("%s does not match %+v", test.rule, test.yes[i])
			}
		}
		for i := range test.no {
			if got := rs.Match(&test.no[i], noAgent); got != -1 {
				t.Errorf("%s matches %+v", test.rule, test.no[i])
			}
		}
	}
}

// TestIn has sets of all sizes, with gaps.
func TestIn(t *testing.T) {
	for size := range 3 * few {
		var set []span
		for i := range uint32(size) {
			set = append(set, span{10 * i, 10*i + 5})
		}
		for n := range uint32(10*size + 10) {
			if want := n/10 < uint32(size) && n%10 <= 5; in(set, n) != want {
				t.Errorf("%d in %v: %v", n, set, !want)
			}
		}
	}
}

func TestMatchAgent(t *testing.T) {
	rs := mustParse(t, `{"agent_addresses":["203.0.113.9","2001:db8::9"]}`)
	r := packet(nil)
	for text, want := range map[string]int{
		"203.0.113.9": 0, "2001:db8::9": 0, "203.0.113.10": -1, "::": -1,
	} {
		if got := rs.Match(&r, addr(text)); got != want {
			t.Errorf("%s: %d", text, got)
		}
	}
}

// TestFirst has rules listed in different ways: the first that matches counts.
func TestFirst(t *testing.T) {
	rs := mustParse(t, `# FastNetMon's own example, and others
{ "source_prefix": "4.0.0.0\/24", "destination_prefix": "127.0.0.0\/24", "destination_ports": [ 80 ], "source_ports": [ 53, 5353 ], "packet_lengths": [ 777, 1122 ], "protocols": [ "tcp" ], "fragmentation_flags":[ "is-fragment", "dont-fragment" ], "tcp_flags": [ "syn" ], "action_type": "rate-limit", "action": { "rate": 1024 } }

{"ttls":["50-60"],"packet_lengths":[1000]}
	{"protocols":["tcp"],"ttls":[58]}
{"destination_prefix":"198.51.100.0/24"}
{"source_prefix":"192.0.2.0/24"}
{"protocols":["tcp"]}
`)
	if rs.Len() != 6 || rs.Line(0) != 2 || rs.Line(1) != 4 || rs.Line(5) != 8 {
		t.Errorf("%d rules, the first on line %d", rs.Len(), rs.Line(0))
	}
	for _, test := range []struct {
		change func(*decode.Record)
		want   int
	}{
		{nil, 3},
		{func(r *decode.Record) { r.TTL = 58 }, 2},
		{func(r *decode.Record) { r.IPLen = 1000 }, 1},
		{func(r *decode.Record) { r.Dst = r.Src }, 4},
		{func(r *decode.Record) { r.Src, r.Dst = r.Dst, r.Src }, 5},
		{func(r *decode.Record) { r.Src, r.Dst, r.Proto = r.Dst, r.Src, 1 }, -1},
		{func(r *decode.Record) { r.Version = 0 }, -1},
	} {
		r := packet(test.change)
		if got := rs.Match(&r, noAgent); got != test.want {
			t.Errorf("rule %d for %+v, want %d", got, r, test.want)
		}
	}
	var none *Rules
	r := packet(nil)
	if none.Match(&r, noAgent) != -1 || mustParse(t, "\n#\n").Match(&r, noAgent) != -1 ||
		none.Len() != 0 {
		t.Error("no rule matches")
	}
}

func TestParseRulesSuccess(t *testing.T) {
	for _, text := range []string{
		`{"source_ports":[80],"action_type":"accept"}`,
		`{"source_ports":[80],"action_type":"discard"}`,
		`{"source_ports":[80],"action_type":"rate-limit"}`,
		`{"source_ports":[80],"action_type":"rate-limit","action":{"rate":0}}`,
		`{"source_ports":[80],"action_type":"mark","action":{"dscp":63}}`,
		`{"source_ports":[80],"action_type":"mark"}`,
		`{"action":{"redirect_target_as":65001,"redirect_target_value":4294967295},` +
			`"action_type":"redirect","ttls":[1]}`,
		`{"protocols":["2","3-4"]}`,
		"{\"ttls\":[\"1 - 9\"]}\r\n",
		strings.Repeat("{\"ttls\":[1]}\n", MaxRules),
	} {
		mustParse(t, text)
	}
}

func TestParseRulesFailure(t *testing.T) {
	long := make([]int, MaxValues+1)
	many, err := json.Marshal(map[string]any{"vlans": long})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ text, want string }{
		{`[]`, "rules:1: not a JSON object"},
		{`hello`, "rules:1: not a JSON object"},
		{"{\"ttls\":[1]}\n{\"ttls\":[1]", "rules:2: not JSON"},
		{`{"ttls":[1]} {"ttls":[1]}`, "rules:1: more than one"},
		{`{"ttls":[1],"ttls":[1]}`, "rules:1: ttls: a second time"},
		{`{"ttl":[1]}`, "rules:1: ttl: no such key"},
		{`{"ttls":}`, "rules:1: ttls: not JSON"},
		{`{}`, "rules:1: a rule that matches everything"},
		{`{"action_type":"accept"}`, "matches everything"},
		{`{"source_ports":[]}`, "rules:1: source_ports: an empty list"},
		{`{"source_ports":80}`, "source_ports: not a list"},
		{`{"source_ports":null}`, "source_ports: not a list"},
		{`{"source_ports":[null]}`, "source_ports: null is not a number"},
		{`{"source_ports":[65536]}`, "from 0 to 65535"},
		{`{"source_ports":[-1]}`, "from 0 to 65535"},
		{`{"source_ports":[1.5]}`, "not a number"},
		{`{"source_ports":["90-80"]}`, "ends before it begins"},
		{`{"source_ports":["a"]}`, "not a number"},
		{`{"source_ports":[true]}`, "not a number"},
		{`{"vlans":[4095]}`, "from 0 to 4094"},
		{`{"source_asns":[0]}`, "0 is what nobody told"},
		{`{"input_interfaces":[4294967296]}`, "from 1 to 4294967295"},
		{`{"ttls":[256]}`, "from 1 to 255"},
		{`{"protocols":["tpc"]}`, `protocols: "tpc" is no name`},
		{`{"protocols":[256]}`, "nor 0 to 255"},
		{`{"protocols":"tcp"}`, "not a list"},
		{`{"tcp_flags":["syn|ackk"]}`, `tcp_flags: "ackk" is none of`},
		{`{"tcp_flags":[""]}`, "is none of"},
		{`{"tcp_flags":[2]}`, "2 is not a string"},
		{`{"fragmentation_flags":["fragment"]}`, `"fragment" is none of`},
		{`{"agent_addresses":["router1"]}`, `"router1" is no IP address`},
		{`{"ipv4_nexthops":["fe80::1%eth0"]}`, "is no IP address"},
		{`{"agent_addresses":["::"]}`, `"::" is no IP address`},
		{`{"source_prefix":"10.0.0.0"}`, `"10.0.0.0" is no prefix`},
		{`{"source_prefix":"10.0.0.1/8"}`, "10.0.0.0/8 is the prefix"},
		{`{"source_prefix":"::ffff:10.0.0.0/104"}`, "write it as IPv4"},
		{`{"source_prefix":["10.0.0.0/8"]}`, "not a string"},
		{`{"source_prefix":null}`, "not a string"},
		{`{"source_prefix":"10.0.0.0/8","destination_prefix":"::/0"}`, "IPv4 and IPv6"},
		{`{"ttls":[1],"action_type":"drop"}`, `action_type: "drop" is none of`},
		{`{"ttls":[1],"action_type":7}`, "action_type: not a string"},
		{`{"ttls":[1],"action":{}}`, "action: without action_type"},
		{`{"ttls":[1],"action_type":"accept","action":{"rate":1}}`, "action.rate: no such key"},
		{`{"ttls":[1],"action_type":"rate-limit","action":{}}`, "action.rate: missing"},
		{`{"ttls":[1],"action_type":"rate-limit","action":{"rate":-1}}`, ".rate: not a number"},
		{`{"ttls":[1],"action_type":"rate-limit","action":null}`, "action: not an object"},
		{`{"ttls":[1],"action_type":"redirect"}`, "action: missing"},
		{string(many), "vlans: more than 1024 values"},
		{strings.Repeat("{\"ttls\":[1]}\n", MaxRules+1), "rules:1025: more than 1024 rules"},
		{"#\n" + strings.Repeat("x", maxLine+1), "rules:2: a line of more than"},
	} {
		rs, err := ParseRules(strings.NewReader(test.text), "rules")
		if err == nil || rs != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.80s: %v, want %q", test.text, err, test.want)
		}
	}
}

// TestMistakes has every bad line told, up to a bound, and the good ones between them left out.
func TestMistakes(t *testing.T) {
	text := "# ours\n{\"ttls\":[1]}\n{\"ttl\":[1]}\n\nnonsense\n{\"ttls\":[2]}\n" +
		"{\"vlans\":[9999]}\n"
	rs, err := ParseRules(strings.NewReader(text), "rules")
	var all Mistakes
	if !errors.As(err, &all) || rs != nil || len(all) != 3 || all[1].Line != 5 {
		t.Fatalf("%v, %v", rs, err)
	}
	want := "rules:3: ttl: no such key\nrules:5: not a JSON object\nrules:7: vlans: "
	if !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	_, err = ParseRules(strings.NewReader(strings.Repeat("{}\n", 10*maxMistakes)), "rules")
	if !errors.As(err, &all) || len(all) != maxMistakes+1 ||
		!strings.Contains(all[maxMistakes].Error(), "rules:101: too many errors") {
		t.Errorf("%d mistakes: %v", len(all), all[len(all)-1])
	}
}

func TestNoAllocs(t *testing.T) {
	rs := mustParse(t, mixed(MaxRules))
	for i := range 64 {
		r := packet(func(r *decode.Record) { r.Proto, r.DstPort = protoUDP, uint16(i) })
		if i%2 == 1 {
			r = packet6(func(r *decode.Record) { r.Fragment = decode.LaterFragment })
		}
		if n := testing.AllocsPerRun(10, func() { rs.Match(&r, noAgent) }); n != 0 {
			t.Fatalf("%v allocations for %+v", n, r)
		}
	}
}

// mixed returns n rules of several sorts that the packets above do not match.
func mixed(n int) string {
	var b strings.Builder
	for i := range n {
		switch i % 4 {
		case 0:
			fmt.Fprintf(&b, "{\"destination_prefix\":\"203.0.%d.%d/32\"}\n", i/256%4+110, i%256)
		case 1:
			fmt.Fprintf(&b, "{\"source_prefix\":\"10.%d.%d.0/24\",\"protocols\":[\"udp\"]}\n",
				i/256, i%256)
		case 2:
			fmt.Fprintf(&b, "{\"source_ports\":[%d],\"protocols\":[\"udp\"]}\n", 2000+i)
		case 3:
			fmt.Fprintf(&b, "{\"destination_prefix\":\"2001:db8:%x::/48\"}\n", 256+i)
		}
	}
	return b.String()
}

func BenchmarkMatch(b *testing.B) {
	for _, set := range []struct {
		name string
		text func(n int) string
	}{
		{"mixed", mixed},
		{"ports", func(n int) string {
			return repeat(n, func(i int) string {
				return fmt.Sprintf(`{"protocols":["udp"],"source_ports":[%d]}`, 2000+i)
			})
		}},
		{"worst", func(n int) string { // nothing to find them by
			return repeat(n, func(i int) string {
				return fmt.Sprintf(`{"packet_lengths":["%d-%d"]}`, 2000+i, 9000+i)
			})
		}},
	} {
		for _, n := range []int{1, 16, 128, 1024} {
			b.Run(fmt.Sprintf("%s/%d", set.name, n), func(b *testing.B) {
				rs := mustParse(b, set.text(n))
				records := make([]decode.Record, 64)
				for i := range records {
					records[i] = packet(func(r *decode.Record) {
						r.Src.Lo += uint64(i * 7919)
						r.Dst.Lo += uint64(i)
						r.SrcPort, r.Proto = uint16(i), protoUDP
					})
				}
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					if rs.Match(&records[i%64], noAgent) >= 0 {
						b.Fatal("a match")
					}
					i++
				}
			})
		}
	}
}

func repeat(n int, line func(i int) string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, line(i))
	}
	return b.String()
}
