package daemon

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/control/api"
	"weir/decode/netflow/netflowtest"
)

// writeText writes a file of a test.
func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// filterFiles writes the files of a filter below dir, and returns what names them.
func filterFiles(t *testing.T, dir, rules, lua string) string {
	t.Helper()
	writeText(t, filepath.Join(dir, "rules"), rules)
	writeText(t, filepath.Join(dir, "lua"), lua)
	return "filter: {rules: " + filepath.Join(dir, "rules") + ", lua: " +
		filepath.Join(dir, "lua") + "}\n"
}

// ignored sends datagrams of twenty flows, and returns how many flows were not counted.
func ignored(t *testing.T, d *Daemon, datagrams int) uint64 {
	t.Helper()
	before := d.live.Picture().Exports
	h := netflowtest.Header{Seconds: uint32(time.Now().Unix()), Uptime: 3_600_000}
	one := netflowtest.F3(nil, h, netflowtest.Flows(1, 20))
	send(t, "127.0.0.2:0", d.ports[0].datagrams.Addr(), slices.Repeat([][]byte{one}, datagrams)...)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		now := d.live.Picture().Exports
		if now.Records == before.Records+20*uint64(datagrams) {
			return now.Ignored - before.Ignored
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("the datagrams were not counted")
	return 0
}

const (
	keepAll   = "function process_netflow(agent, flow) return true end\n"
	keepNone  = "function process_netflow(agent, flow) return false end\n"
	ruleNever = `{"source_prefix": "192.0.2.0/24", "vlans": [7]}` + "\n"
	ruleAll   = `{"source_prefix": "0.0.0.0/0"}` + "\n"
)

// TestReloadFiles changes the filter's files alone: each reload says which, and it holds.
func TestReloadFiles(t *testing.T) {
	var dir string
	d := startWith(t, slog.DiscardHandler, func(at string) string {
		dir = at
		return filterFiles(t, dir, ruleNever, keepAll)
	})
	rules, lua := filepath.Join(dir, "rules"), filepath.Join(dir, "lua")
	f := func(dryRun bool, wantIgnored uint64, want ...api.FileChange) {
		t.Helper()
		r, err := d.Reload(t.Context(), dryRun)
		if err != nil || !r.OK || !slices.Equal(r.Files, want) {
			t.Errorf("%+v, %v, want %+v", r, err, want)
		}
		if n := ignored(t, d, 1); n != wantIgnored {
			t.Errorf("%d records were not counted, want %d", n, wantIgnored)
		}
	}
	f(false, 0)
	writeText(t, rules, ruleNever+ruleAll)
	change := api.FileChange{Path: "filter.rules", File: rules, Old: "1 rule", New: "2 rules"}
	f(true, 0, change)
	f(false, 20, change)
	f(false, 20)
	writeText(t, rules, ruleNever)
	change.Old, change.New = change.New, change.Old
	f(false, 0, change)
	writeText(t, lua, keepNone)
	f(false, 20, api.FileChange{Path: "filter.lua", File: lua, Old: "54 bytes", New: "55 bytes"})
	writeText(t, lua, keepNone+"x")
	r, err := d.Reload(t.Context(), true)
	if err != nil || r.OK || len(r.Files) > 0 || len(r.Errors) != 1 ||
		!strings.HasPrefix(r.Errors[0], lua+":2:1: filter.lua: ") {
		t.Errorf("a bad script: %+v, %v", r, err)
	}
}

// lockedLog is a log that a test reads while a daemon writes.
type lockedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedLog) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

// TestScriptGivenUp has a running daemon give a script up, twice: the log has it once for each.
func TestScriptGivenUp(t *testing.T) {
	var out lockedLog
	d := startWith(t, slog.NewTextHandler(&out, nil), func(dir string) string {
		return filterFiles(t, dir, ruleNever, "function process_netflow() return 7 end\n")
	})
	for times := 1; times <= 2; times++ {
		ignored(t, d, 6) // a script may fail a hundred times
		end := time.Now().Add(10 * time.Second)
		for out.count("is given up") < times && time.Now().Before(end) {
			time.Sleep(20 * time.Millisecond)
		}
		if n := out.count("level=WARN msg=\"the filter's script failed too often"); n != times {
			t.Errorf("told %d times, want %d", n, times)
		}
		if _, err := d.Reload(t.Context(), false); err != nil {
			t.Error(err)
		}
	}
}
