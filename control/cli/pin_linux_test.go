package cli

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/control"
	"weir/control/ban"
	"weir/control/capture"
	"weir/control/detect"
	"weir/control/rate"
	"weir/decode"
	"weir/fastpath"
	"weir/ring/afxdp"
	"weir/tools/lab"
)

// workersCore returns a core that a worker can have while others are left.
func workersCore(t testing.TB) int {
	t.Helper()
	allowed := fastpath.AllowedCores()
	if len(allowed) < 2 {
		t.Skipf("pinning takes two cores, allowed are %v", allowed)
	}
	return allowed[1]
}

// affinities returns the allowed cores of each of the daemon's threads.
func (r *rig) affinities() map[string][]int {
	r.t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", r.cmd.Process.Pid))
	if err != nil || len(files) == 0 {
		r.t.Fatal(files, err)
	}
	all := map[string][]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		for line := range strings.Lines(string(text)) {
			if list, ok := strings.CutPrefix(line, "Cpus_allowed_list:"); ok {
				all[filepath.Base(filepath.Dir(file))] = coreList(r.t, strings.TrimSpace(list))
			}
		}
	}
	return all
}

// coreList reads the kernel's list of cores: 0,2-5.
func coreList(t testing.TB, list string) (cores []int) {
	t.Helper()
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.Atoi(first)
		if err != nil {
			t.Fatal(list, err)
		}
		to, err := strconv.Atoi(last)
		if err != nil {
			t.Fatal(list, err)
		}
		for c := from; c <= to; c++ {
			cores = append(cores, c)
		}
	}
	return cores
}

// TestLabPinned runs weir with a core that the file names: one thread, the worker's, has it, and
// all others keep off it, those too that are started under load; and an attack is found.
func TestLabPinned(t *testing.T) {
	core := workersCore(t)
	for _, capture := range []string{
		fmt.Sprintf("afxdp: [{interface: mirror0, cores: [%d]}]", core),
		fmt.Sprintf("afpacket: [{interface: mirror0, cores: [%d]}]", core),
	} {
		engine, _, _ := strings.Cut(capture, ":")
		t.Run(engine, func(t *testing.T) {
			r := newRig(t, lab.New(t, lab.Options{Queues: 2}), capture)
			r.pinned(core)
			worker := r.threadOn(core)
			before := r.threadTime(worker)
			r.background(1000)
			delay := r.floodOnce("10.0.1.1", 0, 50_000)
			r.pinned(core)
			if now := r.threadOn(core); now != worker {
				t.Errorf("thread %s has the core, then %s", worker, now)
			}
			used := r.threadTime(worker) - before
			t.Logf("found after %v; thread %s, of %d, used %v", delay.Round(time.Millisecond),
				worker, len(r.affinities()), used)
			if used == 0 {
				t.Error("the pinned thread did nothing: it is no worker's")
			}
			c, err := r.client.Cores(t.Context())
			if err != nil || len(c.Cores) != 1 || c.Cores[0].Core != core {
				t.Errorf("weir says %+v, %v", c, err)
			}
		})
	}
}

// pinned fails the test unless one thread has nothing but core, and no other has it.
func (r *rig) pinned(core int) {
	r.t.Helper()
	r.eventually("pinned", func() bool { return r.threadOn(core) != "" })
	all := r.affinities()
	workers := 0
	for thread, cores := range all {
		switch {
		case slices.Equal(cores, []int{core}):
			workers++
		case slices.Contains(cores, core):
			r.t.Errorf("thread %s may run on the worker's core: %v", thread, cores)
		}
	}
	if workers != 1 {
		r.t.Errorf("%d threads on core %d: %v", workers, core, all)
	}
}

// threadOn returns the thread that has nothing but core, or "".
func (r *rig) threadOn(core int) string {
	r.t.Helper()
	for thread, cores := range r.affinities() {
		if slices.Equal(cores, []int{core}) {
			return thread
		}
	}
	return ""
}

// threadTime returns how long a thread of the daemon has run.
func (r *rig) threadTime(thread string) time.Duration {
	r.t.Helper()
	file := fmt.Sprintf("/proc/%d/task/%s/schedstat", r.cmd.Process.Pid, thread)
	text, err := os.ReadFile(file)
	if err != nil {
		r.t.Fatal(err)
	}
	var ns int64
	if _, err := fmt.Sscan(string(text), &ns); err != nil {
		r.t.Fatalf("%v in %q", err, text)
	}
	return time.Duration(ns)
}

// quiet hears events, and does nothing.
type quiet struct{ started chan time.Duration }

func (q quiet) Event(e *ban.Event, _ *capture.Evidence) {
	if e.Kind == ban.Started {
		q.started <- time.Duration(e.Incident.Detected - e.Incident.Begin)
	}
}

// TestLabSpin runs an engine whose worker has a core of its own and polls without sleeping, which
// weir itself does only where two more cores are left: it takes every frame, hands its table over
// at every flip in time, and lets an attack be found.
func TestLabSpin(t *testing.T) {
	core := workersCore(t)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3)) // as the daemon does for one worker
	l := lab.New(t, lab.Options{})
	start := time.Now()
	clock := func() int64 { return start.UnixNano() + int64(time.Since(start)) }
	var m *afxdp.Mirror
	err := l.Sut().Do(func() (err error) {
		m, err = afxdp.Open(afxdp.Config{
			Interface: "mirror0", Spin: time.Millisecond, Clock: clock,
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	policy := detect.Policy{
		Groups:   []detect.Hostgroup{{Name: detect.Global}},
		Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/16")},
	}
	limits := &policy.Groups[0].Thresholds[rate.Incoming]
	limits.Set[rate.PPS], limits.Value[rate.PPS] = true, 5000
	events := quiet{make(chan time.Duration, 10)}
	source := m.Sources()[0]
	live, err := control.NewLive(control.Config{
		Policy: policy, Decoder: &decode.Decoder{}, Memory: 64 << 20, Seed: 1,
		Ban:    ban.Config{Time: time.Minute, Quiet: time.Second, DryRun: true},
		Inputs: []control.Input{{Source: source, View: "mirror", Wake: source.Wake, Core: core}},
	}, clock, events)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- live.Run(ctx) }()
	sent := spinFlood(t, l, events)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	p, st := live.Picture(), m.Status().Queues[0]
	t.Logf("sent %d, processed %d, dropped %v, late flips %d", sent, p.Pipeline.Processed,
		st.Dropped, p.Late)
	if p.Pipeline.Processed != sent || p.Late != 0 {
		t.Errorf("sent %d: %+v, %d late flips", sent, st, p.Late)
	}
	if err := live.Close(); err != nil {
		t.Error(err)
	}
}

// spinFlood sends an attack for three seconds, which must be found, and returns how many frames
// that were.
func spinFlood(t *testing.T, l *lab.Lab, events quiet) uint64 {
	t.Helper()
	frame := lab.UDPFrame(netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("10.0.1.1"), 53,
		4444, 90)
	g, err := l.Generator(lab.GeneratorConfig{Frame: frame, Patches: lab.SourcePatches(frame)})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if err := g.Run(ctx, 20_000, nil); err != nil {
		t.Fatal(err)
	}
	select {
	case delay := <-events.started:
		t.Logf("found after %v", delay.Round(time.Millisecond))
	default:
		t.Error("the attack was not found")
	}
	time.Sleep(100 * time.Millisecond)
	return g.Sent()
}
