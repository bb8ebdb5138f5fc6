package daemon

import (
	"context"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/control/action/script"
	"weir/control/ban"
)

// heard returns what a script is told of events, line by line of its arguments.
func heard(t *testing.T, json, observe bool, events ...ban.Event) string {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "script")
	text := "#!/bin/sh\necho \"$1 $2 $3 $4\" >> " + dir + "/calls\ncat >> " + dir + "/stdin\n"
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	runner, err := script.New(script.Config{Path: path, JSON: json}, log)
	if err != nil {
		t.Skip(err) // the temporary folder is not ours alone
	}
	s := newScripter(runner, json, log)
	for i := range events {
		s.hear(&events[i], nil, observe)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.run(ctx)
	ctx, cancel = context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := runner.Close(ctx); err != nil {
		t.Fatal(err)
	}
	calls, _ := os.ReadFile(filepath.Join(dir, "calls"))
	stdin, _ := os.ReadFile(filepath.Join(dir, "stdin"))
	first, _, _ := strings.Cut(string(stdin), "\n")
	return string(calls) + first
}

func TestScripter(t *testing.T) {
	p := netip.MustParsePrefix("2001:db8::7/128")
	in := &ban.Incident{ID: "0000000000000001", Target: p}
	in.AtVerdict[0].Packets[0] = 4711
	event := func(kind ban.EventKind, dry bool, reason string) ban.Event {
		return ban.Event{Kind: kind, Incident: in,
			Action: ban.Action{Event: kind, Prefix: p, DryRun: dry, Reason: reason}}
	}
	f := func(name string, json, observe bool, want string, events ...ban.Event) {
		t.Helper()
		if got := heard(t, json, observe, events...); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	const ban4 = "2001:db8::7 incoming 4711 ban\n"
	const unban4 = "2001:db8::7 incoming 4711 unban\n"
	asked, stands := event(ban.Asked, false, ""), event(ban.Announced, false, "")
	gone := event(ban.Withdrawn, false, "attack_over")
	f("a ban and its end", false, false, ban4+unban4+"IP: 2001:db8::7", asked, stands, gone)
	f("refused before it was on its way", false, false, "", event(ban.Refused, false, "x"), gone)
	f("of before a restart", false, false, unban4, event(ban.Asked, false, ban.Restored), stands,
		gone)
	dry := event(ban.Announced, true, "")
	f("a dry run", false, false, "", dry, gone)
	f("a dry run that it wants to hear of", false, true, ban4+unban4+"IP: 2001:db8::7", dry, gone)
	got := heard(t, true, false, asked, gone)
	const document = `{"alert_scope":"host","ip":"2001:db8::7","action":"ban"`
	if !strings.HasPrefix(got, ban4+unban4+document) {
		t.Errorf("JSON: %q", got)
	}
	manual := *in
	manual.Manual = true
	asked.Incident = &manual
	f("by hand", false, false, "2001:db8::7 other 4711 ban\nIP: 2001:db8::7", asked)
}
