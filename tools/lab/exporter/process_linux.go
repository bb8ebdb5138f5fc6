package exporter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"weir/tools/lab"
)

// Options say what an exporter does.
type Options struct {
	Interface string         // that it watches
	Collector netip.AddrPort // that it tells
	Version   int            // of NetFlow: 5, 9, or 10 for IPFIX
	Sampling  int            // N of 1:N packets; 0 and 1 are all
}

// patience bounds what an exporter may take to start, to answer and to end.
const patience = 10 * time.Second

// process is a program that runs until the test's end.
type process struct {
	t         testing.TB
	namespace lab.Namespace
	cmd       *exec.Cmd
	said      said
	ended     chan struct{}
}

// said is what a process has printed.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// need skips the test where a program is missing.
func need(t testing.TB, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("no %s here: %v", program, err)
		}
	}
}

// folder makes a folder that goes with the test. Its path is short, as those of sockets must be.
func folder(t testing.TB, name string) func(file string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir-"+name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return func(file string) string { return filepath.Join(dir, file) }
}

// start starts a program in the namespace, in a process group of its own.
func start(t testing.TB, n lab.Namespace, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, namespace: n, ended: make(chan struct{})}
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = &p.said, &p.said
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = time.Second
	if err := n.Start(p.cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.ended
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(args[0]), &p.said)
		}
	})
	return p
}

// until waits until is says yes, and fails the test if the process ends or is slow.
func (p *process) until(what string, is func() error) {
	p.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		err := is()
		if err == nil {
			return
		}
		select {
		case <-p.ended:
			p.t.Fatalf("%s ended before it %s: %v\n%s", p.cmd.Path, what, err, &p.said)
		default:
		}
		if time.Now().After(end) {
			p.t.Fatalf("%s never %s: %v\n%s", p.cmd.Path, what, err, &p.said)
		}
	}
}

// ask runs a program that answers at once.
func ask(env []string, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Run(); err != nil {
		return "", errors.Join(fmt.Errorf("%s: %w", program, err), errors.New(errs.String()))
	}
	return out.String(), nil
}
