package config

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/control/detect"
	"weir/control/rate"
	"weir/decode"
)

// TestSmallest holds the values of the smallest configuration that is documented.
func TestSmallest(t *testing.T) {
	data, err := os.ReadFile("testdata/good/smallest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	c, findings := Parse("smallest.yaml", data)
	if len(findings) != 0 {
		t.Fatal(findings)
	}
	prefixes := func(texts ...string) (out []netip.Prefix) {
		for _, text := range texts {
			out = append(out, netip.MustParsePrefix(text))
		}
		return out
	}
	want := Default()
	want.Networks = prefixes("10.0.0.0/16", "2001:db8:10::/48")
	want.Allowlist = prefixes("10.0.0.250/32")
	want.Thresholds = limits("incoming", "pps", 20_000, "bps", 1_000_000_000, "fps", 3500,
		"syn_pps", 10_000, "outgoing", "pps", 20_000)
	want.Hostgroups = []Hostgroup{{
		Name: "web", Prefixes: prefixes("10.0.1.0/24"),
		Thresholds: limits("incoming", "pps", 50_000),
	}}
	want.Capture.AFXDP = []AFXDP{{
		Mirror: Mirror{
			Interface: "eth1", Cores: []int{2, 3}, SamplingRate: 1, Direction: Both,
			Promiscuous: true,
		},
		ZeroCopy: Prefer, BusyPoll: BusyOff, DeferIRQs: true,
	}}
	for _, listen := range []string{":2055", ":6343"} {
		want.Capture.Flows = append(want.Capture.Flows, Flows{
			Listen: listen, SamplingRate: 1, View: AutoView, ReceiveBuffer: 32 << 20,
		})
	}
	want.BGP.Local = Local{AS: 65001, RouterID: netip.MustParseAddr("192.0.2.1")}
	want.BGP.Peers = []Peer{{
		Address: netip.MustParseAddr("192.0.2.254"), AS: 65001, GracefulRestart: 2 * time.Minute,
	}}
	want.Governor.Protected = prefixes("10.0.0.1/32")
	want.Memory.Tables = 4 << 30
	want.Actions.Script = Script{
		Path: "/usr/local/bin/notify_about_attack.sh", Format: Text, Timeout: 30 * time.Second,
	}
	if !reflect.DeepEqual(*c, want) {
		t.Errorf("the configuration is\n%+v\nnot\n%+v", *c, want)
	}
}

// limits makes thresholds of directions, metrics and values.
func limits(words ...any) (t detect.Thresholds) {
	l := &t[rate.Incoming]
	for i := 0; i < len(words); i++ {
		switch word := words[i].(string); word {
		case "incoming":
			l = &t[rate.Incoming]
		case "outgoing":
			l = &t[rate.Outgoing]
		default:
			m, ok := rate.ParseMetric(word)
			if !ok {
				panic("BUG: no metric " + word)
			}
			i++
			l.Set[m], l.Value[m] = true, uint64(words[i].(int))
		}
	}
	return t
}

func TestDefault(t *testing.T) {
	c := Default()
	if c.Thresholds != limits("incoming", "pps", 20_000, "bps", 1_000_000_000, "fps", 3500,
		"outgoing", "pps", 20_000, "bps", 1_000_000_000, "fps", 3500) {
		t.Errorf("thresholds are %v", c.Thresholds)
	}
	if c.Evidence.Dir != "/var/lib/weir/evidence" || c.Mode != Observe || c.Memory.Tables != 0 {
		t.Errorf("default is %+v", c)
	}
	for i, open := range c.Decode.Tunnels {
		if !open {
			t.Errorf("tunnel %v is off", decode.Tunnel(i))
		}
	}
}

func TestPolicy(t *testing.T) {
	c, _, err := Load("testdata/good/thresholds-are-exactly-these.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p := c.Policy()
	global := limits("incoming", "pps", 0, "syn_pps", 1500)
	if g := p.Groups[0]; g.Name != detect.Global || g.Prefixes != nil || g.Thresholds != global {
		t.Errorf("the first group is %+v", g)
	}
	lifted := limits("incoming", "pps", 1_000_000, "syn_pps", 0)
	if g := p.Groups[1]; g.Name != "lifted" || g.Thresholds != lifted {
		t.Errorf("the second group is %+v", g)
	}
	c.Hostgroups[0].Thresholds = detect.Thresholds{}
	if g := c.Policy().Groups[1]; g.Thresholds != global {
		t.Errorf("a group without thresholds has %+v", g)
	}
}

func TestLoad_Failure(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.yaml")
	large := filepath.Join(dir, "large.yaml")
	text := "version: 1\nnetworks: [10.0.0.0/16]\nallowlist: [192.0.2.1]\nmode: no\n"
	for file, data := range map[string]string{bad: text, large: strings.Repeat("#", maxFile+1)} {
		if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, findings, err := Load(filepath.Join(dir, "none.yaml"))
	if c != nil || findings != nil || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v, %v, %v", c, findings, err)
	}
	if c, _, err := Load(dir); c != nil || err == nil {
		t.Errorf("a folder: %v, %v", c, err)
	}
	_, _, err = Load(large)
	if err == nil || !strings.Contains(err.Error(), "1 MiB") {
		t.Errorf("a large file: %v", err)
	}
	c, findings, err = Load(bad)
	if c != nil || findings.Count(Error) != 1 || findings.Count(Warning) != 1 {
		t.Errorf("a bad file: %v, %v", c, findings)
	}
	var asFindings Findings
	if !errors.As(err, &asFindings) || len(asFindings) != 2 || findings[1].File != bad {
		t.Errorf("a bad file: %v", err)
	}
}

// TestMachine holds the tables to the memory of the machine.
func TestMachine(t *testing.T) {
	f := func(tables string, machine uint64, want string) {
		t.Helper()
		data := []byte("version: 1\nnetworks: [10.0.0.0/16]\nmemory: {tables: " + tables + "}\n")
		_, findings := parse("test.yaml", data, surroundings{memory: machine})
		if got := findings.Error(); !strings.HasPrefix(got, want) || (got == "") != (want == "") {
			t.Errorf("%s on %d: %q, not %q", tables, machine, got, want)
		}
	}
	const place = "test.yaml:3:18: memory.tables: "
	f("1GiB", 1<<30, "")
	f("auto", 1<<20, "")
	f("1GiB", 1<<30-1, place+"1GiB is more than this machine has: 1023MiB\n")
	f("512KiB", 1<<18, place+"\"512KiB\" is out of range")
	_, _, err := Load(writeFile(t, "version: 1\nnetworks: [::/64]\nmemory: {tables: 64TiB}\n"))
	if err == nil || !strings.Contains(err.Error(), "memory.tables: 64TiB is more than this") {
		t.Errorf("64 TiB of tables: %v", err)
	}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestWorkers(t *testing.T) {
	f := func(capture string, want int) {
		t.Helper()
		text := "version: 1\nnetworks: [10.0.0.0/16]\ncapture: " + capture + "\n"
		c, findings := Parse("test.yaml", []byte(text))
		if c == nil {
			t.Fatal(findings)
		}
		if got := c.Capture.Workers(); got != want {
			t.Errorf("%s has %d workers, not %d", capture, got, want)
		}
	}
	f("{}", 1)
	f("{afpacket: [{interface: a}, {interface: b}]}", 2)
	f("{afxdp: [{interface: a, queues: [0, 1, 2]}, {interface: b, cores: [4, 5]}]}", 5)
	f("{flows: [{listen: :2055}]}", 0)
}

// TestTooManyErrors holds the number of findings of one file to a bound, and the last to say so.
func TestTooManyErrors(t *testing.T) {
	data := []byte("networks:\n" + strings.Repeat("- a\n", 5000))
	_, findings := Parse("test.yaml", data)
	checkFindings(t, data, findings)
	last := findings[len(findings)-1]
	if len(findings) != maxFindings+1 || !strings.Contains(last.Message, "4001 more are not") {
		t.Errorf("%d findings, the last %v", len(findings), last)
	}
}

func TestFindingString(t *testing.T) {
	text := "version: 1\nnetworks: [10.0.0.0/16]\n\nthresholds:\n\n\n" +
		"  incoming: {pps: 20k, udp_ppps: 10k}\n"
	_, findings := Parse("weir.yaml", []byte(text))
	want := `weir.yaml:7:24: thresholds.incoming.udp_ppps: unknown key
    7 |   incoming: {pps: 20k, udp_ppps: 10k}
      |                        ^^^^^^^^ did you mean "udp_pps"?`
	if len(findings) != 1 || findings.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", findings, want)
	}
}

// TestPrefixSet holds prefixSet and nested to a search through all prefixes.
func TestPrefixSet(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	random := func() netip.Prefix {
		if rng.IntN(4) == 0 {
			b := [16]byte{0: 0x20, 1: byte(rng.IntN(4)), 15: byte(rng.IntN(4))}
			return netip.PrefixFrom(netip.AddrFrom16(b), rng.IntN(129)).Masked()
		}
		b := [4]byte{byte(rng.IntN(2)), byte(rng.IntN(4)), 0, byte(rng.IntN(4))}
		return netip.PrefixFrom(netip.AddrFrom4(b), rng.IntN(33)).Masked()
	}
	for range 2000 {
		prefixes := make([]netip.Prefix, rng.IntN(8))
		for i := range prefixes {
			if rng.IntN(10) > 0 {
				prefixes[i] = random()
			}
		}
		p := random()
		want := slices.ContainsFunc(prefixes, p.Overlaps)
		if got := newPrefixSet(prefixes).overlaps(p); got != want {
			t.Fatalf("%v overlaps %v: %v", prefixes, p, got)
		}
		inside := map[int]bool{}
		nested(prefixes, func(i, outer int) {
			inside[i] = true
			if p, q := prefixes[i], prefixes[outer]; !q.Overlaps(p) || q.Bits() >= p.Bits() {
				t.Fatalf("%v is inside %v", p, q)
			}
		})
		for i, p := range prefixes {
			want := slices.ContainsFunc(prefixes, func(q netip.Prefix) bool {
				return q.Overlaps(p) && q.Bits() < p.Bits()
			})
			if inside[i] != want {
				t.Fatalf("%v of %v is inside another: %v", p, prefixes, inside[i])
			}
		}
	}
}

func TestHosts(t *testing.T) {
	c := Default()
	for _, text := range []string{"10.0.1.0/24", "10.0.0.0/16", "192.0.2.1/32", "2001:db8::/32"} {
		c.Networks = append(c.Networks, netip.MustParsePrefix(text))
	}
	if ipv4, ipv6 := c.Hosts(); ipv4 != 65537 || ipv6 != 1 {
		t.Errorf("%d IPv4 hosts, %d IPv6 networks", ipv4, ipv6)
	}
}

// TestJSON holds the JSON form to values that other programs read.
func TestJSON(t *testing.T) {
	c := Default()
	c.Networks = []netip.Prefix{netip.MustParsePrefix("2001:db8::/32")}
	data, err := json.Marshal(&c)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Networks   []netip.Prefix
		Thresholds map[string]map[string]uint64
		Allowlist  []string
		Evidence   map[string]any
		BGP        map[string]any
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if got.Thresholds["incoming"]["bps"] != 1e9 || len(got.Thresholds["outgoing"]) != 3 ||
		got.Evidence["max_bytes"] != 2097152.0 || got.Networks[0] != c.Networks[0] ||
		got.Allowlist == nil || got.BGP["local"] != nil {
		t.Errorf("%s is read as %+v", data, got)
	}
}
