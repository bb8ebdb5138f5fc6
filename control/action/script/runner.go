package script

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Config says what is run, and how much of it. The zero value of all but Path is a default.
type Config struct {
	Path          string        // absolute; links are followed
	JSON          bool          // the program reads a document at the end of an attack, too
	Timeout       time.Duration // for all processes of a job; 0: 30 s
	MaxConcurrent int           // jobs that run at the same time; 0: 4
	Queue         int           // jobs that wait; 0: 256
	MaxOutput     int           // bytes kept of what a job writes, the last ones; 0: 64 KiB
}

// MaxWaiting is how many bytes of Job.Stdin wait at most, in all jobs together. A single job is
// never too large.
const MaxWaiting = 32 << 20

func (c *Config) setDefaults() {
	c.Timeout = cmp.Or(c.Timeout, 30*time.Second)
	c.MaxConcurrent = cmp.Or(c.MaxConcurrent, 4)
	c.Queue = cmp.Or(c.Queue, 256)
	c.MaxOutput = cmp.Or(c.MaxOutput, 64<<10)
}

func (c *Config) check() error {
	if !filepath.IsAbs(c.Path) {
		return fmt.Errorf("script %q: the path is not absolute", c.Path)
	}
	if c.Timeout < 0 || c.MaxConcurrent < 0 || c.Queue < 0 || c.MaxOutput < 0 {
		return fmt.Errorf("script %s: a limit is negative", c.Path)
	}
	_, err := trusted(c.Path)
	return err
}

// Values of Job.Action.
const (
	Ban   = "ban"
	Unban = "unban"
)

// Job is one run of the program.
type Job struct {
	Target    netip.Addr
	Direction string // "incoming", "outgoing" or "other"
	PPS       uint64
	Action    string // Ban or Unban

	// Stdin is what the program may read: a text, or with Config.JSON a document. Without
	// Config.JSON it is left out where Action is Unban. Nobody may change it any more.
	Stdin []byte
}

func (j *Job) valid() bool {
	return j.Target.IsValid() && j.Target.Zone() == "" &&
		(j.Action == Ban || j.Action == Unban) &&
		slices.Contains([]string{"incoming", "outgoing", "other"}, j.Direction)
}

// Stats is what has become of all jobs: each that was handed to Queue is in exactly one of the
// first six.
type Stats struct {
	Queued   int // wait now
	Running  int // run now
	Done     uint64
	Failed   uint64 // could not be started, or ended with another status than 0
	TimedOut uint64
	Dropped  uint64 // never run: no room, not valid, or weir ended

	Truncated uint64 // jobs that wrote more than Config.MaxOutput
	Left      uint64 // jobs that left a process behind: one that escaped, or cannot be killed

	LastError    string // of the latest job that is not Done; empty while there is none
	LastExit     int    // the latest job's exit status; -1: none, it was killed or never started
	LastDuration time.Duration
}

// Runner runs jobs: those of one target one after the other, in the order in which they were
// queued, those of different targets at the same time.
//
// Concurrency: any goroutine may call its methods.
type Runner struct {
	config Config
	log    *slog.Logger

	workers sync.WaitGroup
	stop    chan struct{} // closed: what still runs is killed

	mu      sync.Mutex
	waiting []Job // in order
	bytes   int   // of their Stdin
	busy    map[netip.Addr]struct{}
	closed  bool
	stopped bool // stop is closed
	stats   Stats
}

// New returns a Runner, or says why the program of c must not be run. It starts nothing before
// the first job.
func New(c Config, log *slog.Logger) (*Runner, error) {
	c.setDefaults()
	if err := c.check(); err != nil {
		return nil, err
	}
	return &Runner{
		config: c, log: log, stop: make(chan struct{}), busy: map[netip.Addr]struct{}{},
	}, nil
}

// Queue has j run as soon as its turn comes. It never waits and never logs: where it returns
// false the job was dropped, and it is for the caller to say so.
func (r *Runner) Queue(j Job) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.admit(&j); err != nil {
		r.stats.Dropped++
		r.stats.LastError = fmt.Sprintf("%s of %s was dropped: %s", j.Action, j.Target, err)
		return false
	}
	if _, busy := r.busy[j.Target]; busy || len(r.busy) == r.config.MaxConcurrent {
		r.waiting = append(r.waiting, j)
		r.bytes += len(j.Stdin)
		return true
	}
	// Somebody is free, so that all who wait do so for the sake of their order.
	r.busy[j.Target] = struct{}{}
	r.workers.Add(1)
	go r.work(j)
	return true
}

func (r *Runner) admit(j *Job) error {
	switch {
	case r.closed:
		return errors.New("weir ends")
	case !j.valid():
		return errors.New("BUG: not valid")
	case len(r.waiting) >= r.config.Queue:
		return fmt.Errorf("%d wait already", len(r.waiting))
	case len(r.waiting) > 0 && r.bytes+len(j.Stdin) > MaxWaiting:
		return fmt.Errorf("%d bytes wait already", r.bytes)
	}
	return nil
}

// work runs j, and then jobs that wait while there are any.
func (r *Runner) work(j Job) {
	defer r.workers.Done()
	for ok := true; ok; {
		res := r.run(&j)
		r.tell(&j, &res)
		j, ok = r.next(j.Target, &res)
	}
}

// next counts the job of target that has ended, and returns the one whose turn it is.
func (r *Runner) next(target netip.Addr, res *result) (Job, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.count(res)
	delete(r.busy, target)
	for i, j := range r.waiting {
		if _, busy := r.busy[j.Target]; !busy {
			r.waiting = slices.Delete(r.waiting, i, i+1)
			r.bytes -= len(j.Stdin)
			r.busy[j.Target] = struct{}{}
			return j, true
		}
	}
	return Job{}, false
}

func (s *Stats) count(res *result) {
	s.LastExit, s.LastDuration = res.exit, res.took
	switch {
	case res.err == nil:
		s.Done++
	case res.timedOut:
		s.TimedOut++
	default:
		s.Failed++
	}
	if res.err != nil {
		s.LastError = res.err.Error()
	}
	if res.truncated {
		s.Truncated++
	}
	if res.left {
		s.Left++
	}
}

// tell logs how a job ended.
func (r *Runner) tell(j *Job, res *result) {
	level, message := slog.LevelInfo, "script has run"
	attrs := []slog.Attr{
		slog.String("action", j.Action), slog.String("target", j.Target.String()),
		slog.Duration("took", res.took.Round(time.Millisecond)),
	}
	if res.err != nil {
		level, message = slog.LevelWarn, "script failed"
		attrs = append(attrs, slog.String("error", res.err.Error()))
	}
	if res.output != "" {
		attrs = append(attrs, slog.String("output", res.output))
	}
	if res.left {
		attrs = append(attrs, slog.Bool("left_a_process", true))
	}
	r.log.LogAttrs(context.Background(), level, message, attrs...)
}

// Stats returns what has become of all jobs.
func (r *Runner) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Queued, s.Running = len(r.waiting), len(r.busy)
	return s
}

// Close takes no more jobs, and waits for those that are queued or run until ctx is done. Then
// it drops what waits, kills what runs, with all processes of the group, and says so. It returns
// a few seconds after ctx at the latest.
func (r *Runner) Close(ctx context.Context) error {
	ended := make(chan struct{})
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	go func() {
		r.workers.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	dropped, killed := r.halt()
	err := fmt.Errorf("script %s: %d jobs never ran, and %d were killed",
		r.config.Path, dropped, killed)
	select {
	case <-ended:
	case <-time.After(killTime + drainTime + time.Second):
		err = fmt.Errorf("%w, but did not end", err)
	}
	return err
}

// halt drops what waits and has killed what runs.
func (r *Runner) halt() (dropped, killed int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	dropped, killed = len(r.waiting), len(r.busy)
	r.stats.Dropped += uint64(dropped)
	r.waiting, r.bytes = nil, 0
	if !r.stopped {
		r.stopped = true
		close(r.stop)
	}
	return dropped, killed
}
