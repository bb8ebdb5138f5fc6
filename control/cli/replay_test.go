package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/control/report"
	"weir/decode/pcap"
	"weir/tools/blast"
)

const replayConfig = `version: 1
networks: [10.0.0.0/24]
allowlist: [10.0.0.9/32]
thresholds: {incoming: {udp_pps: 1k}}
hostgroups:
  - {name: quiet, prefixes: [10.0.0.8/29], thresholds: {incoming: {udp_pps: 500}}}
ban: {time: 4s, quiet: 2s}
`

// writeCapture writes half a minute with two attacks, the second on an allowlisted host.
func writeCapture(t *testing.T) string {
	t.Helper()
	s := blast.Scenario{Seed: 1, SnapLen: 96, Flows: []blast.Flow{
		{Vector: "udp_flood", Dst: blast.Host("10.0.0.50"), PPS: 100, To: 15 * time.Second},
		{Vector: "ntp_amplification", Dst: blast.Host("10.0.0.7"), PPS: 5000,
			From: 2 * time.Second, To: 5 * time.Second},
		{Vector: "udp_flood", Dst: blast.Host("10.0.0.9"), PPS: 2000,
			From: 3 * time.Second, To: 5 * time.Second},
	}}
	path := filepath.Join(t.TempDir(), "attacks.pcapng")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.WriteTo(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// weir runs a command line.
func weir(args ...string) (status int, out, errOut string) {
	var o, e bytes.Buffer
	status = Main(args, &o, &e)
	return status, o.String(), e.String()
}

func TestReplayEvents(t *testing.T) {
	config, capture := writeConfig(t, replayConfig), writeCapture(t)
	lines, first := replayLines(t, config, capture)
	var events []string
	for _, l := range lines {
		events = append(events, strings.TrimSpace(l.Event+" "+l.Target))
	}
	want := "attack_started 10.0.0.7/32, mitigation_announced, attack_started 10.0.0.9/32, " +
		"mitigation_withdrawn, attack_ended 10.0.0.7/32, attack_ended 10.0.0.9/32, "
	if got := strings.Join(events, ", "); got != want {
		t.Errorf("events: %s\nwant: %s\n%s", got, want, first)
	}
	if v := lines[0].Vectors; len(v) == 0 || v[0].Name != "ntp_amplification" || v[0].Share < 0.99 {
		t.Errorf("vectors %+v", v)
	}
	if _, again := replayLines(t, config, capture); again != first {
		t.Errorf("the second run differs:\n%s\n%s", first, again)
	}
	for _, part := range []string{
		`"trigger":{"metric":"incoming_udp_pps","value":`, `"limit":1000,"hostgroup":"global"`,
		`"limit":500,"hostgroup":"quiet"`, `"allowlisted":true`, `"dry_run":true`,
		`"kind":"blackhole","prefix":"10.0.0.7/32","communities":["65535:666","no-export"]`,
		`"reason":"attack_over"`, `"delay_ms":`, `"peak_pps":5000`,
	} {
		if !strings.Contains(first, part) {
			t.Errorf("no %s in the output:\n%s", part, first)
		}
	}
	s := lines[len(lines)-1]
	if s.Attacks != 2 || s.Received != s.Processed || s.Packets != 1500+15000+4000 {
		t.Errorf("summary %+v", s)
	}
	status, table, _ := weir("replay", "-c", config, capture)
	if status != exitOK || !strings.Contains(table, "ntp_amplification 100 %") ||
		!strings.Contains(table, "on the allowlist") || strings.Contains(table, "\x1b") {
		t.Errorf("status %d, table:\n%s", status, table)
	}
}

func TestReplayKeepsEvidence(t *testing.T) {
	config, capture, dir := writeConfig(t, replayConfig), writeCapture(t), t.TempDir()
	if status, _, errOut := weir("replay", "-c", config, "--evidence", dir, capture); status != 0 {
		t.Fatal(errOut)
	}
	incidents, err := filepath.Glob(filepath.Join(dir, "*", report.TextFile))
	if err != nil || len(incidents) != 2 {
		t.Fatalf("incidents %v, %v", incidents, err)
	}
	for _, path := range incidents {
		dir := filepath.Dir(path)
		data, err := os.ReadFile(filepath.Join(dir, report.JSONFile))
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Weir struct {
				Detected time.Time
				Evidence struct {
					Before int `json:"before_verdict"`
				}
			}
		}
		if err := json.Unmarshal(data, &doc); err != nil {
			t.Fatal(err)
		}
		r, err := pcap.Open(filepath.Join(dir, report.EvidenceFile))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		before := 0
		for p := (pcap.Packet{}); r.Next(&p) == nil; {
			if p.Time < doc.Weir.Detected.UnixNano() {
				before++
			}
		}
		if before == 0 || before != doc.Weir.Evidence.Before {
			t.Errorf("%s: %d packets from before the verdict, the document says %d", dir, before,
				doc.Weir.Evidence.Before)
		}
	}
	if status, _, errOut := weir("replay", "-c", config, "--evidence", "/dev/null/x",
		capture); status !=
		exitFailed || !strings.Contains(errOut, "/dev/null") {
		t.Errorf("unwritable folder: status %d: %s", status, errOut)
	}
}

func TestReplayExpect(t *testing.T) {
	config, capture := writeConfig(t, replayConfig), writeCapture(t)
	f := func(expectation string, wantStatus int, wantText string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "expect.yaml")
		if err := os.WriteFile(path, []byte(expectation), 0o600); err != nil {
			t.Fatal(err)
		}
		status, _, errOut := weir("replay", "-c", config, "--expect", path, capture)
		if status != wantStatus || !strings.Contains(errOut, wantText) {
			t.Errorf("%s: status %d, want %d\n%s", expectation, status, wantStatus, errOut)
		}
	}
	f("attacks:\n  - {target: 10.0.0.7, vector: ntp_amplification}\n  - {target: 10.0.0.9/32}\n",
		exitOK, "")
	f("attacks: [{target: 10.0.0.7}]", exitUnmet, "+ found and not expected: 10.0.0.9/32 incoming")
	f("attacks: [{target: 10.0.0.7}, {target: 10.0.0.9}, {target: 10.0.0.8}]", exitUnmet,
		"- expected and not found: 10.0.0.8/32")
	f("attacks: [{target: 10.0.0.7, vector: syn_flood}, {target: 10.0.0.9}]", exitUnmet,
		"syn_flood")
	f("attacks: []", exitUnmet, "+ found")
	f("attacks: [{target: nowhere}]", exitFailed, `attacks[0].target: "nowhere"`)
	f("atacks: []", exitFailed, "expect.yaml")
}

// TestReplayOfBrokenCaptures gives one clear line, and never a partial result that looks whole.
// TestReplayScript has a script fail: now and then, and always, so that it is given up.
func TestReplayScript(t *testing.T) {
	dir := t.TempDir()
	capture, lua := filepath.Join(dir, "f3.pcap"), filepath.Join(dir, "flows.lua")
	if status, _, errOut := weir("blast", "--workload", "F3", "--packets", "20", "--write",
		capture); status != exitOK {
		t.Fatal(errOut)
	}
	config := writeConfig(t, "version: 1\nnetworks: [10.0.0.0/8]\nmemory: {tables: 64MiB}\n"+
		"capture: {flows: [{listen: \":2055\"}]}\nfilter: {lua: "+lua+"}\n")
	f := func(body string, want ...string) {
		t.Helper()
		text := "local n = 0\nfunction process_netflow(agent, flow)\n  n = n + 1\n  " + body +
			"\n  return true\nend\n"
		if err := os.WriteFile(lua, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		status, _, errOut := weir("replay", "-c", config, capture)
		if status != exitOK || strings.Count(errOut, "filter.lua") != len(want) {
			t.Errorf("status %d: %s", status, errOut)
		}
		for _, line := range want {
			if !strings.Contains(errOut, line) {
				t.Errorf("%s, want %s", errOut, line)
			}
		}
	}
	f("")
	f("if n % 20 == 0 then return 1 end",
		"filter.lua: 30 of 600 calls failed, and their records count: returned number")
	f("if n > 50 then flow.x.y = 1 end",
		"filter.lua: 100 of 150 calls failed, and their records count: "+lua+":4: attempt to index",
		"filter.lua: given up; 450 more records count without being asked about")
}

func TestReplayOfBrokenCaptures(t *testing.T) {
	config, capture := writeConfig(t, replayConfig), writeCapture(t)
	whole, err := os.ReadFile(capture)
	if err != nil {
		t.Fatal(err)
	}
	f := func(name string, data []byte, want string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		status, out, errOut := weir("replay", "-o", "json", "-c", config, path)
		if status != exitFailed || strings.Contains(out, "summary") ||
			strings.Count(errOut, "\n") != 1 || !strings.Contains(errOut, path) ||
			!strings.Contains(errOut, want) {
			t.Errorf("%s: status %d\nout: %s\nerr: %s", name, status, out, errOut)
		}
	}
	f("torn.pcapng", whole[:len(whole)/2], "offset ")
	f("garbage.pcap", bytes.Repeat([]byte("garbage "), 100), "offset 0")
	f("empty.pcap", nil, "offset 0")
	bad := bytes.Clone(whole)
	bad[len(bad)/2] ^= 0xff
	for i := range 64 {
		bad[len(bad)/2+i] ^= 0xff
	}
	f("flipped.pcapng", bad, "offset ")
	status, out, errOut := weir("replay", "-c", config, filepath.Join(t.TempDir(), "none.pcap"))
	if status != exitFailed || out != "" || !strings.Contains(errOut, "none.pcap") {
		t.Errorf("missing file: status %d: %s%s", status, out, errOut)
	}
}

func TestUsage(t *testing.T) {
	f := func(want int, args ...string) {
		t.Helper()
		if status, _, errOut := weir(args...); status != want || errOut == "" {
			t.Errorf("weir %v: status %d, want %d: %q", args, status, want, errOut)
		}
	}
	f(exitUsage, "nonsense")
	f(exitUsage, "replay")
	f(exitUsage, "replay", "--nonsense", "x")
	f(exitUsage, "version", "-o", "xml")
	f(exitUsage, "bench", "pipeline", "--workload", "W99")
	f(exitUsage, "bench", "pipeline", "--runs", "0")
	config := writeConfig(t, replayConfig)
	f(exitUsage, "replay", "-c", config, "--speed", "fast", "x.pcap")
	f(exitUsage, "replay", "-c", config, "--speed", "-1x", "x.pcap")
	f(exitFailed, "replay", "-c", "/nonexistent.yaml", "x.pcap")
	f(exitFailed, "replay", "-c", writeConfig(t, "version: 1\nnetwork: [10.0.0.0/8]\n"), "x.pcap")
}

func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("takes five seconds: it runs at five times real time")
	}
	dir := t.TempDir()
	status, out, errOut := weir("demo", "--exit", "--evidence", dir)
	if status != exitOK {
		t.Fatalf("status %d: %s", status, errOut)
	}
	for _, part := range []string{
		"dns_amplification", "syn_flood", "blackhole 198.51.100.7/32", "2001:db8:51::80/128",
		"Attack type: udp_flood", "3 attacks", "ntp_amplification", "198.51.100.33/32",
		"flows in 48 export datagrams",
		"the BGP peer has learned 198.51.100.7/32 via 192.0.2.1, communities 65535:666 65535:65281",
		"the BGP peer has learned 2001:db8:51::80/128 via 100::1",
		"the BGP peer has lost 198.51.100.7/32", "the BGP peer has lost 2001:db8:51::80/128",
	} {
		if !strings.Contains(out, part) {
			t.Errorf("the demo does not show %q:\n%s", part, out)
		}
	}
}
