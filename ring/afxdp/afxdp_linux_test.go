package afxdp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"weir/ring"
	"weir/tools/lab"
)

// patience bounds every wait for something that is about to happen.
const patience = 5 * time.Second

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never", what)
		}
	}
}

func wallClock() int64 { return time.Now().UnixNano() }

// openIn opens a Mirror in sut, of mirror0 where c names no other.
func openIn(l *lab.Lab, c Config) (m *Mirror, err error) {
	if c.Interface == "" {
		c.Interface = lab.Sut.Interface(0)
	}
	c.Clock = wallClock
	err = l.Sut().Do(func() (err error) { m, err = Open(c); return err })
	return m, err
}

// rig is a Mirror that runs, with a worker for each of its sources.
type rig struct {
	t      *testing.T
	lab    *lab.Lab
	mirror *Mirror
	paused atomic.Bool // workers take nothing
	ended  atomic.Bool
	taken  atomic.Uint64 // frames that workers had
	mu     sync.Mutex
	told   []string // states, as Run told them
}

func newRig(t *testing.T, l *lab.Lab, c Config) *rig {
	t.Helper()
	m, err := openIn(l, c)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, lab: l, mirror: m}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		err := l.Sut().Do(func() error { m.Run(ctx, r.tell); return nil })
		if err != nil {
			t.Error(err)
		}
	})
	before := runtime.GOMAXPROCS(0) // a source that sleeps keeps its P
	runtime.GOMAXPROCS(max(before, len(m.Sources())+2))
	for _, s := range m.Sources() {
		all.Go(func() { r.work(s) })
	}
	t.Cleanup(func() {
		cancel()
		r.ended.Store(true)
		all.Wait()
		runtime.GOMAXPROCS(before)
		if err := m.Close(); err != nil {
			t.Error("close:", err)
		}
	})
	return r
}

func (r *rig) tell(state, _ string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, state)
}

// countTold returns how often Run told of a state.
func (r *rig) countTold(state string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.told {
		if s == state {
			n++
		}
	}
	return n
}

func (r *rig) work(s *Source) {
	var b ring.Batch
	for !r.ended.Load() {
		if r.paused.Load() {
			time.Sleep(time.Millisecond)
			continue
		}
		n, err := s.Poll(&b)
		if err != nil {
			r.t.Error("poll:", err)
			return
		}
		r.taken.Add(uint64(n))
		s.Release(&b)
	}
}

func (r *rig) state() string { return r.mirror.Status().State }

// account says where frames went.
type account struct {
	before   uint64 // lost by the veth on its way here
	received uint64
	dropped  uint64 // between the driver and Poll, by name
	passed   uint64
	missed   uint64 // unattached
	refused  uint64 // by the socket, as the driver counts: again those that are dropped
}

func (a account) sum() uint64 { return a.before + a.received + a.dropped + a.passed + a.missed }

func (r *rig) account() (a account) {
	r.t.Helper()
	st := r.mirror.Status()
	a.passed = st.Passed
	for i := range st.Queues {
		a.received += st.Queues[i].Received
		for name, n := range st.Queues[i].Dropped {
			if name == DropUnattached {
				a.missed += n
			} else {
				a.dropped += n
			}
		}
	}
	a.before = r.total(lab.Gen, "tx_queue_%d_xdp_xmit_errors")
	a.refused = r.total(lab.Sut, "rx_queue_%d_drops")
	return a
}

// total adds up the counters whose names have the form, with %d for the queue.
func (r *rig) total(side lab.Side, form string) (sum uint64) {
	r.t.Helper()
	all, err := r.lab.Counters(side, 0)
	if err != nil {
		r.t.Fatal(err)
	}
	for name, n := range all {
		var queue int
		if _, err := fmt.Sscanf(name, form, &queue); err == nil &&
			name == fmt.Sprintf(form, queue) {
			sum += n
		}
	}
	return sum
}

// settle waits until all frames sent are accounted for, to the frame.
func (r *rig) settle(sent uint64) account {
	r.t.Helper()
	var a account
	for end := time.Now().Add(patience); a.sum() != sent; time.Sleep(2 * time.Millisecond) {
		if a = r.account(); time.Now().After(end) {
			r.t.Fatalf("of %d frames %d are missing: %+v, %+v", sent, int64(sent-a.sum()), a,
				r.mirror.Status())
		}
	}
	if a.refused != a.dropped {
		r.t.Errorf("sockets dropped %d, the driver saw %d refused", a.dropped, a.refused)
	}
	eventually(r.t, "taken by the workers", func() bool { return r.taken.Load() == a.received })
	return a
}

// generator returns one that sends small packets from all over.
func generator(t *testing.T, l *lab.Lab, cpu int) *lab.Generator {
	t.Helper()
	from, to := netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("10.0.1.1")
	frame := lab.UDPFrame(from, to, 53, 4444, 64)
	g, err := l.Generator(lab.GeneratorConfig{
		Frame: frame, Patches: lab.SourcePatches(frame), CPU: cpu,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	return g
}

// flows returns n frames of as many flows.
func flows(n int) [][]byte {
	from, to := netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("10.0.1.1")
	frames := make([][]byte, n)
	for i := range frames {
		frames[i] = lab.UDPFrame(from, to, uint16(1024+i), 4444, 64)
	}
	return frames
}

func (r *rig) send(g *lab.Generator, n int) uint64 {
	r.t.Helper()
	sent, err := g.Send(n)
	if err != nil || sent != n {
		r.t.Fatalf("sent %d of %d: %v", sent, n, err)
	}
	return uint64(sent)
}

// sendFlows sends frames through the stack, to all queues.
func (r *rig) sendFlows(n int) (sent uint64) {
	r.t.Helper()
	frames := flows(n)
	for end := time.Now().Add(patience); len(frames) > 0; {
		taken, err := r.lab.SendFrames(0, frames)
		frames = frames[taken:]
		sent += uint64(taken)
		full := errors.Is(err, unix.ENOBUFS) && time.Now().Before(end) // veth's ring, for now
		if err != nil && !full {
			r.t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	return sent
}

// TestAccounting sends a million frames as fast as they go, and knows where each is.
func TestAccounting(t *testing.T) {
	frames := 1_000_000
	if testing.Short() {
		frames = 50_000
	}
	for _, queues := range []int{1, 4} {
		t.Run(fmt.Sprintf("%d queues", queues), func(t *testing.T) {
			r := newRig(t, lab.New(t, lab.Options{Queues: queues}), Config{Promiscuous: true})
			cpus := min(queues, 2) // veth's own counters are not for two CPUs at one queue
			begin := time.Now()
			var all sync.WaitGroup
			var sent atomic.Uint64
			for cpu := range cpus {
				g := generator(t, r.lab, cpu)
				all.Go(func() {
					if _, err := g.Send(frames / cpus); err != nil {
						t.Error(err)
					}
					sent.Add(g.Sent())
				})
			}
			all.Wait()
			took := time.Since(begin)
			if sent.Load() != uint64(frames) {
				t.Errorf("sent %d", sent.Load())
			}
			total := sent.Load()
			if queues > 2 {
				total += r.sendFlows(1000)
			}
			a := r.settle(total)
			t.Logf("%.2f million frames per second: %+v", float64(total)/1e6/took.Seconds(), a)
			for _, q := range r.mirror.Status().Queues {
				if q.Received == 0 || q.Mode != ModeCopy {
					t.Errorf("%+v", q)
				}
			}
		})
	}
}

// TestOverflow stops the worker of a small ring.
func TestOverflow(t *testing.T) {
	r := newRig(t, lab.New(t, lab.Options{}), Config{Frames: 64})
	g := generator(t, r.lab, 0)
	r.send(g, 10)
	r.settle(10)
	r.paused.Store(true)
	time.Sleep(20 * time.Millisecond) // longer than a Poll
	const frames = 10_000
	r.send(g, frames)
	eventually(t, "dropped", func() bool { return r.account().dropped == frames-64 })
	r.paused.Store(false)
	a := r.settle(frames + 10)
	t.Logf("%+v, %v", a, r.mirror.Status().Queues[0].Dropped)
	if a.received != 64+10 || a.before != 0 {
		t.Errorf("a ring of 64 frames received %+v", a)
	}
	r.send(g, 50) // it works as before
	if b := r.settle(frames + 60); b.dropped != a.dropped {
		t.Errorf("dropped %d, then %d", a.dropped, b.dropped)
	}
}

// TestModes asks for zero-copy, which veth has not.
func TestModes(t *testing.T) {
	l := lab.New(t, lab.Options{})
	m, err := openIn(l, Config{ZeroCopy: Required})
	if err == nil {
		_ = m.Close()
		t.Fatal("zero-copy on a veth")
	}
	t.Log(err)
	for _, part := range []string{"mirror0", "queue 0", "zero-copy", "does not support"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v: does not say %q", err, part)
		}
	}
	if xdpAttached(t, l) {
		t.Fatal("a program was left behind")
	}
	for zeroCopy, reason := range map[ZeroCopy]string{Prefer: "zero-copy: ", Off: ""} {
		m, err := openIn(l, Config{ZeroCopy: zeroCopy})
		if err != nil {
			t.Fatal(err)
		}
		q := m.Status().Queues[0]
		t.Logf("%+v", q)
		if q.Mode != ModeCopy || !strings.HasPrefix(q.Reason, reason) ||
			(reason == "") != (q.Reason == "") {
			t.Errorf("%d: %+v", zeroCopy, q)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestNoAllocs polls a ring that is full, and then one that is empty.
func TestNoAllocs(t *testing.T) {
	l := lab.New(t, lab.Options{})
	m, err := openIn(l, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	g, s := generator(t, l, 0), m.Sources()[0]
	const runs = 50
	if _, err := g.Send((runs + 2) * ring.BurstSize); err != nil {
		t.Fatal(err)
	}
	var b ring.Batch
	got := 0
	poll := func() {
		n, err := s.Poll(&b)
		if err != nil {
			t.Error(err)
		}
		got += n
		s.Release(&b)
	}
	poll()
	if n := testing.AllocsPerRun(runs, poll); n != 0 {
		t.Errorf("%v allocations per burst", n)
	}
	if got < runs*ring.BurstSize {
		t.Errorf("polled only %d frames", got)
	}
	for got < (runs+2)*ring.BurstSize {
		poll()
	}
	if n := testing.AllocsPerRun(10, poll); n != 0 {
		t.Errorf("%v allocations per empty Poll", n)
	}
}
