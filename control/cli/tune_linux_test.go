package cli

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"

	"weir/control/tune"
	"weir/tools/lab"
)

// tuneRig runs weir tune in a laboratory's namespace.
type tuneRig struct {
	*lab.Lab
	journal string
}

func newTuneRig(t *testing.T) *tuneRig {
	return &tuneRig{
		lab.New(t, lab.Options{Queues: 4}), filepath.Join(t.TempDir(), tune.JournalName),
	}
}

func (r *tuneRig) tune(t *testing.T, line string) (status int, out, errOut string) {
	t.Helper()
	err := r.Sut().Do(func() error {
		status, out, errOut = run("tune --skip file --journal " + r.journal + " " + line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return status, out, errOut
}

// commands returns what a plan has an operator type: the lines that are no comment.
func commands(plan string) (all []string) {
	for line := range strings.Lines(plan) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			all = append(all, line)
		}
	}
	return all
}

// TestTune plans, applies and undoes on a veth.
func TestTune(t *testing.T) {
	r := newTuneRig(t)
	const plan = "--dry-run --queues 2 mirror0"
	status, before, errOut := r.tune(t, plan)
	want := []string{"ethtool -K mirror0 rxvlan off", "ethtool -L mirror0 rx 2 tx 4"}
	if got := commands(before); status != exitOK || errOut != "" ||
		strings.Join(got, ";") != strings.Join(want, ";") {
		t.Fatalf("status %d, %s\n%s", status, errOut, before)
	}
	for line := range strings.Lines(before) {
		if strings.HasPrefix(line, "#") && len([]rune(line)) > 101 {
			t.Errorf("a long comment: %s", line)
		}
	}
	status, out, errOut := r.tune(t, "--apply --queues 2 mirror0")
	if status != exitOK || strings.Count(out, "changed ") != 2 ||
		!strings.Contains(errOut, "puts 2 settings back") {
		t.Fatalf("status %d, %q, %q", status, out, errOut)
	}
	status, out, _ = r.tune(t, plan)
	if status != exitOK || len(commands(out)) != 0 || !strings.Contains(out, "nothing to change") {
		t.Errorf("status %d, %s", status, out)
	}
	if status, out, _ = r.tune(t, "--apply --queues 2 mirror0"); status != exitOK ||
		out != "nothing to change\n" {
		t.Errorf("status %d, %q", status, out)
	}
	if status, out, errOut = r.tune(t, "--undo lo"); status != exitOK ||
		out != "nothing to change\n" || !strings.Contains(errOut, "nothing was changed of lo (") {
		t.Errorf("status %d, %q, %q", status, out, errOut)
	}
	status, out, errOut = r.tune(t, "--undo --skip offload,channels mirror0")
	if status != exitOK || out != "nothing to change\n" || errOut != "" {
		t.Errorf("all skipped: status %d, %q, %q", status, out, errOut)
	}
	status, out, errOut = r.tune(t, "--undo -o json mirror0")
	if status != exitOK || errOut != "" || strings.Count(out, `"state":"changed"`) != 2 {
		t.Errorf("status %d, %q, %q", status, out, errOut)
	}
	if status, after, _ := r.tune(t, plan); status != exitOK || after != before {
		t.Errorf("undone, status %d:\n%s\nbefore:\n%s", status, after, before)
	}
	if _, err := os.Stat(r.journal); !os.IsNotExist(err) {
		t.Error("a journal of nothing is left:", err)
	}
}

// TestTune_Stanza: what a plan has for the file is read by `weir config check` without a word.
func TestTune_Stanza(t *testing.T) {
	r := newTuneRig(t)
	status, out, errOut := r.tune(t, "--dry-run -o json --flow-ports 2055,6343 mirror0")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var plan struct {
		Type, Stanza string
		Steps        int
	}
	err := json.Unmarshal([]byte(lines[len(lines)-1]), &plan)
	if status != exitOK || err != nil || plan.Type != "plan" || plan.Steps != 1 {
		t.Fatalf("status %d, %v, %s\n%s", status, err, errOut, out)
	}
	for _, part := range []string{"interface: mirror0", `":2055"`, `":6343"`} {
		if !strings.Contains(plan.Stanza, part) {
			t.Errorf("no %s:\n%s", part, plan.Stanza)
		}
	}
	path := filepath.Join(t.TempDir(), "weir.yaml")
	text := "version: 1\nnetworks: [10.0.0.0/16]\n" + plan.Stanza
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out, errOut := run("config check " + path); status != exitOK {
		t.Errorf("status %d, %s%s\n%s", status, out, errOut, text)
	}
	// the ports come from the file, where it is named
	_, again, _ := r.tune(t, "--dry-run -o json -c "+path+" mirror0")
	if again != out {
		t.Errorf("by the file:\n%s\nby flags:\n%s", again, out)
	}
}

func TestTune_Failure(t *testing.T) {
	r := newTuneRig(t)
	f := func(line, want string) {
		t.Helper()
		status, out, errOut := r.tune(t, line)
		if status != exitFailed || !strings.Contains(errOut, want) {
			t.Errorf("weir tune %s: status %d, out %q, err %q", line, status, out, errOut)
		}
	}
	f("--dry-run nosuch0", "find interface nosuch0: no such interface")
	f("--apply nosuch0 mirror0", "find interface nosuch0")
	f("--dry-run --queues 5 mirror0", "5 queues of 4")
	f("--dry-run -c /nosuch.yaml mirror0", "/nosuch.yaml")
	if err := os.WriteFile(r.journal, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	f("--apply mirror0", r.journal)
	f("--undo", r.journal+": offset 1: unexpected end of JSON input")
	broken := `{"version":1,"entries":[` +
		`{"kind":"offload","interface":"mirror0","name":"rx-gro","found":"maybe"}]}`
	if err := os.WriteFile(r.journal, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	f("--undo", `entry 1, offload rx-gro of mirror0: "maybe" is neither on nor off`)
	if err := os.Remove(r.journal); err != nil {
		t.Fatal(err)
	}
	f("--undo nosuch0", "find interface nosuch0: no such interface")
	f("--undo mirror0 nosuch0", "find interface nosuch0: no such interface")
	lock, err := tune.LockJournal(r.journal)
	if err != nil {
		t.Fatal(err)
	}
	f("--apply mirror0", "another weir tune is at work")
	f("--undo", "another weir tune is at work")
	if err := lock.Close(); err != nil {
		t.Fatal(err)
	}
	r.journal = "/proc/nosuch/" + tune.JournalName // no place for it: nothing is changed
	f("--apply --queues 2 mirror0", "lock what to undo: mkdir /proc/nosuch")
	if _, out, _ := r.tune(t, "--dry-run --queues 2 mirror0"); len(commands(out)) != 2 {
		t.Errorf("changed all the same:\n%s", out)
	}
}

// TestTune_DefaultRoute: the operator's own way in is left alone unless forced.
func TestTune_DefaultRoute(t *testing.T) {
	r := newTuneRig(t)
	if err := r.AddAddress(lab.Sut, 0, netip.MustParsePrefix("192.0.2.1/24")); err != nil {
		t.Fatal(err)
	}
	err := r.Sut().Do(func() error {
		link, err := netlink.LinkByName("mirror0")
		if err != nil {
			return err
		}
		gateway := netip.MustParseAddr("192.0.2.2").AsSlice()
		return netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Gw: gateway})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"--dry-run", "--apply"} {
		status, out, errOut := r.tune(t, verb+" mirror0")
		if status != exitFailed || out != "" || !strings.Contains(errOut, "--force") {
			t.Errorf("%s: status %d, %q, %q", verb, status, out, errOut)
		}
	}
	status, out, errOut := r.tune(t, "--dry-run --force mirror0")
	if status != exitOK || !strings.Contains(out, "force: true") {
		t.Errorf("status %d, %q, %q", status, out, errOut)
	}
}
