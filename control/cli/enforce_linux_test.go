package cli

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/control/api"
	"weir/tools/lab"
)

// enforcing edits a configuration: mode enforce, bans of that time, and further sections.
func enforcing(ban time.Duration, sections ...string) func(yaml, dir string) string {
	return func(yaml, dir string) string {
		yaml = strings.Replace(yaml, "ban: {time: 30s, quiet: 2s}",
			fmt.Sprintf("mode: enforce\nban: {time: %v, quiet: 1s}", ban), 1)
		for _, s := range sections {
			yaml += strings.ReplaceAll(s, "DIR", dir) + "\n"
		}
		return yaml
	}
}

// noteScript is a program of FastNetMon's contract that notes how it was called and what it read.
const noteScript = `#!/bin/sh
{ echo "$1 $2 $3 $4"; cat; echo; } >> DIR/calls
`

// scripted writes the program that the configuration names.
func scripted(t *testing.T) func(yaml, dir string) string {
	return func(yaml, dir string) string {
		text := strings.ReplaceAll(noteScript, "DIR", dir)
		if err := os.WriteFile(filepath.Join(dir, "script"), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
		return yaml
	}
}

// calls returns what the script has noted.
func (r *rig) calls() string {
	data, _ := os.ReadFile(filepath.Join(r.dir, "calls"))
	return string(data)
}

// minuteBan asks for a ban for a minute.
func minuteBan(a netip.Addr) api.BanRequest {
	return api.BanRequest{Address: a, Reason: "test", TTL: time.Minute}
}

// attacked floods target until it is told to stop.
func (r *rig) attacked(target string, pps float64) (stop func()) {
	return r.sends(0, "198.18.0.1", target, pps)
}

// A ban runs the operator's program with FastNetMon's arguments and report; a weir that is killed
// and comes back neither runs it again nor forgets to end what it began.
func TestLabScript(t *testing.T) {
	r := newRig(t, lab.New(t, lab.Options{}), captures()["afxdp"],
		enforcing(4*time.Second, "actions: {script: {path: DIR/script}}"), scripted(t))
	time.Sleep(2 * time.Second) // nothing is announced before
	stop := r.attacked("10.0.1.9", 20_000)
	r.eventually("bans", func() bool { return strings.Contains(r.calls(), "Flow dump") })
	lines := strings.Split(r.calls(), "\n")
	if w := strings.Fields(lines[0]); len(w) != 4 || w[0] != "10.0.1.9" || w[1] != "incoming" ||
		w[2] == "0" || w[3] != "ban" || lines[1] != "IP: 10.0.1.9" {
		t.Errorf("the script was told %q", lines[:2])
	}
	r.eventually("announced", func() bool {
		a, ok := r.attack("10.0.1.9", "active")
		n := len(a.Actions)
		return ok && n > 0 && a.Actions[n-1].Event == "announced" && !a.Actions[n-1].DryRun
	})
	stop()
	_ = r.stop(syscall.SIGKILL)
	r.start()
	if s := r.status().Mitigation; s.Routes != 1 || !s.Journal.Healthy {
		t.Errorf("after a kill: %+v", s)
	}
	r.eventually("unbans", func() bool { return strings.Contains(r.calls(), " unban\n") })
	if n := strings.Count(r.calls(), " ban\n"); n != 1 {
		t.Errorf("%d bans: %s", n, r.calls())
	}
	_ = r.stop(syscall.SIGKILL)

	// A ban whose lease ends while there is no weir is ended by the next one.
	if err := os.Remove(filepath.Join(r.dir, "calls")); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.weir("ban", "10.0.1.10", "--reason", "test", "--ttl", "1s")
	r.eventually("bans by hand", func() bool {
		return strings.HasPrefix(r.calls(), "10.0.1.10 other 0 ban\n")
	})
	_ = r.stop(syscall.SIGKILL)
	time.Sleep(time.Second)
	r.start()
	r.eventually("unbans what is over", func() bool {
		return strings.Contains(r.calls(), "10.0.1.10 other 0 unban\n")
	})
}

// What hangs or floods delays no tick, and shows.
func TestLabScriptHangs(t *testing.T) {
	r := newRig(t, lab.New(t, lab.Options{}), captures()["afxdp"],
		enforcing(4*time.Second, "actions: {script: {path: DIR/script, timeout: 1s}}"),
		func(yaml, dir string) string {
			const hangs = "#!/bin/sh\nhead -c 10000000 /dev/zero\nsleep 60 & sleep 60\n"
			if err := os.WriteFile(filepath.Join(dir, "script"), []byte(hangs), 0o700); err != nil {
				t.Fatal(err)
			}
			return yaml
		})
	for i := range 20 {
		r.weir("ban", fmt.Sprintf("10.0.2.%d", i), "--reason", "test", "--ttl", "30s")
	}
	r.eventually("shows", func() bool {
		s := r.status().Mitigation.Script
		return s.TimedOut >= 4 && s.Error != ""
	})
	if s := r.status(); s.Loop.Late != 0 || s.Loop.TickMillisMax > 300 {
		t.Errorf("the loop suffers: %+v", s.Loop)
	}
}

// freeze, withdraw-all and the kill file, by hand and by command, with a daemon and without.
func TestLabKillFile(t *testing.T) {
	r := newRig(t, lab.New(t, lab.Options{}), captures()["afxdp"],
		enforcing(time.Minute, "actions: {script: {path: DIR/script}}"), scripted(t))
	kill := filepath.Join(r.dir, "state", "kill")
	routes := func(want int) {
		t.Helper()
		r.eventually(fmt.Sprintf("%d routes", want), func() bool {
			s := r.status().Mitigation
			return s.Routes == want && s.Standing == want
		})
	}
	ban := func(host string) error {
		o, err := r.client.Ban(t.Context(), minuteBan(netip.MustParseAddr(host)))
		if err == nil && !o.OK {
			err = errors.New(o.Refusal)
		}
		return err
	}
	if err := ban("10.0.3.1"); err != nil {
		t.Fatal(err)
	}
	routes(1)
	r.weir("freeze")
	if err := ban("10.0.3.2"); err == nil {
		t.Error("frozen, it bans")
	}
	_ = r.stop(syscall.SIGKILL)
	r.start()
	routes(1) // what stood stands
	if err := ban("10.0.3.2"); err == nil {
		t.Error("frozen before the restart, it bans")
	}
	r.weir("freeze", "--off")
	if err := ban("10.0.3.2"); err != nil {
		t.Error(err)
	}
	routes(2)
	if err := os.WriteFile(kill, nil, 0o600); err != nil { // a person in a hurry
		t.Fatal(err)
	}
	routes(0)
	if s := r.status().Mitigation; !s.Killed || !s.Frozen {
		t.Errorf("killed: %+v", s)
	}
	_ = r.stop(syscall.SIGKILL)
	r.start()
	routes(0)
	if err := os.Remove(kill); err != nil {
		t.Fatal(err)
	}
	r.eventually("bans again", func() bool { return ban("10.0.3.3") == nil })
	routes(1)
	r.weir("withdraw-all", "--expect", "1")
	routes(0)
}

// On a disk that is full nothing new is announced, what stands stays, and both are said; with room
// on it bans go on without a restart.
func TestLabJournalFull(t *testing.T) {
	state := t.TempDir()
	if err := unix.Mount("weir-test", state, "tmpfs", 0, "size=128k"); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(state, unix.MNT_DETACH) })
	r := newRig(t, lab.New(t, lab.Options{}), captures()["afxdp"],
		enforcing(time.Minute, "actions: {script: {path: DIR/script}}"), scripted(t),
		func(yaml, dir string) string {
			return strings.Replace(yaml, filepath.Join(dir, "state"), state, 1)
		})
	standing := func(what string, want int) {
		t.Helper()
		r.eventually(what, func() bool { return r.status().Mitigation.Standing == want })
	}
	r.weir("ban", "10.0.3.1", "--reason", "test", "--ttl", "10m")
	standing("bans", 1)
	ballast := filepath.Join(state, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	r.eventually("refuses", func() bool { // a page of the journal may still have room
		host := fmt.Sprintf("10.0.3.%d", 2+r.status().Mitigation.Routes)
		r.weir("ban", host, "--reason", "test", "--ttl", "10m")
		s := r.status()
		return s.Mitigation.Journal.Refused > 0 && !s.Mitigation.Journal.Healthy &&
			strings.Contains(strings.Join(s.Problems, " "), "the journal cannot be written")
	})
	before := r.status().Mitigation.Standing
	if before < 1 || strings.Contains(r.calls(), "unban") {
		t.Errorf("%d stand; the script was told %s", before, r.calls())
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	r.eventually("heals", func() bool { return r.status().Mitigation.Journal.Healthy })
	r.weir("ban", "10.0.4.1", "--reason", "test", "--ttl", "10m")
	standing("bans again", before+1)
}

// A journal that somebody has changed restores what precedes the damage, is kept for people, and
// announces nothing new until one of them has looked.
func TestLabJournalDamaged(t *testing.T) {
	r := newRig(t, lab.New(t, lab.Options{}), captures()["afxdp"],
		enforcing(time.Minute, "actions: {script: {path: DIR/script}}"), scripted(t))
	for i := range 3 {
		r.weir("ban", fmt.Sprintf("10.0.3.%d", i+1), "--reason", "test", "--ttl", "10m")
		r.eventually("stands", func() bool { return r.status().Mitigation.Standing == i+1 })
	}
	_ = r.stop(syscall.SIGKILL)
	path := filepath.Join(r.dir, "state", "journal")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, []byte("10.0.3.2/32")) // its first record has intact ones behind it
	if at < 0 {
		t.Fatalf("no such record: %q", data)
	}
	data[at] ^= 1
	if err := os.WriteFile(path, data, 0o640); err != nil {
		t.Fatal(err)
	}
	r.start()
	s := r.status().Mitigation
	if s.Routes != 1 || !s.Frozen || s.Journal.Note == "" {
		t.Errorf("after the damage: %+v, journal %+v", s, s.Journal)
	}
	if kept, _ := filepath.Glob(path + ".bad-*"); len(kept) != 1 {
		t.Errorf("kept %v", kept)
	}
	o, err := r.client.Ban(t.Context(), minuteBan(netip.MustParseAddr("10.0.3.9")))
	if err != nil || o.Refusal != "frozen" {
		t.Errorf("a ban before anybody has looked: %+v, %v", o, err)
	}
	r.weir("freeze", "--off")
	r.weir("ban", "10.0.3.9", "--reason", "test", "--ttl", "10m")
}
