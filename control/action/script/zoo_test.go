package script

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// leader waits until the program has written its number, and returns it.
func leader(t *testing.T, path string) int {
	t.Helper()
	for range 500 {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(path), "pid"))
		if pid, bad := strconv.Atoi(strings.TrimSpace(string(b))); err == nil && bad == nil {
			return pid
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("the program did not begin")
	return 0
}

// members returns what /proc says of the processes of a group that have not ended.
func members(t *testing.T, group int) (processes []string) {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		_, after, _ := strings.Cut(string(b), ") ")
		f := strings.Fields(after)
		if len(f) > 2 && f[0] != "Z" && f[2] == strconv.Itoa(group) {
			processes = append(processes, string(b))
		}
	}
	return processes
}

// nobody fails if a process of the group lives.
func nobody(t *testing.T, group int) {
	t.Helper()
	if runtime.GOOS != "linux" {
		if err := syscall.Kill(-group, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("group %d: %v, want none of it", group, err)
		}
		return
	}
	for _, process := range members(t, group) {
		t.Errorf("it lives: %s", process)
	}
}

// zoo runs one job, whose program writes its number to DIR/pid, and returns what became of it.
// It must take between from and to.
func zoo(t *testing.T, c Config, commands, stdin string, from, to time.Duration) Stats {
	t.Helper()
	c.Path = write(t, "echo $$ >DIR/pid\n"+commands)
	r := runner(t, c, io.Discard)
	begin := time.Now()
	if !r.Queue(job("192.0.2.1", Ban, stdin)) {
		t.Fatal("dropped")
	}
	s := finished(t, r)
	if took := time.Since(begin); took < from || took > to {
		t.Errorf("took %v, want %v to %v", took, from, to)
	}
	if s.Done+s.Failed+s.TimedOut != 1 || s.Queued+s.Running != 0 || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
	nobody(t, leader(t, c.Path))
	return s
}

const soon = 2 * time.Second

func TestIgnoresInput(t *testing.T) {
	s := zoo(t, Config{}, "exit 0", strings.Repeat("x", 1<<20), 0, soon)
	if s.Done != 1 || s.LastError != "" {
		t.Errorf("%+v", s)
	}
	// It closes its input and works on.
	s = zoo(t, Config{}, "exec <&-; sleep 0.2", strings.Repeat("x", 1<<20), 0, soon)
	if s.Done != 1 {
		t.Errorf("%+v", s)
	}
	// It lets its input be, and works on.
	s = zoo(t, Config{}, "sleep 0.2", strings.Repeat("x", 1<<20), 0, soon)
	if s.Done != 1 {
		t.Errorf("%+v", s)
	}
}

func TestHangs(t *testing.T) {
	c := Config{Timeout: 300 * time.Millisecond}
	s := zoo(t, c, "sleep 60", strings.Repeat("x", 1<<20), c.Timeout, soon)
	if s.TimedOut != 1 || s.LastExit != -1 || !strings.Contains(s.LastError, "in time") {
		t.Errorf("%+v", s)
	}
}

func TestIgnoresTermination(t *testing.T) {
	c := Config{Timeout: 300 * time.Millisecond}
	s := zoo(t, c, "trap '' TERM; while :; do sleep 1; done", "",
		c.Timeout+termTime, c.Timeout+termTime+soon)
	if s.TimedOut != 1 || s.Left != 0 {
		t.Errorf("%+v", s)
	}
}

// What a program leaves in the background is part of its job, whether it holds the output or
// not.
func TestBackground(t *testing.T) {
	c := Config{Timeout: 500 * time.Millisecond}
	for _, redirect := range []string{"", ">/dev/null 2>&1"} {
		s := zoo(t, c, "sleep 60 "+redirect+" & exit 0", "", c.Timeout, soon)
		if s.TimedOut != 1 || s.LastExit != 0 || s.Left != 0 {
			t.Errorf("%q: %+v", redirect, s)
		}
		s = zoo(t, c, "sleep 0.2 "+redirect+" & exit 0", "", 200*time.Millisecond, soon)
		if s.Done != 1 {
			t.Errorf("%q: %+v", redirect, s)
		}
	}
}

func TestFloods(t *testing.T) {
	s := zoo(t, Config{}, "head -c 10000000 /dev/zero; echo; echo the end >&2; exit 1", "", 0, soon)
	if s.Failed != 1 || s.LastExit != 1 || s.Truncated != 1 {
		t.Errorf("%+v", s)
	}
	c := Config{Timeout: 300 * time.Millisecond}
	if s := zoo(t, c, "exec yes", "", c.Timeout, soon); s.TimedOut != 1 || s.Truncated != 1 {
		t.Errorf("%+v", s)
	}
}

func TestForksMany(t *testing.T) {
	c := Config{Timeout: 500 * time.Millisecond}
	s := zoo(t, c, `for i in 1 2 3 4 5 6 7 8 9 10; do
			(trap '' TERM; for j in 1 2 3; do (sleep 60) & done; wait; sleep 60) &
		done; wait`, "", c.Timeout+termTime, c.Timeout+termTime+soon)
	if s.TimedOut != 1 || s.Left != 0 {
		t.Errorf("%+v", s)
	}
}

func TestKilled(t *testing.T) {
	s := zoo(t, Config{}, "kill -9 $$", "", 0, soon)
	if s.Failed != 1 || s.LastExit != -1 || !strings.Contains(s.LastError, "signal: killed") {
		t.Errorf("%+v", s)
	}
}

// Jobs of others go on while one hangs, and Close kills it.
func TestCloseKills(t *testing.T) {
	path := write(t, `[ $1 = 192.0.2.1 ] || exit 0
		trap '' TERM; echo $$ >DIR/pid; (sleep 60 & sleep 60)`)
	r := runner(t, Config{Path: path}, io.Discard)
	r.Queue(job("192.0.2.1", Ban, ""))
	pid := leader(t, path)
	r.Queue(job("192.0.2.2", Ban, ""))
	for begin := time.Now(); r.Stats().Done == 0 && time.Since(begin) < soon; {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	begin := time.Now()
	if err := r.Close(ctx); err == nil || !strings.Contains(err.Error(), "1 were killed") {
		t.Error(err)
	}
	if took := time.Since(begin); took > soon {
		t.Errorf("took %v", took)
	}
	if s := r.Stats(); s.Done != 1 || s.Failed != 1 {
		t.Errorf("%+v", s)
	}
	nobody(t, pid)
}

// runnerFails has a program that New must refuse, for a reason that names path and why.
func runnerFails(t *testing.T, path, why string) {
	t.Helper()
	_, err := New(Config{Path: path}, nil)
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), why) {
		t.Errorf("%s: %v, want %q", path, err, why)
	}
}

func change(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTrust(t *testing.T) {
	path := write(t, "")
	dir := filepath.Dir(path)
	runnerFails(t, "notify", "not absolute")
	runnerFails(t, "", "not absolute")
	runnerFails(t, dir, "folder")
	runnerFails(t, "/dev/null", "writable for everybody")
	runnerFails(t, filepath.Join(dir, "none"), "no such file")
	runnerFails(t, filepath.Join(path, "below"), "not a directory")
	for mode, why := range map[os.FileMode]string{
		0o644: "not executable", 0o757: "writable for everybody (chmod o-w)",
		0o775: "writable for its group (chmod g-w)",
	} {
		change(t, os.Chmod(path, mode))
		runnerFails(t, path, why)
	}
	change(t, os.Chmod(path, 0o755))
	change(t, os.Chmod(dir, 0o757))
	runnerFails(t, path, dir+" is writable for everybody")
	change(t, os.Chmod(dir, 0o757|os.ModeSticky))
	if _, err := New(Config{Path: path}, nil); err != nil {
		t.Error("sticky:", err)
	}
	if os.Geteuid() != 0 {
		t.Skip("to give files away takes root")
	}
	change(t, os.Chown(path, 65534, 0))
	runnerFails(t, path, "belongs to user 65534")
	change(t, os.Chown(path, 0, 0))
	change(t, os.Chown(dir, 65534, 0))
	runnerFails(t, path, dir+" belongs to user 65534")
}

func TestTrustFollowsLinks(t *testing.T) {
	path, dir := write(t, "echo $0 >DIR/ran"), folder(t)
	link := filepath.Join(dir, "link")
	change(t, os.Symlink(filepath.Join("..", filepath.Base(dir), "far"), link))
	change(t, os.Symlink(path, filepath.Join(dir, "far")))
	r := runner(t, Config{Path: link}, io.Discard)
	r.Queue(job("192.0.2.1", Ban, ""))
	if s := finished(t, r); s.Done != 1 {
		t.Errorf("%+v", s)
	}
	if got := read(t, path, "ran"); strings.TrimSpace(got) != path {
		t.Errorf("ran %q", got)
	}
	// Every link on the way is one that others must not turn.
	change(t, os.Chmod(dir, 0o777))
	runnerFails(t, link, dir+" is writable")
	change(t, os.Chmod(dir, 0o755))
	change(t, os.Symlink("loop", filepath.Join(dir, "loop")))
	runnerFails(t, filepath.Join(dir, "loop"), "too many symbolic links")
	if os.Geteuid() == 0 {
		change(t, os.Lchown(link, 65534, 0))
		runnerFails(t, link, link+" belongs to user")
	}
}

// The program is looked at before each run.
func TestTrustIsLost(t *testing.T) {
	path := write(t, "")
	r := runner(t, Config{Path: path}, io.Discard)
	r.Queue(job("192.0.2.1", Ban, ""))
	for begin := time.Now(); r.Stats().Done == 0 && time.Since(begin) < soon; {
		time.Sleep(time.Millisecond)
	}
	change(t, os.Chmod(path, 0o777))
	r.Queue(job("192.0.2.1", Unban, ""))
	s := finished(t, r)
	if s.Done != 1 || s.Failed != 1 || s.LastExit != -1 ||
		!strings.Contains(s.LastError, "writable") {
		t.Errorf("%+v", s)
	}
}

// A file that is no program of any kind fails when it is run.
func TestNoInterpreter(t *testing.T) {
	path := write(t, "")
	change(t, os.WriteFile(path, []byte("#!/nowhere\n"), 0o755))
	r := runner(t, Config{Path: path}, io.Discard)
	r.Queue(job("192.0.2.1", Ban, strings.Repeat("x", 1<<20)))
	s := finished(t, r)
	if s.Failed != 1 || !strings.Contains(s.LastError, path+": ") || s.LastExit != -1 {
		t.Errorf("%+v", s)
	}
}
