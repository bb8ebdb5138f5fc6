package filter

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"weir/decode"
)

// slow matches a record against a rule as the documentation reads, from its text.
func slow(t testing.TB, text string, r *decode.Record, agent decode.Addr) bool {
	var rule map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&rule); err != nil {
		t.Fatal(err)
	}
	for key, value := range rule {
		if strings.HasPrefix(key, "action") {
			continue
		}
		if !slowField(t, key, value, r, agent) {
			return false
		}
	}
	return true
}

func slowField(t testing.TB, key string, value any, r *decode.Record, agent decode.Addr) bool {
	if strings.HasSuffix(key, "_prefix") {
		a := r.Src
		if key == "destination_prefix" {
			a = r.Dst
		}
		return netip.MustParsePrefix(value.(string)).Contains(a.Netip())
	}
	for _, v := range value.([]any) {
		text := ""
		switch v := v.(type) {
		case json.Number:
			text = v.String()
		case string:
			text = v
		default:
			t.Fatalf("%s: %v", key, v)
		}
		if slowValue(key, text, r, agent) {
			return true
		}
	}
	return false
}

// slowValue reports whether one value of a list is what the record has.
func slowValue(key, text string, r *decode.Record, agent decode.Addr) bool {
	whole := r.Fragment != decode.LaterFragment
	ports := whole && strings.Contains(" 6 17 33 132 136 ", " "+strconv.Itoa(int(r.Proto))+" ")
	within := func(n uint64) bool {
		first, last, ok := strings.Cut(text, "-")
		if !ok {
			last = first
		}
		a, _ := strconv.Atoi(strings.TrimSpace(first))
		b, _ := strconv.Atoi(strings.TrimSpace(last))
		return uint64(a) <= n && n <= uint64(b)
	}
	switch key {
	case "source_ports":
		return ports && within(uint64(r.SrcPort))
	case "destination_ports":
		return ports && within(uint64(r.DstPort))
	case "packet_lengths":
		if r.Packets == 1 && r.IPLen > 0 {
			return within(uint64(r.IPLen))
		}
		return r.Packets > 0 && within(r.Bytes/r.Packets)
	case "vlans":
		found := r.NVLAN == 0 && within(0)
		for i := range r.NVLAN {
			found = found || within(uint64(r.VLAN[i]))
		}
		return found
	case "source_asns":
		return within(uint64(r.Flow.SrcAS))
	case "destination_asns":
		return within(uint64(r.Flow.DstAS))
	case "input_interfaces":
		return within(uint64(r.Flow.InIf))
	case "output_interfaces":
		return within(uint64(r.Flow.OutIf))
	case "ttls":
		return within(uint64(r.TTL))
	case "protocols":
		if n, ok := protocols()[strings.ToLower(text)]; ok {
			return n == r.Proto
		}
		return within(uint64(r.Proto))
	case "ipv4_nexthops":
		return addr(text) == r.Flow.NextHop
	case "agent_addresses":
		return addr(text) == agent
	}
	return slowFlags(key, text, r)
}

func slowFlags(key, text string, r *decode.Record) bool {
	switch text {
	case "dont-fragment":
		return r.IPFlags&decode.DontFragment != 0
	case "is-fragment":
		return r.Fragment != decode.NotFragment
	case "first-fragment":
		return r.Fragment == decode.FirstFragment
	case "last-fragment":
		return r.Fragment == decode.LaterFragment && r.IPFlags&decode.MoreFragments == 0
	case "not-a-fragment":
		return r.Fragment == decode.NotFragment
	}
	if key != "tcp_flags" || r.Proto != 6 || r.Fragment == decode.LaterFragment {
		return false
	}
	has := map[int]bool{}
	for _, name := range strings.Split(text, "|") {
		has[map[string]int{"fin": 0, "syn": 1, "rst": 2, "push": 3, "psh": 3, "ack": 4, "urgent": 5,
			"urg": 5}[strings.TrimSpace(name)]] = true
	}
	for bit := range 6 {
		if has[bit] != (r.TCPFlags>>bit&1 != 0) {
			return false
		}
	}
	return true
}

// draw returns a record whose values are often those of the rules made by drawRule.
func draw(random *rand.Rand) (r decode.Record, agent decode.Addr) {
	small := func() uint32 { return uint32(random.IntN(6)) }
	host := func() (a decode.Addr) {
		if r.Version == 4 {
			return decode.AddrFrom4(10<<24 | small()<<16 | small())
		}
		return decode.Addr{Hi: 0x20010db8<<32 | uint64(small()), Lo: uint64(small())}
	}
	r.Version = [2]uint8{4, 6}[random.IntN(2)]
	r.Src, r.Dst = host(), host()
	r.Packets, r.Bytes, r.IPLen = uint64(small()), uint64(small()*small()), small()
	r.SrcPort, r.DstPort = uint16(small()), uint16(small())
	r.Proto = [...]uint8{1, 6, 6, 17, 17, 47, 58, 132}[random.IntN(8)]
	r.TCPFlags, r.TTL = uint8(random.IntN(256)), uint8(small())
	r.Fragment, r.IPFlags = decode.Fragment(random.IntN(3)), uint8(random.IntN(4))
	for r.NVLAN = uint8(random.IntN(3)); random.IntN(2) > 0; {
		r.VLAN[random.IntN(2)] = uint16(small())
	}
	r.Flow = decode.Flow{SrcAS: small(), DstAS: small(), InIf: small(), OutIf: small(),
		NextHop: host()}
	return r, host()
}

// drawRule returns a rule of up to three fields.
func drawRule(random *rand.Rand) string {
	some := func(values ...string) string {
		n := 1 + random.IntN(3)
		for range n {
			i := random.IntN(len(values))
			values[0], values[i] = values[i], values[0]
		}
		return "[" + strings.Join(values[:min(n, len(values))], ",") + "]"
	}
	numbers := func() string { return some("1", "2", "3", `"4-5"`, `"1-40"`) }
	hosts := func() string { return some(`"10.0.0.1"`, `"10.1.0.2"`, `"2001:db8::1"`) }
	prefixes := []string{`"10.1.0.0/16"`, `"10.0.0.2/31"`, `"0.0.0.0/1"`, `"2001:db8:0:1::/64"`,
		`"::/0"`, `"2001:db8::/64"`, `"10.2.0.1/32"`}
	fields := map[string]string{
		"source_prefix":       prefixes[random.IntN(len(prefixes))],
		"destination_prefix":  prefixes[random.IntN(len(prefixes))],
		"source_ports":        numbers(),
		"destination_ports":   numbers(),
		"packet_lengths":      numbers(),
		"vlans":               numbers(),
		"source_asns":         numbers(),
		"destination_asns":    numbers(),
		"input_interfaces":    numbers(),
		"output_interfaces":   numbers(),
		"ttls":                numbers(),
		"protocols":           some(`"tcp"`, `"udp"`, "1", `"47-60"`),
		"ipv4_nexthops":       hosts(),
		"agent_addresses":     hosts(),
		"fragmentation_flags": some(`"dont-fragment"`, `"last-fragment"`, `"first-fragment"`),
		"tcp_flags":           some(`"syn"`, `"syn|ack"`, `"ack|push"`, `"rst"`, `"fin"`),
	}
	names := slices.Sorted(maps.Keys(fields))
	random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	n, out := 1+random.IntN(3), []string{}
	for _, name := range names[:n] {
		out = append(out, strconv.Quote(name)+":"+fields[name])
	}
	return "{" + strings.Join(out, ",") + "}"
}

// compare holds rules, one per line of text, to their slow twin.
func compare(t testing.TB, text string, random *rand.Rand, records int) (matched int) {
	rs, err := ParseRules(strings.NewReader(text), "rules")
	if err != nil {
		return 0
	}
	lines := strings.Split(text, "\n")
	for range records {
		r, agent := draw(random)
		want := -1
		for i := range rs.Len() {
			if slow(t, lines[rs.Line(i)-1], &r, agent) {
				want = i
				break
			}
		}
		if got := rs.Match(&r, agent); got != want {
			t.Fatalf("rule %d, want %d, of\n%s\nfor %+v of %v", got, want, text, r, agent)
		}
		if want >= 0 {
			matched++
		}
	}
	return matched
}

func TestMatchesLikeSlow(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	matched, all := 0, 0
	rounds := 300
	if testing.Short() {
		rounds = 30
	}
	for range rounds {
		var rules []string
		for range 1 + random.IntN(12) {
			rules = append(rules, drawRule(random))
		}
		matched += compare(t, strings.Join(rules, "\n"), random, 100)
		all += 100
	}
	if matched < all/20 || matched > all*19/20 {
		t.Errorf("%d of %d records matched", matched, all)
	}
}

func FuzzParseRules(f *testing.F) {
	f.Add(`{"source_prefix":"10.0.0.0/8","tcp_flags":["syn|ack"]}`, uint64(1))
	f.Add("# \n{\"protocols\":[\"udp\",6],\"source_ports\":[\"1-3\",5]}\r\n{\"vlans\":[0]}",
		uint64(2))
	f.Add(`{"fragmentation_flags":["last-fragment"],"action_type":"mark","action":{}}`, uint64(3))
	f.Add(`{"destination_prefix":"::/0","agent_addresses":["10.0.0.1"],"ttls":["2-3"]}`, uint64(4))
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		if _, err := ParseRules(strings.NewReader(text), "rules"); err != nil {
			if !strings.HasPrefix(err.Error(), "rules:") {
				t.Errorf("%v", err)
			}
			return
		}
		compare(t, text, rand.New(rand.NewPCG(seed, 0)), 20)
	})
}
