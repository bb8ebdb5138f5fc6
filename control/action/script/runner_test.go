package script

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(asHelper); name != "" {
		os.Exit(helper(name))
	}
	os.Exit(m.Run())
}

// folder returns a new one whose path has no links.
func folder(t testing.TB) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// write makes a program of sh commands. DIR in them is its folder.
func write(t testing.TB, commands string) (path string) {
	t.Helper()
	dir := folder(t)
	path = filepath.Join(dir, "notify")
	text := "#!/bin/sh\n" + strings.ReplaceAll(commands, "DIR", dir)
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// runner runs what c says; at the test's end nothing of it is left.
func runner(t testing.TB, c Config, logs io.Writer) *Runner {
	t.Helper()
	before := goleak.IgnoreCurrent()
	r, err := New(c, slog.New(slog.NewTextHandler(logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		closeNow(r)
		goleak.VerifyNone(t, before)
	})
	return r
}

func closeNow(r *Runner) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = r.Close(ctx)
}

// finished waits until all jobs have ended, and returns the counts.
func finished(t testing.TB, r *Runner) Stats {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := r.Close(ctx); err != nil {
		t.Fatal(err)
	}
	return r.Stats()
}

func job(target, action, stdin string) Job {
	return Job{
		Target: netip.MustParseAddr(target), Direction: "incoming", PPS: 1234567890123,
		Action: action, Stdin: []byte(stdin),
	}
}

func read(t testing.TB, path, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(filepath.Dir(path), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const metacharacters = "$(touch /x) `id` ; | & > < \\ ' \" * ? ~ ! # %s \x00\x01\x1b[31m\r\n" +
	"${IFS}\xff\n"

func TestContract(t *testing.T) {
	f := func(json bool, target, action, wantIn string) {
		t.Helper()
		path := write(t, `printf '%s|' "$#" "$@" >DIR/argv; cat >DIR/stdin; pwd >DIR/pwd
			env >DIR/env; exec ls /dev/fd >DIR/fds`)
		r := runner(t, Config{Path: path, JSON: json}, io.Discard)
		if !r.Queue(job(target, action, metacharacters)) {
			t.Fatal("dropped")
		}
		if s := finished(t, r); s.Done != 1 || s.LastExit != 0 || s.LastError != "" ||
			s.LastDuration <= 0 || s.Truncated+s.Left != 0 {
			t.Errorf("%+v", s)
		}
		want := fmt.Sprintf("4|%s|incoming|1234567890123|%s|", target, action)
		if got := read(t, path, "argv"); got != want {
			t.Errorf("arguments %q, want %q", got, want)
		}
		if got := read(t, path, "stdin"); got != wantIn {
			t.Errorf("input %q, want %q", got, wantIn)
		}
		if got := read(t, path, "pwd"); got != "/\n" {
			t.Errorf("runs in %q", got)
		}
		for line := range strings.Lines(read(t, path, "env")) {
			// What sh adds by itself.
			if !strings.HasPrefix(line, "PWD=") && !strings.HasPrefix(line, "PATH=/usr/") &&
				!strings.HasPrefix(line, "SHLVL=") && !strings.HasPrefix(line, "_=") &&
				!strings.HasPrefix(line, "OLDPWD=") {
				t.Errorf("environment has %q", line)
			}
		}
		// ls has opened the folder itself as 3.
		if got := read(t, path, "fds"); strings.TrimSpace(got) != "0\n1\n2\n3" {
			t.Errorf("descriptors %q", got)
		}
	}
	f(false, "192.0.2.1", Ban, metacharacters)
	f(false, "2001:db8::7", Ban, metacharacters)
	f(false, "192.0.2.1", Unban, "")
	f(true, "192.0.2.1", Ban, metacharacters)
	f(true, "2001:db8::7", Unban, metacharacters)
}

func TestInvalidJob(t *testing.T) {
	r := runner(t, Config{Path: write(t, "")}, io.Discard)
	f := func(change func(j *Job)) {
		t.Helper()
		j := job("192.0.2.1", Ban, "")
		change(&j)
		if r.Queue(j) {
			t.Errorf("taken: %+v", j)
		}
	}
	f(func(j *Job) { j.Target = netip.Addr{} })
	f(func(j *Job) { j.Target = netip.MustParseAddr("fe80::1%$(id)") })
	f(func(j *Job) { j.Action = "attack_details" })
	f(func(j *Job) { j.Direction = "incoming ban" })
	closeNow(r)
	f(func(*Job) {})
	if s := r.Stats(); s.Dropped != 5 || !strings.Contains(s.LastError, "weir ends") {
		t.Errorf("%+v", s)
	}
}

// A target's jobs run in order, one at a time; others' run beside them.
func TestOrder(t *testing.T) {
	path := write(t, `set -C; : >DIR/lock.$1 || exit 9
		set +C; echo $4 >>DIR/log.$1; sleep 0.02; rm DIR/lock.$1`)
	r := runner(t, Config{Path: path, MaxConcurrent: 3}, io.Discard)
	targets := []string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "2001:db8::1"}
	var most atomic.Int64
	stop := make(chan struct{})
	go func() {
		for !closed(stop) {
			most.Store(max(most.Load(), int64(r.Stats().Running)))
			time.Sleep(time.Millisecond)
		}
	}()
	for _, target := range targets {
		for i := range 8 {
			if !r.Queue(job(target, []string{Ban, Unban}[i%2], "")) {
				t.Fatal("dropped")
			}
		}
	}
	s := finished(t, r)
	close(stop)
	if s.Done != 40 || s.Failed != 0 {
		t.Errorf("%+v", s)
	}
	for _, target := range targets {
		if got := read(t, path, "log."+target); got != strings.Repeat("ban\nunban\n", 4) {
			t.Errorf("%s: %q", target, got)
		}
	}
	if most.Load() != 3 {
		t.Errorf("%d ran at the same time, want 3", most.Load())
	}
}

func TestFullQueue(t *testing.T) {
	r := runner(t, Config{Path: write(t, "sleep 60"), MaxConcurrent: 2, Queue: 10}, io.Discard)
	begin := time.Now()
	taken := 0
	for i := range 10000 {
		target := netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)})
		if r.Queue(Job{Target: target, Direction: "other", Action: Ban}) {
			taken++
		}
	}
	took := time.Since(begin)
	s := r.Stats()
	if taken != 12 || s.Running != 2 || s.Queued != 10 || s.Dropped != 9988 {
		t.Errorf("%d taken, %+v", taken, s)
	}
	t.Logf("10000 calls took %v", took)
	if took > 2*time.Second {
		t.Errorf("10000 calls took %v", took)
	}
	if !strings.Contains(s.LastError, "10 wait already") {
		t.Error(s.LastError)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	begin = time.Now()
	err := r.Close(ctx)
	if err == nil || !strings.Contains(err.Error(), "10 jobs never ran, and 2 were killed") {
		t.Error(err)
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("Close took %v", took)
	}
	if s := r.Stats(); s.Queued+s.Running != 0 || s.Dropped != 9998 || s.Failed != 2 ||
		!strings.Contains(s.LastError, "weir ends") || s.LastExit != -1 {
		t.Errorf("%+v", s)
	}
}

// What waits is bounded in bytes, too.
func TestLargeInput(t *testing.T) {
	r := runner(t, Config{Path: write(t, "sleep 60"), MaxConcurrent: 1}, io.Discard)
	large := Job{
		Target: netip.MustParseAddr("192.0.2.1"), Direction: "other", Action: Ban,
		Stdin: make([]byte, MaxWaiting*2/3),
	}
	for i, want := range []bool{true, true, false} { // runs, waits, is too much
		if got := r.Queue(large); got != want {
			t.Errorf("job %d: taken %v", i, got)
		}
	}
}

func TestLogs(t *testing.T) {
	var logs bytes.Buffer
	r := runner(t, Config{Path: write(t, `cat >/dev/null
		for i in 1 2 3 4 5; do echo "line $i"; done; printf 'a\033[31mred' >&2; exit 3`)}, &logs)
	r.Queue(job("192.0.2.1", Ban, "text"))
	if s := finished(t, r); s.Failed != 1 || s.LastExit != 3 ||
		!strings.HasSuffix(s.LastError, "ended with exit status 3") {
		t.Errorf("%+v", s)
	}
	for _, want := range []string{
		"level=WARN", "action=ban", "target=192.0.2.1", "exit status 3",
		`line 4\\nline 5\\na\\x1b[31mred`,
	} {
		if !strings.Contains(logs.String(), want) {
			t.Errorf("no %q in %s", want, logs.String())
		}
	}
	if strings.Contains(logs.String(), "line 3") || strings.Contains(logs.String(), "\x1b") {
		t.Error(logs.String())
	}
}

func BenchmarkQueueFull(b *testing.B) {
	r := runner(b, Config{Path: write(b, "sleep 60"), MaxConcurrent: 1}, io.Discard)
	j := job("192.0.2.1", Ban, "")
	for range 300 {
		r.Queue(j)
	}
	for b.Loop() {
		if r.Queue(j) {
			b.Fatal("taken")
		}
	}
}
