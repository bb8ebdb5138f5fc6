package nic

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/tools/lab"
)

// withSysfs runs f on a thread in sut's network namespace that has a /sys of its own, which shows
// the interfaces of that namespace. The thread ends with it.
func withSysfs(t *testing.T, l *lab.Lab, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked
		done <- l.Sut().Do(func() error {
			if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
				return err
			}
			if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
				return err
			}
			if err := unix.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
				return err
			}
			f()
			return nil
		})
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// timing returns what sysfs has of mirror0.
func timing(t *testing.T, i *Interface) Timing {
	t.Helper()
	all, err := (&sysfs{root: sysfsRoot, name: i.Name, index: i.Index}).read()
	if err != nil {
		t.Error(err)
	}
	return all[0]
}

func TestDeferBySysfs(t *testing.T) {
	l := lab.New(t, lab.Options{})
	h := open(t, l)
	i := find(t, h, "mirror0")
	dir := filepath.Join(t.TempDir(), "made")
	withSysfs(t, l, func() {
		want := DefaultTiming.fit(h.RingSize("mirror0"))
		d := h.Defer(&i, true, dir)
		state, fault := d.State()
		if state != want.String()+" by sysfs" || fault != "" || !d.Acts() ||
			timing(t, &i) != want {
			t.Errorf("%q, %q, %v: %v", state, fault, d.Acts(), timing(t, &i))
		}
		second := h.Defer(&i, true, t.TempDir()) // another program's
		if state, _ := second.State(); state != "as found "+want.String() {
			t.Errorf("second: %q", state)
		}
		if err := second.Close(); err != nil || timing(t, &i) != want {
			t.Error(err, timing(t, &i))
		}
		if err := d.Close(); err != nil || timing(t, &i).acts() {
			t.Error(err, timing(t, &i))
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Error("left:", left)
		}
	})
}

// TestUndefer has a Deferral end without Close, as when its process is killed.
func TestUndefer(t *testing.T) {
	l := lab.New(t, lab.Options{})
	h := open(t, l)
	i := find(t, h, "mirror0")
	dir := t.TempDir()
	withSysfs(t, l, func() {
		h.Defer(&i, true, dir)
		if told := strings.Join(h.Undefer(dir), "\n"); !strings.Contains(told, "put back") {
			t.Error(told)
		}
		if got := timing(t, &i); got != (Timing{}) {
			t.Error("put back:", got)
		}

		h.Defer(&i, true, dir)
		theirs := Timing{Defer: 7, Flush: time.Millisecond}
		if err := (&sysfs{sysfsRoot, "mirror0", i.Index}).write(0, theirs); err != nil {
			t.Error(err)
		}
		told := strings.Join(h.Undefer(dir), "\n")
		if !strings.Contains(told, "another program has changed") || timing(t, &i) != theirs {
			t.Error(told, timing(t, &i))
		}
		if told := h.Undefer(dir); told != nil {
			t.Error("told twice:", told)
		}
	})
	if err := os.WriteFile(noteFile(dir, "torn"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if told := h.Undefer(dir); told != nil || len(notes(dir)) != 0 {
		t.Error("of a torn file:", told)
	}
}

// TestDeferChanged has another program change what was set.
func TestDeferChanged(t *testing.T) {
	l := lab.New(t, lab.Options{})
	h := open(t, l)
	i := find(t, h, "mirror0")
	dir := t.TempDir()
	withSysfs(t, l, func() {
		d := h.Defer(&i, true, dir)
		theirs := Timing{Defer: 2, Flush: time.Millisecond}
		if err := (&sysfs{sysfsRoot, "mirror0", i.Index}).write(0, theirs); err != nil {
			t.Error(err)
		}
		for range 2 {
			d.Follow()
		}
		state, fault := d.State()
		if state != "as found "+theirs.String() || fault == "" || !d.Acts() {
			t.Errorf("%q, %q", state, fault)
		}
		if err := d.Close(); err != nil || timing(t, &i) != theirs || len(notes(dir)) != 0 {
			t.Error(err, timing(t, &i), notes(dir))
		}
	})
}

// TestDeferByNetlink is where /sys shows other interfaces: NAPIs are set, those too that come
// later.
func TestDeferByNetlink(t *testing.T) {
	l := lab.New(t, lab.Options{Queues: 2})
	h := open(t, l)
	if !h.setsNAPIs {
		t.Skip("setting NAPIs by netlink takes Linux 6.13")
	}
	i := find(t, h, "mirror0")
	dir := t.TempDir()
	d := h.Defer(&i, true, dir)
	if state, fault := d.State(); state != "no queue is polled now" || fault != "" || d.Acts() {
		t.Errorf("%q, %q", state, fault)
	}
	if err := l.SetPolled(0); err != nil {
		t.Fatal(err)
	}
	d.Follow()
	site := &napis{h, i.Index}
	all := func(want Timing) {
		t.Helper()
		got, err := site.read()
		if err != nil || len(got) != 2 {
			t.Error(got, err)
		}
		for id, is := range got {
			if is != want {
				t.Errorf("NAPI %d: %v, want %v", id, is, want)
			}
		}
	}
	want := DefaultTiming.fit(h.RingSize("mirror0"))
	all(want)
	if state, fault := d.State(); state != want.String()+" by netlink" || fault != "" || !d.Acts() {
		t.Errorf("%q, %q", state, fault)
	}
	if told := strings.Join(h.Undefer(dir), "\n"); !strings.Contains(told, "put back") {
		t.Error(told)
	}
	all(Timing{})
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := l.Remove(0); err != nil {
		t.Fatal(err)
	}
	d.Follow()
	if err := d.Close(); err != nil {
		t.Error("of an interface that is gone:", err)
	}
}
