package tune

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/ring/nic"
	"weir/tools/lab"
)

// openHost opens the machine in sut.
func openHost(t *testing.T, l *lab.Lab) (h *Host) {
	t.Helper()
	err := l.Sut().Do(func() (err error) { h, err = OpenHost(); return err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// vethPlan plans for mirror0, whatever machine this is, and leaves what is the whole machine's.
func vethPlan(t *testing.T, h *Host) *Plan {
	t.Helper()
	f, err := h.Facts([]string{"mirror0"})
	if err != nil {
		t.Fatal(err)
	}
	f.Host = server(1, 8, 1)
	return plan(t, f, &Wish{Queues: 2, Skip: []Kind{File}})
}

// TestHost_Veth carries out a plan on a real interface, and undoes it.
func TestHost_Veth(t *testing.T) {
	l := lab.New(t, lab.Options{Queues: 4})
	h := openHost(t, l)
	gro := Setting{Offload, "mirror0", nic.GRO}
	if err := h.Set(gro, "on"); err != nil {
		t.Fatal(err)
	}
	before, err := h.Facts([]string{"mirror0"})
	if err != nil {
		t.Fatal(err)
	}
	j := journal(t, newPath(t))
	steps := vethPlan(t, h).Steps
	if len(steps) != 3 {
		t.Fatalf("%+v", steps)
	}
	worst := Apply(steps, h, j, time.Now(), func(o Outcome) { t.Logf("%+v", o) })
	if worst != Changed || len(j.Entries) != len(steps) {
		t.Fatal(worst, j.Entries)
	}
	if left := vethPlan(t, h).Steps; len(left) > 0 {
		t.Errorf("still to do: %+v", left)
	}
	if f, err := h.Facts([]string{"mirror0"}); err != nil || f.Interfaces[0].RXQueues != 2 {
		t.Error(f, err)
	}
	if worst, err := Undo(h, journal(t, j.Path()), all, nobody); worst != Changed || err != nil {
		t.Error(worst, err)
	}
	after, err := h.Facts([]string{"mirror0"})
	if err != nil || view(after) != view(before) {
		t.Errorf("%v\n%+v\n%+v", err, after.Interfaces, before.Interfaces)
	}
}

// TestHost_Gone: an interface that is gone keeps its place in the journal.
func TestHost_Gone(t *testing.T) {
	l := lab.New(t, lab.Options{Queues: 4})
	h, j := openHost(t, l), journal(t, newPath(t))
	Apply(vethPlan(t, h).Steps, h, j, time.Now(), nobody)
	n := len(j.Entries)
	if err := l.Remove(0); err != nil {
		t.Fatal(err)
	}
	worst, err := Undo(h, j, all, func(o Outcome) {
		if !strings.Contains(o.Error, nic.ErrMissing.Error()) {
			t.Errorf("%+v", o)
		}
	})
	if worst != Failed || err != nil || len(j.Entries) != n {
		t.Error(worst, err, j.Entries)
	}
}

// TestHost_Unsupported: a veth has none of these, which has a name.
func TestHost_Unsupported(t *testing.T) {
	h := openHost(t, lab.New(t, lab.Options{}))
	for s, value := range map[Setting]string{
		{Ring, "mirror0", "rx"}:          "512",
		{Pause, "mirror0", ""}:           "autoneg off rx off tx off",
		{Table, "mirror0", ""}:           "equal 1",
		{Key, "mirror0", ""}:             "6d:5a",
		{HashOf, "mirror0", "udp4"}:      "sd",
		{Steer, "mirror0", "udp4 2055"}:  "0",
		{Affinity, "mirror0", "0"}:       "0",
		{"colour", "mirror0", ""}:        "blue",
		{Channels, "nosuch0", ""}:        "combined 2",
		{File, "", "/etc/passwd"}:        "root",
		{File, "", thpPath + "/../else"}: "x",
	} {
		if got, err := h.Get(s); err == nil {
			t.Errorf("%s: %q", s, got)
		}
		if err := h.Set(s, value); err == nil {
			t.Errorf("%s is set", s)
		}
	}
	for kind, value := range map[Kind]string{
		Channels: "many", Ring: "large", Pause: "no", Key: "6", Steer: "x",
	} {
		if err := h.Set(Setting{kind, "mirror0", "udp4 1"}, value); err == nil {
			t.Errorf("%s is %q", kind, value)
		}
	}
}

// files is a machine of files below a directory of the test's own.
func files(t *testing.T, content map[string]string) *Host {
	t.Helper()
	h := &Host{root: t.TempDir()}
	for path, text := range content {
		if err := os.MkdirAll(filepath.Dir(h.root+path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(h.root+path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func TestHost_Files(t *testing.T) {
	const pages = "/sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages"
	h := files(t, map[string]string{
		thpPath: "always madvise [never]\n", pages: "3\n", rmemMax: "212992\n",
		"/etc/shadow": "secret",
	})
	for path, want := range map[string]string{thpPath: "never", pages: "3", rmemMax: "212992"} {
		s := Setting{Kind: File, Name: path}
		if got, err := h.Get(s); err != nil || got != want {
			t.Errorf("%s: %q, %v", path, got, err)
		}
		if err := h.Set(s, "12"); err != nil {
			t.Error(err)
		}
		if got, err := h.Get(s); err != nil || got != "12" {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	absent := Setting{Kind: File, Name: sysctlDir + "vm/nr_hugepages"}
	if err := h.Set(absent, "1"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("made a file:", err)
	}
	for _, path := range []string{
		"/etc/shadow", "/sys/devices/system/cpu/cpu1/../../../../../etc/cpufreq/scaling_governor",
		"/sys/devices/system/node/node1/hugepages/../nr_hugepages", "", "relative",
	} {
		s := Setting{Kind: File, Name: path}
		if got, err := h.Get(s); err == nil {
			t.Errorf("%s: %q", path, got)
		}
		if err := h.Set(s, "1"); err == nil {
			t.Errorf("%s is written", path)
		}
	}
}
