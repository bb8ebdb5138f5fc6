package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir/control/config"
)

// runConfig runs `weir config args...` and returns its exit status and what it wrote.
func runConfig(args ...string) (status int, out, errOut string) {
	var o, e bytes.Buffer
	status = Main(append([]string{"config"}, args...), &o, &e)
	return status, o.String(), e.String()
}

// configFile writes a configuration file and returns its path.
func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	goodConfig = "version: 1\nnetworks: [10.0.0.0/16, 2001:db8::/32]\nmemory: {tables: 64MiB}\n"
	warnConfig = goodConfig + "allowlist: [192.0.2.1]\n"
	badConfig  = warnConfig + "mdoe: observe\nban: {time: 1d}\n"
)

func TestConfigCheck(t *testing.T) {
	// How much is taken of the budget is not for this test to say.
	size := regexp.MustCompile(`[0-9.]+ [KM]iB (of)|[0-9]+ (more)`)
	f := func(text string, wantStatus int, wantOut, wantErr string) {
		t.Helper()
		path := configFile(t, text)
		for _, args := range [][]string{{"check", path}, {"check", "-c", path}} {
			status, out, errOut := runConfig(args...)
			out = size.ReplaceAllString(strings.ReplaceAll(out, path, "FILE"), "SIZE $1$2")
			errOut = strings.ReplaceAll(errOut, path, "FILE")
			if status != wantStatus || out != wantOut || errOut != wantErr {
				t.Errorf("status %d, out\n%s\nerr\n%s", status, out, errOut)
			}
		}
	}
	meaning := "FILE: mode observe, 2 networks (65536 IPv4 hosts, 1 IPv6 network), 0 hostgroups\n" +
		"tables: SIZE of a budget of 64 MiB; 65536 hosts by address, SIZE more by directory\n"
	f(goodConfig, exitOK, meaning, "")
	f(warnConfig, exitWarnings, meaning,
		`FILE:4:13: allowlist[0]: warning: 192.0.2.1/32 is outside the networks: it has no effect
    4 | allowlist: [192.0.2.1]
      |             ^^^^^^^^^
FILE: 0 errors, 1 warning
`)
	f(badConfig, exitFailed, "",
		`FILE:4:13: allowlist[0]: warning: 192.0.2.1/32 is outside the networks: it has no effect
    4 | allowlist: [192.0.2.1]
      |             ^^^^^^^^^
FILE:5:1: mdoe: unknown key
    5 | mdoe: observe
      | ^^^^ did you mean "mode"?
FILE:6:13: ban.time: "1d" is not a duration: a number with h, m, s or ms
    6 | ban: {time: 1d}
      |             ^^ write 24h
FILE: 2 errors, 1 warning
`)
}

// TestConfigCheckFilter has the mistakes in the filter's files counted as those in the file itself.
func TestConfigCheckFilter(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "ours.rules")
	if err := os.WriteFile(rules, []byte("{}\n{\"ttl\":[1]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := configFile(t, warnConfig+"filter: {rules: "+rules+", lua: /nonexistent/a.lua}\n")
	status, out, errOut := runConfig("check", path)
	errOut = strings.ReplaceAll(strings.ReplaceAll(errOut, path, "FILE"), rules, "RULES")
	for _, want := range []string{
		"RULES:1:1: filter.rules: a rule that matches everything", "FILE: 3 errors, 1 warning\n",
		"RULES:2:1: filter.rules: ttl: no such key",
		"filter.lua: open /nonexistent/a.lua: no such file",
	} {
		if status != exitFailed || out != "" || !strings.Contains(errOut, want) {
			t.Errorf("status %d, out %q, err\n%s, want %s", status, out, errOut, want)
		}
	}
	if strings.Contains(errOut, "memory.tables") {
		t.Error(errOut)
	}
	status, out, _ = runConfig("show", path)
	if status != exitOK || !strings.Contains(out, rules) {
		t.Errorf("show: status %d, %s", status, out)
	}
}

func TestConfigCheckJSON(t *testing.T) {
	size := regexp.MustCompile(`("tables"|"hosts_by_directory"):[1-9][0-9]+`)
	f := func(text string, wantStatus int, want string) {
		t.Helper()
		path := configFile(t, text)
		status, out, errOut := runConfig("check", "-o", "json", path)
		out = size.ReplaceAllString(strings.ReplaceAll(out, path, "FILE"), "$1:N")
		if status != wantStatus || out != want || errOut != "" {
			t.Errorf("status %d, out\n%s\nerr\n%s", status, out, errOut)
		}
	}
	f(goodConfig, exitOK, `{"type":"summary","file":"FILE","errors":0,"warnings":0,`+
		`"meaning":{"mode":"observe","networks":2,"ipv4_hosts":65536,"ipv6_networks":1,`+
		`"hostgroups":0,"memory":{"tables":N,"budget":67108864,"workers":1,`+
		`"hosts_by_address":65536,"hosts_by_directory":N}}}`+"\n")
	f(badConfig, exitFailed,
		`{"type":"finding","severity":"warning","file":"FILE","line":4,"col":13,`+
			`"path":"allowlist[0]",`+
			`"message":"192.0.2.1/32 is outside the networks: it has no effect"}
{"type":"finding","severity":"error","file":"FILE","line":5,"col":1,"path":"mdoe",`+
			`"message":"unknown key","suggestion":"did you mean \"mode\"?"}
{"type":"finding","severity":"error","file":"FILE","line":6,"col":13,"path":"ban.time",`+
			`"message":"\"1d\" is not a duration: a number with h, m, s or ms",`+
			`"suggestion":"write 24h"}
{"type":"summary","file":"FILE","errors":2,"warnings":1}
`)
}

// TestPlanMemory holds what the check says to the plan of an engine with a worker for each queue.
func TestPlanMemory(t *testing.T) {
	f := func(networks, tables, capture string, want configMemory) {
		t.Helper()
		text := fmt.Sprintf("version: 1\nnetworks: [%s]\nmemory: {tables: %s}\ncapture: %s\n",
			networks, tables, capture)
		c, findings := config.Parse("test.yaml", []byte(text))
		if c == nil {
			t.Fatal(findings)
		}
		got, err := planMemory(c)
		if err != nil || got.Tables == 0 || got.Tables > got.Budget {
			t.Errorf("%s of %s: %+v, %v", networks, tables, got, err)
		}
		want.Tables = got.Tables
		if got != want {
			t.Errorf("%s of %s: %+v, want %+v", networks, tables, got, want)
		}
	}
	two := "{afxdp: [{interface: a, queues: [0, 1]}]}"
	f("10.0.0.0/16", "128MiB", two, configMemory{Budget: 128 << 20, Workers: 2, Direct: 65536})
	f("10.0.0.0/24, 10.0.2.0/24", "8MiB", "{}",
		configMemory{Budget: 8 << 20, Workers: 1, Direct: 512})
	f("0.0.0.0/0, ::/0", "1GiB", "{}",
		configMemory{Budget: 1 << 30, Workers: 1, Directory: 1 << 18})
}

func TestConfigCheck_Failure(t *testing.T) {
	small := configFile(t, "version: 1\nnetworks: [\"::/0\"]\nmemory: {tables: 1MiB}\n")
	status, out, errOut := runConfig("check", small)
	if want := small + ":1:1: memory.tables: "; status != exitFailed || out != "" ||
		!strings.Contains(errOut, want) || !strings.Contains(errOut, "the budget is 1048576\n") {
		t.Errorf("status %d, out %q, err %q", status, out, errOut)
	}
	status, out, errOut = runConfig("check", "-o", "json", small)
	if status != exitFailed || errOut != "" || !strings.Contains(out, `"path":"memory.tables"`) ||
		!strings.Contains(out, `"errors":1`) || strings.Contains(out, "meaning") {
		t.Errorf("status %d, out %q, err %q", status, out, errOut)
	}
	large := configFile(t, "version: 1\nnetworks: [10.0.0.0/8]\nmemory: {tables: 64TiB}\n")
	status, out, errOut = runConfig("check", large)
	if want := large + ":3:18: memory.tables: 64TiB is more than this machine has"; out != "" ||
		status != exitFailed || !strings.Contains(errOut, want) {
		t.Errorf("status %d, out %q, err %q", status, out, errOut)
	}
}

// TestEveryAddressIsHome replays a capture of a network that the configuration does not name.
func TestEveryAddressIsHome(t *testing.T) {
	const config = `version: 1
networks: [0.0.0.0/0, ::/0]
memory: {tables: 256MiB}
thresholds: {incoming: {udp_pps: 1k}}
`
	path, capture := writeConfig(t, config), writeCapture(t)
	lines, _ := replayLines(t, path, capture)
	var attacked []string
	for _, l := range lines {
		if l.Event == "attack_started" {
			attacked = append(attacked, l.Target)
		}
	}
	last := lines[len(lines)-1]
	if !slices.Equal(attacked, []string{"10.0.0.7/32", "10.0.0.9/32"}) || last.Received == 0 ||
		last.Received != last.Processed {
		t.Errorf("attacks on %v; %+v", attacked, last)
	}
	status, _, errOut := weir("replay", "-c", path, capture)
	warning := path + ":2:12: networks[0]: warning: every address is home: nothing is outside\n"
	if status != exitOK || !strings.HasPrefix(errOut, warning) {
		t.Errorf("status %d, err %q", status, errOut)
	}
	path = writeConfig(t, config+"mode: enforce\n")
	status, out, errOut := weir("replay", "-c", path, capture)
	if want := path + ":2:12: networks[0]: every address is home"; status != exitFailed ||
		out != "" || !strings.HasPrefix(errOut, want) || strings.Contains(errOut, "weir: ") {
		t.Errorf("status %d, out %q, err %q", status, out, errOut)
	}
}

func TestConfig_Failure(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none.yaml")
	bad := configFile(t, badConfig)
	f := func(wantStatus int, wantErr string, args ...string) {
		t.Helper()
		status, out, errOut := runConfig(args...)
		if status != wantStatus || out != "" || !strings.Contains(errOut, wantErr) {
			t.Errorf("%v: status %d, out %q, err %q", args, status, out, errOut)
		}
	}
	f(exitFailed, "weir: read configuration: open "+none, "check", none)
	f(exitFailed, "weir: read configuration: open "+none, "check", "-o", "json", none)
	f(exitFailed, "weir: read configuration: open "+none, "show", "-c", none)
	f(exitFailed, bad+":5:1: mdoe: unknown key", "show", "-c", bad)
	f(exitUsage, "two configuration files", "check", "-c", bad, bad)
	f(exitUsage, "--output", "check", "-o", "xml", bad)
	f(exitUsage, "--output", "show", "-o", "xml", bad)
	f(exitUsage, "accepts at most 1 arg", "check", bad, bad)
	f(exitUsage, "unknown command", "chekc", bad)
	f(exitUsage, "unknown command", "init", bad)
}

// TestConfigShow holds what is shown to be the same configuration, in both forms.
func TestConfigShow(t *testing.T) {
	path := configFile(t, warnConfig)
	want, _, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	status, out, errOut := runConfig("show", "-c", path)
	if status != exitOK || out != string(want.YAML()) || !strings.Contains(errOut, "warning: ") {
		t.Errorf("status %d, out\n%s\nerr\n%s", status, out, errOut)
	}
	status, out, _ = runConfig("show", "-o", "json", path)
	var shown struct {
		Type, File string
		Config     json.RawMessage
	}
	if err := json.Unmarshal([]byte(out), &shown); err != nil || strings.Count(out, "\n") != 1 {
		t.Fatalf("out %q: %v", out, err)
	}
	c, findings := config.Parse("json", shown.Config)
	if status != exitOK || shown.Type != "config" || shown.File != path || c == nil ||
		!bytes.Equal(c.YAML(), want.YAML()) {
		t.Errorf("status %d, %s: %v", status, out, findings)
	}
}

// TestConfigInit holds what is printed to be a file that passes the check.
func TestConfigInit(t *testing.T) {
	status, out, errOut := runConfig("init")
	if status != exitOK || out != config.Reference() || errOut != "" {
		t.Errorf("status %d, out %q, err %q", status, out, errOut)
	}
	if status, _, errOut := runConfig("check", configFile(t, out)); status != exitOK {
		t.Errorf("the check says %d: %s", status, errOut)
	}
}
