package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// granted are the capabilities of the unit. TestCapabilities shows that each is needed, and that
// together they suffice.
var granted = []string{"CAP_NET_RAW", "CAP_NET_ADMIN", "CAP_BPF"}

// maxExposure bounds the unit's score of systemd-analyze, from 0 to 10, lower is better.
const maxExposure = 2.3

// settings returns the unit's lines by key, in order.
func settings(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("weir.service")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if key, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			all[key] = append(all[key], value)
		}
	}
	return all
}

func TestUnit(t *testing.T) {
	s := settings(t)
	for key, want := range map[string]string{
		"Type":                  "notify",
		"ExecStart":             "/usr/bin/weir run -c /etc/weir/weir.yaml",
		"ExecReload":            "/usr/bin/weir reload",
		"Restart":               "always",
		"WatchdogSec":           "10",
		"User":                  "weir",
		"StateDirectory":        "weir",
		"RuntimeDirectory":      "weir",
		"LimitMEMLOCK":          "infinity",
		"AmbientCapabilities":   strings.Join(granted, " "),
		"CapabilityBoundingSet": strings.Join(granted, " "),
		"NoNewPrivileges":       "yes",
	} {
		if got := strings.Join(s[key], "; "); got != want {
			t.Errorf("%s=%s, want %s", key, got, want)
		}
	}
	for _, family := range []string{"AF_XDP", "AF_PACKET", "AF_NETLINK", "AF_UNIX", "AF_INET"} {
		if !slices.Contains(strings.Fields(s["RestrictAddressFamilies"][0]), family) {
			t.Errorf("RestrictAddressFamilies lacks %s", family)
		}
	}
	calls := strings.Join(s["SystemCallFilter"], "; ")
	if want := "@system-service; ~@privileged @resources; " +
		"bpf sched_setaffinity set_mempolicy setrlimit prlimit64"; calls != want {
		t.Errorf("SystemCallFilter=%s, want %s", calls, want)
	}
}

// tool returns the path of a program of systemd, or skips the test.
func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s: apt install systemd", name)
	}
	return path
}

func TestExposure(t *testing.T) {
	text, err := exec.Command(tool(t, "systemd-analyze"), "security", "--offline=true",
		"--no-pager", "./weir.service").CombinedOutput()
	if err != nil && strings.Contains(string(text), "unrecognized option") {
		t.Skip("systemd-analyze is older than 250")
	}
	match := regexp.MustCompile(`Overall exposure level for .*: ([0-9.]+)`).FindSubmatch(text)
	if match == nil {
		t.Fatalf("%v: no score in\n%s", err, text)
	}
	score, err := strconv.ParseFloat(string(match[1]), 64)
	if err != nil || score > maxExposure {
		t.Errorf("exposure %s, want at most %v\n%s", match[1], maxExposure, text)
	}
	t.Logf("exposure %v", score)
}

// TestUnitIsUnderstood has systemd read the unit: it says nothing but that weir is not installed.
func TestUnitIsUnderstood(t *testing.T) {
	text, _ := exec.Command(tool(t, "systemd-analyze"), "verify", "--man=no",
		"./weir.service").CombinedOutput()
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "weir.service") && !strings.Contains(line, "/usr/bin/weir") {
			t.Error(strings.TrimSpace(line))
		}
	}
}

// TestUserAndFolders has systemd make both in an empty root.
func TestUserAndFolders(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to own files by others")
	}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][]string{
		{"systemd-sysusers", "weir.sysusers"},
		{"systemd-tmpfiles", "--create", "weir.tmpfiles"},
	} {
		file := len(c) - 1
		path, err := filepath.Abs(c[file])
		if err != nil {
			t.Fatal(err)
		}
		c[file] = path
		run := exec.Command(tool(t, c[0]), append([]string{"--root=" + root}, c[1:]...)...)
		if text, err := run.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", c, err, text)
		}
	}
	users, err := os.ReadFile(filepath.Join(root, "etc/passwd"))
	if err != nil || !regexp.MustCompile(
		`(?m)^weir:x:\d+:\d+:weir, DDoS detection:/var/lib/weir:.*/nologin$`).Match(users) {
		t.Errorf("%v: users are %s", err, users)
	}
	folder, err := os.Stat(filepath.Join(root, "etc/weir"))
	if err != nil || folder.Mode() != os.ModeDir|0o750 {
		t.Errorf("%v: /etc/weir is %v", err, folder)
	}
}
