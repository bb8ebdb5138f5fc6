package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"weir/tools/blast"
)

// process is a system that runs, with its children.
type process struct {
	command *exec.Cmd
	dir     string
	done    chan struct{}
	log     *os.File
	client  *http.Client // reaches its namespace; nil: it is in ours
}

// start runs a system on CPU 1.
func start(o *options, s *system, w *blast.ExportWorkload, dir string) (*process, error) {
	args, err := s.prepare(o, w, dir)
	if err != nil {
		return nil, err
	}
	return launch(dir, args, (*exec.Cmd).Start)
}

// launch runs a command line on CPU 1. What it says is kept in dir.
func launch(dir string, args []string, begin func(*exec.Cmd) error) (*process, error) {
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(log, "# %s\n", strings.Join(args, " "))
	c := exec.Command("taskset", append([]string{"-c", "1"}, args...)...)
	c.Stdout, c.Stderr, c.Dir = log, log, dir
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := begin(c); err != nil {
		_ = log.Close()
		return nil, err
	}
	p := &process{command: c, dir: dir, done: make(chan struct{}), log: log}
	go func() {
		_ = c.Wait() // its log tells
		close(p.done)
	}()
	return p, nil
}

// stop ends it, with its children, and waits for that.
func (p *process) stop() {
	group := -p.command.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
	}
	_ = syscall.Kill(group, syscall.SIGKILL) // what is left of the group
	<-p.done
	_ = p.log.Close()
}

// ticks is USER_HZ, in which /proc counts.
const ticks = 100

// cpuTime is what processes have taken.
type cpuTime struct{ user, system time.Duration }

func (t cpuTime) total() time.Duration { return t.user + t.system }

func (t cpuTime) minus(o cpuTime) cpuTime { return cpuTime{t.user - o.user, t.system - o.system} }

// cpu returns the CPU time of all processes of the group.
func (p *process) cpu() (total cpuTime, err error) {
	_, total, err = p.members()
	return total, err
}

// members returns the processes of the group, and their CPU time.
func (p *process) members() (pids map[int]bool, total cpuTime, err error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, total, err
	}
	pids = map[int]bool{}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// proc_pid_stat(5): behind the name in parentheses come state, ppid, pgrp, …
		first, rest, _ := strings.Cut(string(text), ") ")
		f := strings.Fields(rest)
		if len(f) < 13 || f[2] != strconv.Itoa(p.command.Process.Pid) {
			continue
		}
		pid, _, _ := strings.Cut(first, " ")
		number, _ := strconv.Atoi(pid)
		user, _ := strconv.Atoi(f[11])
		system, _ := strconv.Atoi(f[12])
		total.user += time.Duration(user) * time.Second / ticks
		total.system += time.Duration(system) * time.Second / ticks
		pids[number] = true
	}
	if len(pids) == 0 {
		return nil, total, fmt.Errorf("it has ended: see %s", p.log.Name())
	}
	return pids, total, nil
}

// drops returns the datagrams that the kernel lost for want of room in the sockets of a port.
func drops(port int) (n int) {
	for _, path := range []string{"/proc/self/net/udp", "/proc/self/net/udp6"} {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) > 12 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
				lost, _ := strconv.Atoi(f[len(f)-1])
				n += lost
			}
		}
	}
	return n
}

// metric returns the sum of the samples of a Prometheus endpoint whose lines begin with name and
// contain all parts, and keeps what the endpoint says.
func (p *process) metric(url, name string, parts ...string) (sum float64, err error) {
	client := p.client
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Get(url)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(filepath.Join(p.dir, "metrics"), text, 0o644); err != nil {
		return 0, err
	}
	found := false
lines:
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		for _, part := range parts {
			if !strings.Contains(rest, part) {
				continue lines
			}
		}
		fields := strings.Fields(strings.ReplaceAll(rest, "}", "} "))
		v, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			return 0, fmt.Errorf("read %q: %w", line, err)
		}
		sum, found = sum+v, true
	}
	if !found {
		return 0, fmt.Errorf("%s has no %s", url, name)
	}
	return sum, nil
}
