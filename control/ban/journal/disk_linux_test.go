package journal

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const ownMounts = "JOURNAL_TEST_OWN_MOUNTS"

// inOwnMounts runs the test again as a process whose mounts are its own, and reports whether this
// is that one.
func inOwnMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(ownMounts) != "" {
		return true
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), ownMounts+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Unshareflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER,
		UidMappings:  []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings:  []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var started *exec.ExitError
	if err != nil && !errors.As(err, &started) {
		t.Skipf("no mounts of its own here: %v", err)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// TestTmpfs has a real file system of 64 KiB, which something else fills, and then a read-only one.
func TestTmpfs(t *testing.T) {
	if !inOwnMounts(t) {
		return
	}
	dir := directory(t.TempDir())
	if err := unix.Mount("tmpfs", string(dir), "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(string(dir), unix.MNT_DETACH) })
	if err := os.WriteFile(dir.path("evidence"), make([]byte, 32<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	j, _, err := Open(string(dir), SystemClock(), Options{Retry: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	var live []int
	for n := 0; err == nil; n++ {
		if err = j.Intent(context.Background(), route(n)); err == nil {
			live = append(live, n)
		}
	}
	if !errors.Is(err, syscall.ENOSPC) || len(live) < 30 {
		t.Fatalf("%d routes, %v", len(live), err)
	}
	if s := j.State(); !errors.Is(s.Err, syscall.ENOSPC) {
		t.Errorf("full: %+v", s)
	}
	restarts(t, dir, len(live))

	for _, n := range live[:len(live)-5] {
		j.Withdrawn(prefix(n))
	}
	time.Sleep(30 * time.Millisecond)
	restarts(t, dir, len(live))
	if err := os.Remove(dir.path("evidence")); err != nil {
		t.Fatal(err)
	}
	eventually(t, j, func(s State) bool { return s.Err == nil && s.Queued == 0 })
	restarts(t, dir, 5)
	mustClose(t, j)

	// While the journal is open its file keeps the file system from becoming read-only by request.
	remount(t, dir, unix.MS_RDONLY)
	j, r, err := Open(string(dir), SystemClock(), Options{Retry: 10 * time.Millisecond})
	if err != nil || len(r.Routes) != 5 || !strings.Contains(r.Note, "read-only") {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := j.Intent(context.Background(), route(1001)); !errors.Is(err, syscall.EROFS) {
		t.Errorf("read-only: %v", err)
	}
	j.Withdrawn(r.Routes[0].Prefix)
	restarts(t, dir, 5)
	remount(t, dir, 0)
	eventually(t, j, func(s State) bool { return s.Err == nil && s.Queued == 0 })
	mustIntend(t, j, route(1001))
	mustClose(t, j)
	restarts(t, dir, 5)
}

func remount(t *testing.T, dir directory, flags uintptr) {
	t.Helper()
	flags |= unix.MS_REMOUNT | unix.MS_BIND
	if err := unix.Mount("", string(dir), "", flags, ""); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for a state.
func eventually(t *testing.T, j *Journal, is func(State) bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(j.State()); {
		if time.Now().After(end) {
			t.Fatalf("state %+v", j.State())
		}
		time.Sleep(time.Millisecond)
	}
}

// restarts opens a copy of the journal, and counts the routes.
func restarts(t *testing.T, dir directory, want int) {
	t.Helper()
	data, err := os.ReadFile(dir.path(fileName))
	if err != nil {
		t.Fatal(err)
	}
	d := with(data)
	j, r := mustOpen(t, d, SystemClock(), Options{})
	mustClose(t, j)
	if len(r.Routes) != want || r.Damaged {
		t.Errorf("restored %d, not %d; %s", len(r.Routes), want, r.Note)
	}
}

// TestFileSizeLimit runs into RLIMIT_FSIZE, in a process of its own.
func TestFileSizeLimit(t *testing.T) {
	if !inOwnMounts(t) {
		return
	}
	limit := unix.Rlimit{Cur: 10_000, Max: 10_000}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	dir := directory(t.TempDir())
	j, _, err := Open(string(dir), SystemClock(), Options{Retry: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; err == nil; n++ {
		err = j.Intent(context.Background(), route(n))
	}
	if !errors.Is(err, syscall.EFBIG) {
		t.Fatal(strconv.Itoa(n), err)
	}
	restarts(t, dir, n-1)
	for gone := range n - 3 {
		j.Withdrawn(prefix(gone))
	}
	eventually(t, j, func(s State) bool { return s.Err == nil && s.Queued == 0 })
	mustIntend(t, j, route(500))
	mustClose(t, j)
	restarts(t, dir, 3)
}
