package tune

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func journal(t *testing.T, path string) *Journal {
	t.Helper()
	j, err := OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// newPath returns where a journal is to be: in memory where there is such a place, since the tests
// write thousands, each of them to the disk.
func newPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "weir-tune-*")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "state", JournalName)
}

func all(Setting) bool { return true }

func nobody(Outcome) {}

// view is what of a machine can be set.
func view(f *Facts) string {
	s := ""
	for i := range f.Interfaces {
		x := &f.Interfaces[i]
		s += fmt.Sprintln(x.Name, x.Channels, x.Rings, x.RSS, x.Hash, x.Offloads, x.Pause, x.Rules)
		for _, irq := range x.IRQs {
			s += fmt.Sprintln(irq, f.Host.IRQ(irq.Number).Affinity)
		}
	}
	return s + fmt.Sprintln(f.Host.CPUs, f.Host.Nodes, f.Host.HugePages, f.Host.Sysctl)
}

// TestApply: a plan that was carried out leaves nothing to do, and undone, nothing changed.
func TestApply_Success(t *testing.T) {
	for name, of := range machines() {
		f, w := of()
		before := view(f)
		m := newMachine(copyOf(f))
		j := journal(t, newPath(t))
		p := plan(t, f, w)
		worst := Apply(p.Steps, m, j, time.Now(), func(o Outcome) {
			if o.State != Changed {
				t.Errorf("%s: %+v", name, o)
			}
		})
		if worst != Changed || len(j.Entries) != len(p.Steps) {
			t.Errorf("%s: %s, %d of %d steps to undo", name, worst, len(j.Entries), len(p.Steps))
		}
		if again := plan(t, m.Facts, w); len(again.Steps) > 0 {
			t.Errorf("%s: tuned, and still to do:\n%s", name, describe(again))
		}
		j = journal(t, j.Path()) // as another process does
		if worst, err := Undo(m, j, all, nobody); worst != Changed || err != nil {
			t.Errorf("%s: %s, %v", name, worst, err)
		}
		if got := view(m.Facts); got != before {
			t.Errorf("%s: undone:\n%s\nbefore:\n%s", name, got, before)
		}
		if _, err := os.Stat(j.Path()); !os.IsNotExist(err) {
			t.Errorf("%s: the journal is left: %v", name, err)
		}
	}
}

// TestApply_Failure: whichever step fails, nothing after it is tried, and undo restores exactly.
func TestApply_Failure(t *testing.T) {
	for name, of := range machines() {
		f, w := of()
		before := view(f)
		p := plan(t, f, w)
		for fail := 1; fail <= len(p.Steps); fail++ {
			m := newMachine(copyOf(f))
			m.fail = fail
			j := journal(t, newPath(t))
			told := 0
			worst := Apply(p.Steps, m, j, time.Now(), func(o Outcome) {
				if told++; (o.State == Failed) != (told == fail) {
					t.Errorf("%s, %d: %+v", name, fail, o)
				}
			})
			// an interrupt's was changed by the driver, with the number of queues
			left := len(j.Entries)
			asFar := left == fail-1 || left == fail && p.Steps[fail-1].Kind == Affinity
			if worst != Failed || told != fail || !asFar {
				t.Errorf("%s, %d: %s, %d told, %d to undo", name, fail, worst, told, left)
			}
			if _, err := Undo(m, journal(t, j.Path()), all, nobody); err != nil {
				t.Error(err)
			}
			if got := view(m.Facts); got != before {
				t.Errorf("%s, %d: undone:\n%s\nbefore:\n%s", name, fail, got, before)
			}
		}
	}
}

// TestApply_Twice: the journal keeps what was found first.
func TestApply_Twice(t *testing.T) {
	f, w := ixgbe()
	m, path := newMachine(copyOf(f)), newPath(t)
	p := plan(t, f, w)
	Apply(p.Steps, m, journal(t, path), time.Now(), nobody)
	first := journal(t, path).Entries
	m.of("enp1s0").Rings.RX = 2048 // somebody changed it
	worst := Apply(p.Steps, m, journal(t, path), time.Now(), func(o Outcome) {
		if want := map[bool]State{true: Changed, false: Already}[o.Kind == Ring]; o.State != want {
			t.Errorf("%+v", o)
		}
	})
	if got := journal(t, path).Entries; worst != Changed || !reflect.DeepEqual(got, first) {
		t.Errorf("%s: %+v, first %+v", worst, got, first)
	}
}

// TestApply_Rounded: a driver that takes another value is named, and goes on.
func TestApply_Rounded(t *testing.T) {
	f, w := ixgbe()
	m := newMachine(copyOf(f))
	m.round = map[Kind]string{Ring: "4032"}
	var differs []Outcome
	worst := Apply(plan(t, f, w).Steps, m, journal(t, newPath(t)), time.Now(), func(o Outcome) {
		if o.State == Differs {
			differs = append(differs, o)
		}
	})
	if worst != Differs || len(differs) != 1 || differs[0].Effective != "4032" ||
		differs[0].Want != "4096" {
		t.Errorf("%s: %+v", worst, differs)
	}
}

// forgetful loses a setting whenever another is set, once.
type forgetful struct {
	*machine
	when, what Setting
	back       string
}

func (m *forgetful) Set(s Setting, value string) error {
	err := m.machine.Set(s, value)
	if s == m.when {
		m.when = Setting{}
		return m.machine.Set(m.what, m.back)
	}
	return err
}

// TestApply_TakenBack: what a later step takes back is set once more.
func TestApply_TakenBack(t *testing.T) {
	f, w := ixgbe()
	m := &forgetful{
		machine: newMachine(copyOf(f)), what: Setting{Offload, "enp1s0", "rx-gro"}, back: "on",
		when: Setting{Kind: Ring, Interface: "enp1s0", Name: "rx"},
	}
	told := 0
	Apply(plan(t, f, w).Steps, m, journal(t, newPath(t)), time.Now(), func(o Outcome) {
		if o.Setting == m.what {
			told++
		}
	})
	if m.of("enp1s0").Offloads["rx-gro"].On || told != 2 {
		t.Errorf("told %d times, %+v", told, m.of("enp1s0").Offloads)
	}
}

// TestApply_NoJournal: nothing is changed that could not be undone.
func TestApply_NoJournal(t *testing.T) {
	f, w := ixgbe()
	m := newMachine(copyOf(f))
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	j := &Journal{path: filepath.Join(file, JournalName)}
	if worst := Apply(plan(t, f, w).Steps, m, j, time.Now(), nobody); worst != Failed {
		t.Error(worst)
	}
	if m.sets != 0 {
		t.Error(m.sets, "settings changed")
	}
}

func TestUndo_Some(t *testing.T) {
	f, w := twoMirrors()
	m, j := newMachine(copyOf(f)), journal(t, newPath(t))
	Apply(plan(t, f, w).Steps, m, j, time.Now(), nobody)
	_, err := Undo(m, j, func(s Setting) bool { return s.Interface == "eth2" }, nobody)
	if err != nil || m.of("eth2").RXQueues != 32 || m.of("eth1").RXQueues == 32 {
		t.Error(err, m.of("eth1").Channels, m.of("eth2").Channels)
	}
	for _, e := range journal(t, j.Path()).Entries {
		if e.Interface == "eth2" {
			t.Errorf("%+v", e)
		}
	}
}

// TestUndo_Failure: what could not be put back stays in the journal.
func TestUndo_Failure(t *testing.T) {
	f, w := ixgbe()
	m, j := newMachine(copyOf(f)), journal(t, newPath(t))
	Apply(plan(t, f, w).Steps, m, j, time.Now(), nobody)
	m.sets, m.fail = 0, 2
	var failed []Setting
	worst, err := Undo(m, j, all, func(o Outcome) {
		if o.State == Failed {
			failed = append(failed, o.Setting)
		}
	})
	left := journal(t, j.Path()).Entries
	if worst != Failed || err != nil || len(failed) != 1 || len(left) != 1 ||
		left[0].Setting != failed[0] {
		t.Errorf("%s, %v: failed %v, left %v", worst, err, failed, left)
	}
}

// TestOpenJournal_Failure: the error names the file, the place and the reason.
func TestOpenJournal_Failure(t *testing.T) {
	f := func(content, want string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), JournalName)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		j, err := OpenJournal(path)
		if err == nil || !strings.Contains(err.Error(), path) ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v, %v; want %q", content, j, err, want)
		}
	}
	f("", "offset 0: unexpected end")
	f("{", "offset 1: unexpected end")
	f(`{"version":1,}`, "offset 14: invalid character")
	f(`{"version":2}`, "of version 2")
	f(`[]`, "offset 1: ")
	f(`{"version":"1"}`, "offset 14: ")
	entry := func(kind, name, found, want string) {
		t.Helper()
		f(fmt.Sprintf(`{"version":1,"entries":[
			{"kind":"offload","interface":"eth1","name":"rx-gro","found":"on"},
			{"kind":%q,"interface":"eth1","name":%q,"found":%q}]}`, kind, name, found),
			"entry 2, "+want)
	}
	entry("offload", "rx-lro", "maybe", `offload rx-lro of eth1: "maybe" is neither on nor off`)
	entry("offload", "rx-lro", "", `offload rx-lro of eth1: "" is neither`)
	entry("channels", "", "combined", "channels of eth1: ")
	entry("ring", "rx", "-1", "ring rx of eth1: ")
	entry("pause", "", "on", "pause of eth1: ")
	entry("table", "", "0*", "table of eth1: ")
	entry("table", "", "", "table of eth1: ")
	entry("key", "", "6d5a", "key of eth1: ")
	entry("hash", "udp4", "s d", "hash udp4 of eth1: ")
	entry("steer", "udp4", "1", "steer udp4 of eth1: ")
	entry("steer", "udp4 2055", "x", "steer udp4 2055 of eth1: ")
	entry("affinity", "0", "3-2", "affinity 0 of eth1: ")
	entry("file", "/proc/sys/net/core/rmem_max", "1 2", "/proc/sys/net/core/rmem_max: ")
	entry("colour", "", "red", "colour of eth1: settings of this kind are not known")
}

// TestOpenJournal_Success: every value that a plan finds is one that a journal may have.
func TestOpenJournal_Success(t *testing.T) {
	for _, s := range []struct {
		kind        Kind
		name, found string
	}{
		{Channels, "", "rx 4 tx 4"}, {Ring, "rx", "512"}, {Offload, "rx-gro", "on"},
		{Pause, "", "autoneg on rx on tx off"}, {Table, "", "equal 4"}, {Table, "", "0*64 1*64"},
		{Key, "", "6d:5a"}, {HashOf, "udp4", "sd"}, {HashOf, "udp4", ""}, {Steer, "udp4 2055", ""},
		{Steer, "udp4 2055", "3"}, {Affinity, "0", "0-3,8"}, {File, thpPath, "madvise"},
	} {
		if err := (Setting{s.kind, "eth1", s.name}).check(s.found); err != nil {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

func TestLockJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", JournalName)
	first, err := LockJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockJournal(path); !errors.Is(err, ErrLocked) {
		t.Errorf("a second lock: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := LockJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 0 {
		t.Errorf("left %v, %v", files, err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LockJournal(filepath.Join(path, JournalName)); err == nil {
		t.Error("a file was taken for the directory")
	}
}
