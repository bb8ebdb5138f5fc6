package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"weir/control/ban"
	"weir/control/capture"
	"weir/control/detect"
	"weir/control/rate"
	"weir/ring"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// begin is when the attack of the fixtures starts.
var begin = time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC).UnixNano()

const ms = int64(time.Millisecond)

// testRates returns rates with a total of so many packets, all UDP but 1000 of TCP, half of it SYN.
func testRates(pps uint64) rate.Rates {
	var r rate.Rates
	for class, n := range map[rate.Class]uint64{
		rate.Total: pps, rate.UDP: pps - 1000, rate.TCP: 1000, rate.SYN: 500, rate.Frag: 20,
	} {
		r.Packets[class], r.Bits[class] = n, n*480
	}
	r.Flows = pps / 90
	return r
}

// incident4 is an attack on an IPv4 host that is over.
func incident4() *ban.Incident {
	inc := &ban.Incident{
		ID:     "0123456789abcdef",
		Target: netip.MustParsePrefix("198.51.100.7/32"),
		Trigger: detect.Trigger{
			Metric: rate.UDPPPS, Value: 81000, Limit: 20000, Hostgroup: "web", View: "mirror",
		},
		Begin: begin, Detected: begin + 640*ms, End: begin + 9000*ms,
		Vectors: []detect.Vector{{Name: "dns_amplification", Share: 0.931},
			{Name: "udp_flood", Share: 0.05}},
		AtVerdict: [2]rate.Rates{testRates(82000), testRates(1200)},
		Last:      [2]rate.Rates{testRates(1500), testRates(1100)},
		PeakPPS:   90000, PeakBPS: 90000 * 480, PeakFPS: 1000,
	}
	for i := range int64(4) {
		p := ban.Point{Time: begin + i*1000*ms}
		p.Rates = [2]rate.Rates{testRates(uint64(1500 + i*30000)), testRates(1100)}
		p.Rates[0].FlowsAtMin = i == 3
		inc.Timeline = append(inc.Timeline, p)
	}
	route := ban.Action{
		Event: ban.Announced,
		Time:  begin + 641*ms, Kind: "blackhole", Prefix: inc.Target,
		Communities: []string{"65535:666", "no-export"}, DryRun: true,
	}
	gone := route
	gone.Time, gone.Event, gone.Reason = begin+9100*ms, ban.Withdrawn, "attack_over"
	inc.Actions = []ban.Action{route, gone}
	return inc
}

// incident6 is an attack from an IPv6 host of which little is known yet.
func incident6() *ban.Incident {
	inc := &ban.Incident{
		ID:     "fedcba9876543210",
		Target: netip.MustParsePrefix("2001:db8:10::7/128"),
		Trigger: detect.Trigger{
			Direction: rate.Outgoing, Metric: rate.PPS, Value: 30000, Limit: 20000,
			Hostgroup: detect.Global, View: "edge",
		},
		Allowed: true, Begin: begin, Detected: begin + 1000*ms,
	}
	inc.AtVerdict[rate.Outgoing].Packets[rate.Total] = 30000
	return inc
}

// sampleOf returns a sample of a packet between two addresses, at ms after the begin.
func sampleOf(src, dst string, sport, dport uint16, proto uint8, at int64) capture.Sample {
	s := capture.Sample{
		Time: begin + at*ms, Gap: 1, Sampling: 1, Link: 1, Proto: proto, TTL: 57,
		SrcPort: sport, DstPort: dport, IPLen: 60, Wire: 74, Cap: 74,
	}
	s.SrcHi, s.SrcLo = halves(src)
	s.DstHi, s.DstLo = halves(dst)
	for i := range s.Data {
		s.Data[i] = byte(i)
	}
	return s
}

func halves(address string) (hi, lo uint64) {
	for i, b := range netip.MustParseAddr(address).As16() {
		if i < 8 {
			hi = hi<<8 | uint64(b)
		} else {
			lo = lo<<8 | uint64(b)
		}
	}
	return hi, lo
}

func evidence4() *capture.Snapshot {
	const target, resolver = "198.51.100.7", "192.0.2.1"
	s := []capture.Sample{
		sampleOf(target, resolver, 40000, 443, protoTCP, -700),
		sampleOf(resolver, target, 53, 4444, protoUDP, 100),
		sampleOf(resolver, target, 53, 4444, protoUDP, 200),
		sampleOf(resolver, target, 0, 0, protoUDP, 201),
		sampleOf("192.0.2.2", target, 0, 3<<8|1, protoICMP, 300),
		sampleOf("192.0.2.3", target, 443, 50000, protoTCP, 400),
		sampleOf("192.0.2.4", target, 0, 0, 47, 650),
		sampleOf(target, resolver, 4444, 53, protoUDP, 700),
	}
	s[0].Outgoing, s[0].TCPFlags = true, 0x02
	s[1].Gap, s[1].Sampling, s[1].IPLen, s[1].Wire, s[1].Stream = 16, 100, 1400, 1414, ring.Warm
	s[3].Fragment = 2
	s[5].TCPFlags = 0
	s[7].Outgoing = true
	return &capture.Snapshot{Samples: s, Before: 6, SeenBefore: 600, SeenAfter: 4321}
}

func evidence6() *capture.Snapshot {
	s := []capture.Sample{
		sampleOf("2001:db8:10::7", "2001:db8::1", 1234, 80, protoTCP, 900),
		sampleOf("2001:db8:10::7", "2001:db8::1", 0, 128<<8, protoICMPv6, 1001),
	}
	s[0].TCPFlags, s[0].Outgoing, s[1].Outgoing = 0x3f, true, true
	return &capture.Snapshot{Samples: s, Before: 1, SeenBefore: 1, SeenAfter: 1}
}

func render(t *testing.T, inc *ban.Incident, ev *capture.Snapshot, o Options) (text, doc string) {
	t.Helper()
	var a, b bytes.Buffer
	if err := errors.Join(Text(&a, inc, ev, o), JSON(&b, inc, ev, o)); err != nil {
		t.Fatal(err)
	}
	return a.String(), b.String()
}

func TestGolden(t *testing.T) {
	f := func(name string, inc *ban.Incident, ev *capture.Snapshot, o Options) {
		t.Helper()
		text, doc := render(t, inc, ev, o)
		var indented bytes.Buffer
		if err := json.Indent(&indented, []byte(doc), "", "  "); err != nil {
			t.Fatal(err)
		}
		golden(t, name+".txt", text)
		golden(t, name+".json", indented.String())
		text2, doc2 := render(t, inc, ev, o)
		if text2 != text || doc2 != doc {
			t.Errorf("%s: the same incident gave two documents", name)
		}
	}
	f("ipv4_over", incident4(), evidence4(), DefaultOptions())
	f("ipv4_cropped", incident4(), evidence4(),
		Options{Packets: 2, Flows: 1, Points: 2, Actions: 1})
	f("ipv6_outgoing", incident6(), evidence6(), DefaultOptions())
	f("no_evidence", incident6(), nil, DefaultOptions())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs from what is written; look at the difference after -update", path)
	}
}

// The labels of FastNetMon's report, each once and in its order.
func TestTextLabels(t *testing.T) {
	labels := []string{
		"IP: 198.51.100.7", "Attack type: udp_flood",
		"Initial attack power: 82000 packets per second",
		"Peak attack power: 90000 packets per second", "Attack direction: incoming",
		"Attack protocol: udp", "Total incoming traffic: 39 mbps", "Total outgoing traffic: 0 mbps",
		"Total incoming pps: 82000 packets per second",
		"Total outgoing pps: 1200 packets per second",
		"Total incoming flows: 911 flows per second", "Total outgoing flows: 13 flows per second",
	}
	for _, c := range []struct {
		name    string
		in, out [2]uint64 // mbps, pps
	}{
		{"ip fragmented", [2]uint64{0, 20}, [2]uint64{0, 20}},
		{"dropped", [2]uint64{}, [2]uint64{}},
		{"tcp", [2]uint64{0, 1000}, [2]uint64{0, 1000}},
		{"syn tcp", [2]uint64{0, 500}, [2]uint64{0, 500}},
		{"udp", [2]uint64{38, 81000}, [2]uint64{0, 200}}, {"icmp", [2]uint64{}, [2]uint64{}},
	} {
		labels = append(labels,
			fmt.Sprintf("Incoming %s traffic: %d mbps", c.name, c.in[0]),
			fmt.Sprintf("Outgoing %s traffic: %d mbps", c.name, c.out[0]),
			fmt.Sprintf("Incoming %s pps: %d packets per second", c.name, c.in[1]),
			fmt.Sprintf("Outgoing %s pps: %d packets per second", c.name, c.out[1]))
	}
	text, _ := render(t, incident4(), evidence4(), DefaultOptions())
	header := strings.Join(labels, "\n") + "\n\n\n\nAttack traffic dump\n\n"
	if !strings.HasPrefix(text, header) {
		t.Errorf("the header is not FastNetMon's:\n%s", text[:min(len(text), len(header))])
	}
	lines := strings.Split(text, "\n")
	for _, l := range labels {
		if n := countOf(lines, l); n != 1 {
			t.Errorf("%q stands %d times", l, n)
		}
	}
}

func countOf(lines []string, line string) int {
	n := 0
	for _, l := range lines {
		if l == line {
			n++
		}
	}
	return n
}

// Every key of FastNetMon's document is there, as a number where it is one.
func TestJSONKeys(t *testing.T) {
	_, doc := render(t, incident4(), evidence4(), DefaultOptions())
	var top struct {
		Scope   string                       `json:"alert_scope"`
		IP      string                       `json:"ip"`
		Action  string                       `json:"action"`
		Details map[string]json.RawMessage   `json:"attack_details"`
		Packets []map[string]json.RawMessage `json:"packet_dump_detailed"`
		Weir    map[string]json.RawMessage   `json:"weir"`
	}
	d := json.NewDecoder(strings.NewReader(doc))
	d.DisallowUnknownFields() // everything else is under "weir"
	if err := d.Decode(&top); err != nil {
		t.Fatal(err)
	}
	if top.Scope != "host" || top.IP != "198.51.100.7" || top.Action != "unban" {
		t.Errorf("got scope %q, IP %q, action %q", top.Scope, top.IP, top.Action)
	}
	wants := map[string]string{
		"host_group": `"web"`, "protocol_version": `"IPv4"`,
		"attack_uuid":            `"` + attackUUID(incident4().ID) + `"`,
		"total_incoming_traffic": "4920000", "total_incoming_traffic_bits": "39360000",
		"total_outgoing_traffic": "72000", "total_outgoing_traffic_bits": "576000",
		"total_incoming_pps": "82000", "total_outgoing_pps": "1200",
		"total_incoming_flows": "911", "total_outgoing_flows": "13",
	}
	for class, pps := range map[string][2]int{
		"dropped": {}, "ip_fragmented": {20, 20}, "tcp": {1000, 1000}, "syn_tcp": {500, 500},
		"udp": {81000, 200}, "icmp": {},
	} {
		for i, direction := range []string{"incoming_", "outgoing_"} {
			wants[direction+class+"_pps"] = fmt.Sprint(pps[i])
			wants[direction+class+"_traffic_bits"] = fmt.Sprint(pps[i] * 480)
			wants[direction+class+"_traffic"] = fmt.Sprint(pps[i] * 60)
		}
	}
	for key, want := range wants {
		if got := string(top.Details[key]); got != want {
			t.Errorf("attack_details.%s: got %s, want %s", key, got, want)
		}
	}
	if len(top.Details) != len(wants) {
		t.Errorf("%d keys in attack_details, want %d", len(top.Details), len(wants))
	}
	for i, want := range []int{22, 21, 21, 21, 19, 22, 19, 21} { // TCP, UDP, ICMP, GRE
		if got := len(top.Packets[i]); got != want {
			t.Errorf("packet %d has %d keys, want %d", i, got, want)
		}
	}
}

// A parser of FastNetMon's packet lines still reads ours.
func TestPacketLine(t *testing.T) {
	line := regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} \S+:\d+ > \S+:\d+ ` +
		`protocol: (tcp flags: (-|[a-z,]+)|udp|icmp|unknown) frag: [01]  packets: 1 ` +
		`size: \d+ bytes ttl: \d+ sample ratio: \d+  $`)
	for _, ev := range []*capture.Snapshot{evidence4(), evidence6()} {
		for i := range ev.Samples {
			if got := packetLine(&ev.Samples[i]); !line.MatchString(got) {
				t.Errorf("got %q", got)
			}
		}
	}
	s := evidence4().Samples[1]
	const want = "2026-01-02 03:04:05.100006 192.0.2.1:53 > 198.51.100.7:4444 protocol: udp " +
		"frag: 0  packets: 1 size: 1414 bytes ttl: 57 sample ratio: 1600  "
	if got := packetLine(&s); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for flags, want := range map[uint8]string{
		0: "-", 2: "syn", 0x12: "syn,ack", 0x3f: "fin,syn,rst,psh,ack,urg", 0xc0: "-",
	} {
		if got := tcpFlags(flags); got != want {
			t.Errorf("flags %#x: got %s, want %s", flags, got, want)
		}
	}
}

// The flow dump adds up to the evidence, whatever is left out of it.
func TestFlows(t *testing.T) {
	const target = "198.51.100.7"
	var samples []capture.Sample
	for i := range 300 {
		remote := fmt.Sprintf("192.0.2.%d", i%30)
		samples = append(samples, sampleOf(remote, target, 53, uint16(i%10), protoUDP, int64(i)))
	}
	samples = append(samples, sampleOf(target, target, 1, 2, protoTCP, 400)) // to itself
	samples = append(samples, sampleOf("192.0.2.1", "192.0.2.2", 1, 2, protoTCP, 400))
	prefix := netip.MustParsePrefix(target + "/32")
	udp := connections(prefix, samples, false, protoUDP)
	var packets, octets uint64
	for _, f := range udp {
		packets, octets = packets+f.packets, octets+f.bytes
	}
	if len(udp) != 30 || packets != 300 || octets != 300*60 {
		t.Errorf("%d flows of %d packets and %d bytes", len(udp), packets, octets)
	}
	in := connections(prefix, samples, false, protoTCP)
	out := connections(prefix, samples, true, protoTCP)
	if len(in) != 1 || len(out) != 0 {
		t.Errorf("from the target to itself: %d incoming, %d outgoing", len(in), len(out))
	}
	slices.Reverse(samples)
	if again := connections(prefix, samples, false, protoUDP); !slices.Equal(again, udp) {
		t.Error("the order of the samples changes that of the flows")
	}
}

// failAfter is a writer with room for so many bytes.
type failAfter int

var errFull = errors.New("full")

func (f *failAfter) Write(b []byte) (int, error) {
	if len(b) > int(*f) {
		return 0, errFull
	}
	*f -= failAfter(len(b))
	return len(b), nil
}

func TestDocumentsFailure(t *testing.T) {
	inc, ev, o := incident4(), evidence4(), DefaultOptions()
	for _, room := range []int{0, 100, 4100} {
		full := failAfter(room)
		if err := Text(&full, inc, ev, o); !errors.Is(err, errFull) {
			t.Errorf("text with room for %d bytes: got %v", room, err)
		}
		full = failAfter(min(room, 1000))
		if err := JSON(&full, inc, ev, o); !errors.Is(err, errFull) {
			t.Errorf("JSON with room for %d bytes: got %v", room, err)
		}
	}
}

// Names and reasons from elsewhere neither forge lines nor reach a terminal raw, and are bounded.
func TestHostileStrings(t *testing.T) {
	clean, _ := render(t, incident4(), nil, DefaultOptions())
	for _, evil := range []string{
		"x\nIP: 192.0.2.66", "\x1b[2J\x07", "\u202e\u2028", "\xff\xfe", "<script>", `"\`,
		strings.Repeat("ä", 1<<16), strings.Repeat("\x00", 1<<16),
	} {
		inc := incident4()
		inc.Trigger.Hostgroup, inc.Trigger.View = evil, evil
		inc.Vectors = append(inc.Vectors, detect.Vector{Name: evil, Share: 0.01})
		inc.Actions[0].Kind, inc.Actions[0].Communities = evil, []string{evil}
		inc.Actions[1].Reason = evil
		text, doc := render(t, inc, nil, DefaultOptions())
		if strings.Count(text, "\n") != strings.Count(clean, "\n") {
			t.Errorf("%.20q makes lines of its own", evil)
		}
		if !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\x07\x1b\u202e\u2028") {
			t.Errorf("%.20q is in the text as it is", evil)
		}
		if !json.Valid([]byte(doc)) || strings.Contains(doc, "<script>") {
			t.Errorf("%.20q spoils the JSON", evil)
		}
		if len(text) > len(clean)+9000 || len(doc) > 20000 {
			t.Errorf("%.20q: text of %d bytes, JSON of %d", evil, len(text), len(doc))
		}
	}
}

func TestAttackUUID(t *testing.T) {
	const hex3, hex4 = `[0-9a-f]{3}`, `[0-9a-f]{4}`
	form := regexp.MustCompile(`^` + hex4 + hex4 + `-` + hex4 + `-8` + hex3 + `-[89ab]` + hex3 +
		`-` + hex4 + hex4 + hex4 + `$`)
	a, b := attackUUID("0123456789abcdef"), attackUUID("0123456789abcdee")
	if !form.MatchString(a) || !form.MatchString(b) || a == b ||
		a != attackUUID("0123456789abcdef") {
		t.Errorf("got %s and %s", a, b)
	}
}
