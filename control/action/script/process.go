package script

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

	termTime  = 2 * time.Second        // from SIGTERM to SIGKILL
	killTime  = time.Second            // from SIGKILL to giving up
	drainTime = 200 * time.Millisecond // for output that was written before the end
)

// result is how a job ended.
type result struct {
	err                       error
	exit                      int
	timedOut, truncated, left bool
	took                      time.Duration
	output                    string // the last lines, for the log
}

// run runs the program for j to the end of all its processes.
func (r *Runner) run(j *Job) (res result) {
	begin := time.Now()
	defer func() { res.took = time.Since(begin) }()
	res.exit = -1
	file, err := trusted(r.config.Path)
	if err != nil {
		res.err = err
		return res
	}
	p, err := start(file, r.config.Path, j, r.config.JSON || j.Action == Ban, r.config.MaxOutput)
	if err != nil {
		res.err = fmt.Errorf("script %s: %w", r.config.Path, err)
		return res
	}
	res.left, res.err = p.finish(r.config.Timeout, r.stop)
	res.timedOut = errors.Is(res.err, errTimeout)
	if p.close() {
		res.left = true
	}
	res.exit = p.exit()
	if res.err == nil && res.exit != 0 {
		res.err = fmt.Errorf("ended with %s", p.cmd.ProcessState)
	}
	if res.err != nil {
		res.err = fmt.Errorf("script %s: %w", r.config.Path, res.err)
	}
	res.truncated, res.output = p.output.truncated(), p.output.lastLines()
	return res
}

// process is the program while it runs, with all processes of its group.
type process struct {
	cmd    *exec.Cmd
	group  group
	ended  chan struct{} // closed when the program itself has ended
	in     *os.File      // nil where it has nothing to read
	out    *os.File
	output tail
	copies sync.WaitGroup // who write in and read out
	held   bool           // out was still open at the end; valid after copies
}

// start runs file under the name that it was configured with. Its input and output are pipes of
// ours: those of exec would let Wait return before, or long after, what happens to the group.
func start(file, name string, j *Job, reads bool, maxOutput int) (*process, error) {
	out, theirOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer theirOut.Close()
	p := &process{out: out, ended: make(chan struct{}), output: tail{limit: maxOutput}}
	p.cmd = &exec.Cmd{
		Path: file,
		Args: []string{
			name, j.Target.String(), j.Direction, strconv.FormatUint(j.PPS, 10), j.Action,
		},
		Env: []string{path}, Dir: "/", Stdout: theirOut, Stderr: theirOut,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	if reads { // else it reads /dev/null
		theirIn, in, err := os.Pipe()
		if err != nil {
			_ = out.Close()
			return nil, err
		}
		defer theirIn.Close()
		p.cmd.Stdin, p.in = theirIn, in
	}
	if err := startBare(p.cmd); err != nil {
		_ = out.Close()
		if p.in != nil {
			_ = p.in.Close()
		}
		return nil, err
	}
	p.group = group{id: p.cmd.Process.Pid}
	p.serve(j.Stdin)
	return p, nil
}

// startBare starts cmd from a thread that has nothing to bequeath. The thread ends with its
// goroutine, because it stays locked.
func startBare(cmd *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := undress()
		if err == nil {
			err = cmd.Start()
		}
		started <- err
	}()
	return <-started
}

// serve begins to wait for the program, to write what it may read and to read what it writes.
func (p *process) serve(stdin []byte) {
	go func() {
		_ = p.cmd.Wait() // exit asks the state
		close(p.ended)
	}()
	if p.in != nil {
		p.copies.Go(func() {
			_, _ = p.in.Write(stdin) // a program need not read
			_ = p.in.Close()
		})
	}
	p.copies.Go(func() { p.held = p.output.read(p.out) })
}

var (
	errTimeout = errors.New("did not end in time and was killed")
	errStopped = errors.New("was killed because weir ends")
)

// finish returns when the program and its group have ended, by themselves or because of the
// timeout or stop. left: something of them could not be killed.
func (p *process) finish(timeout time.Duration, stop <-chan struct{}) (left bool, err error) {
	if p.gone(timeout, stop) {
		return false, nil
	}
	err = errStopped
	if !closed(stop) {
		err = errTimeout
		p.group.signal(syscall.SIGTERM)
		if p.gone(termTime, stop) {
			return false, err
		}
	}
	p.group.signal(syscall.SIGKILL)
	left = !p.gone(killTime, nil)
	// A program that hangs in the kernel keeps its place among those that run: more of its kind
	// would join it.
	select {
	case <-p.ended:
	case <-stop:
	}
	return left, err
}

// gone waits until the program and its group have ended, and reports false if that takes longer
// than limit, or until stop.
func (p *process) gone(limit time.Duration, stop <-chan struct{}) bool {
	over := time.NewTimer(limit)
	defer over.Stop()
	select {
	case <-p.ended:
	case <-over.C:
		return false
	case <-stop:
		return false
	}
	for pause := time.Millisecond; p.group.exists(); pause = min(2*pause, 50*time.Millisecond) {
		select {
		case <-time.After(pause):
		case <-over.C:
			return false
		case <-stop:
			return false
		}
	}
	return true
}

// exit returns the program's exit status, or -1.
func (p *process) exit() int {
	if !closed(p.ended) {
		return -1
	}
	return p.cmd.ProcessState.ExitCode()
}

// close ends reading and writing, and reports whether a process outside the group still holds
// the output.
func (p *process) close() (held bool) {
	if p.in != nil {
		_ = p.in.SetWriteDeadline(time.Now())
	}
	_ = p.out.SetReadDeadline(time.Now().Add(drainTime))
	p.copies.Wait()
	_ = p.out.Close()
	return p.held
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
