package script

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A bomb of some tens of processes is gone after the timeout, by what /proc says.
func TestBomb(t *testing.T) {
	path := write(t, `echo $$ >DIR/pid
		bomb() { [ $1 = 0 ] && exec sleep 60; bomb $(($1-1)) & bomb $(($1-1)) & wait; }
		bomb 5`)
	r := runner(t, Config{Path: path, Timeout: time.Second}, os.Stderr)
	r.Queue(job("192.0.2.1", Ban, ""))
	pid := leader(t, path)
	most := 0
	for r.Stats().Running > 0 {
		most = max(most, len(members(t, pid)))
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("%d processes at most", most)
	if most < 40 {
		t.Errorf("%d processes were seen: no bomb", most)
	}
	if left := members(t, pid); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if s := finished(t, r); s.TimedOut != 1 || s.Left != 0 {
		t.Errorf("%+v", s)
	}
}

// A process that leaves the group cannot be followed. It keeps nothing waiting, and it shows.
func TestEscapes(t *testing.T) {
	path := write(t, `echo $$ >DIR/pid
		setsid sh -c 'echo $$ >DIR/escaped; exec sleep 60' &
		while [ ! -s DIR/escaped ]; do sleep 0.01; done`)
	r := runner(t, Config{Path: path}, os.Stderr)
	begin := time.Now()
	r.Queue(job("192.0.2.1", Ban, ""))
	s := finished(t, r)
	if took := time.Since(begin); took > soon || s.Done != 1 || s.Left != 1 {
		t.Errorf("%+v after %v", s, took)
	}
	nobody(t, leader(t, path))
	escaped, err := strconv.Atoi(strings.TrimSpace(read(t, path, "escaped")))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(escaped, syscall.SIGKILL); err != nil {
		t.Errorf("there was none: %v", err)
	}
}

// An ordinary user's ambient capabilities, which weir captures with, are not the program's.
func TestAmbientCapabilities(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("to give a process capabilities takes root")
	}
	path := write(t, "cat /proc/self/status >DIR/status")
	dir := filepath.Dir(path)
	for _, d := range []string{dir, filepath.Dir(dir)} {
		change(t, os.Chmod(d, 0o755))
	}
	change(t, os.WriteFile(filepath.Join(dir, "status"), nil, 0o600))
	change(t, os.Chown(filepath.Join(dir, "status"), 65534, 65534))
	program, err := os.ReadFile("/proc/self/exe")
	change(t, err)
	copied := filepath.Join(dir, "test")
	change(t, os.WriteFile(copied, program, 0o755))

	cmd := exec.Command(copied)
	cmd.Env = []string{asHelper + "=" + path}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: 65534, Gid: 65534},
		AmbientCaps: []uintptr{unix.CAP_NET_RAW},
	}
	ours, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, ours)
	}
	const has, none = "CapEff:\t0000000000002000", "CapEff:\t0000000000000000"
	if !strings.Contains(string(ours), has) {
		t.Errorf("weir itself had none, or lost it:\n%s", ours)
	}
	if got := read(t, path, "status"); !strings.Contains(got, none) {
		t.Errorf("the program has capabilities:\n%s", got)
	}
}
