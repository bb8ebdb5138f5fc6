package daemon

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"weir/fastpath/filter"
)

// TestScriptLog has a script be given up, and others be over their budget: each is told once.
func TestScriptLog(t *testing.T) {
	var out bytes.Buffer
	l := scriptLog{log: slog.New(slog.NewTextHandler(&out, nil))}
	script := func() *filter.Script {
		s, err := filter.NewScript([]byte(keepAll), "flows.lua")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	now := int64(1)
	f := func(of *filter.Script, totals *filter.ScriptStats, want ...string) {
		t.Helper()
		out.Reset()
		for range 3 {
			now += int64(time.Second)
			l.look(of, totals, now)
		}
		if got := out.String(); strings.Count(got, "\n") != min(1, len(want)) {
			t.Errorf("got %q", got)
		}
		for _, text := range want {
			if !strings.Contains(out.String(), text) {
				t.Errorf("got %q, want %q", out.String(), text)
			}
		}
	}
	f(nil, nil)
	first, second := script(), script()
	f(first, nil)
	f(first, &filter.ScriptStats{Calls: 100, Failed: 99})
	given := &filter.ScriptStats{Calls: 150, Failed: 100, Disabled: true, Reason: "no field"}
	f(first, given, "level=WARN", "given up", "script=flows.lua", `reason="no field"`, "failed=100")
	f(second, &filter.ScriptStats{})
	f(second, given, "given up")
	f(script(), given, "given up")

	slow := script()
	f(slow, &filter.ScriptStats{Calls: 9, Shed: 5}, "level=WARN", "over its budget", "records=5")
	f(slow, &filter.ScriptStats{Calls: 9, Shed: 6})
	now += int64(shedAgain)
	f(slow, &filter.ScriptStats{Calls: 9, Shed: 8}, "over its budget", "records=2")
	f(nil, nil)
}
