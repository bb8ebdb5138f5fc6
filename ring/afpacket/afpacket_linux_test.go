package afpacket

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"

	"weir/ring"
	"weir/ring/nic"
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

// newLab returns a lab whose mirror0 receives in bursts, which a Generator needs.
func newLab(t *testing.T, o lab.Options) *lab.Lab {
	t.Helper()
	l := lab.New(t, o)
	if err := l.SetPolled(0); err != nil {
		t.Fatal(err)
	}
	return l
}

// openIn opens a Mirror in sut, of mirror0 where c names no other.
func openIn(l *lab.Lab, c Config) (m *Mirror, err error) {
	if c.Interface == "" {
		c.Interface = lab.Sut.Interface(0)
	}
	c.Clock = func() int64 { return time.Now().UnixNano() }
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
	dropped  uint64 // between the interface and Poll, by name
	missed   uint64 // unattached
}

func (a account) sum() uint64 { return a.before + a.received + a.dropped + a.missed }

func (r *rig) account() (a account) {
	r.t.Helper()
	st := r.mirror.Status()
	for i := range st.Sockets {
		a.received += st.Sockets[i].Received
		for name, n := range st.Sockets[i].Dropped {
			if name == DropUnattached {
				a.missed += n
			} else {
				a.dropped += n
			}
		}
	}
	all, err := r.lab.Counters(lab.Gen, 0)
	if err != nil { // no link now
		return a
	}
	for name, n := range all {
		var queue int
		if _, err := fmt.Sscanf(name, "tx_queue_%d_xdp_xmit_errors", &queue); err == nil {
			a.before += n
		}
	}
	return a
}

// settle waits until all frames sent are accounted for, to the frame.
func (r *rig) settle(sent uint64) account {
	r.t.Helper()
	var a account
	for end := time.Now().Add(patience); a.sum() != sent; time.Sleep(2 * time.Millisecond) {
		if a = r.account(); time.Now().After(end) {
			all, _ := r.lab.Counters(lab.Sut, 0)
			r.t.Fatalf("of %d frames %d are missing: %+v, %+v, %v", sent, int64(sent-a.sum()), a,
				r.mirror.Status(), all)
		}
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

func (r *rig) send(g *lab.Generator, n int) uint64 {
	r.t.Helper()
	sent, err := g.Send(n)
	if err != nil || sent != n {
		r.t.Fatalf("sent %d of %d: %v", sent, n, err)
	}
	return uint64(sent)
}

// TestAccounting sends a million frames as fast as they go, and knows where each is.
func TestAccounting(t *testing.T) {
	frames := 1_000_000
	if testing.Short() {
		frames = 50_000
	}
	for _, c := range []struct{ queues, workers int }{{1, 1}, {2, 1}, {2, 4}} {
		t.Run(fmt.Sprintf("%d queues, %d workers", c.queues, c.workers), func(t *testing.T) {
			l := newLab(t, lab.Options{Queues: c.queues})
			r := newRig(t, l, Config{Workers: c.workers, Promiscuous: true, Incoming: true})
			begin := time.Now()
			var all sync.WaitGroup
			var sent atomic.Uint64
			for cpu := range c.queues {
				g := generator(t, l, cpu)
				all.Go(func() {
					n, err := g.Send(frames / c.queues)
					if err != nil {
						t.Error(err)
					}
					sent.Add(uint64(n))
				})
			}
			all.Wait()
			took := time.Since(begin)
			if sent.Load() != uint64(frames) {
				t.Errorf("sent %d", sent.Load())
			}
			a := r.settle(sent.Load())
			t.Logf("%.2f million frames per second: %+v", float64(frames)/1e6/took.Seconds(), a)
			for _, s := range r.mirror.Status().Sockets {
				if s.Received < uint64(frames/c.workers/10) {
					t.Errorf("worker %d got %d", s.Worker, s.Received)
				}
			}
		})
	}
}

// TestOverflow stops the worker of a small ring.
func TestOverflow(t *testing.T) {
	l := newLab(t, lab.Options{})
	r := newRig(t, l, Config{Blocks: 2, BlockSize: 4096})
	g := generator(t, l, 0)
	r.send(g, 10)
	r.settle(10)
	r.paused.Store(true)
	time.Sleep(20 * time.Millisecond) // longer than a Poll
	const frames = 10_000
	r.send(g, frames)
	time.Sleep(settleTime)
	r.paused.Store(false)
	a := r.settle(frames + 10)
	t.Logf("%+v", a)
	if a.dropped < frames-200 || a.received < 40 {
		t.Errorf("a ring of 8 KiB received %+v", a)
	}
	time.Sleep(settleTime)
	r.send(g, 10) // it works as before
	if b := r.settle(frames + 20); b.dropped != a.dropped {
		t.Errorf("dropped %d, then %d", a.dropped, b.dropped)
	}
}

// TestFlap takes the link away five times, at either end.
func TestFlap(t *testing.T) {
	flaps := 5
	if testing.Short() {
		flaps = 2
	}
	for _, workers := range []int{1, 2} {
		l := newLab(t, lab.Options{})
		r := newRig(t, l, Config{Workers: workers, Promiscuous: true})
		up := func() bool { return r.state() == StateUp }
		eventually(t, "up", up)
		g := generator(t, l, 0)
		var sent uint64
		for n := range flaps {
			sent += r.send(g, 2000)
			r.settle(sent)
			side := lab.Side(n % 2)
			if err := l.LinkDown(side, 0); err != nil {
				t.Fatal(err)
			}
			eventually(t, "down", func() bool { return r.state() == StateLinkDown })
			time.Sleep(30 * time.Millisecond) // a few times Poll
			if err := l.LinkUp(side, 0); err != nil {
				t.Fatal(err)
			}
			eventually(t, "up", up)
		}
		sent += r.send(g, 2000)
		a := r.settle(sent)
		t.Logf("%+v", a)
		r.mu.Lock()
		if n := len(r.told); n < 2*flaps || n > 2*flaps+2 {
			t.Errorf("told %v", r.told)
		}
		r.mu.Unlock()
	}
}

// TestInterfaceReplaced binds to another interface of the same name.
func TestInterfaceReplaced(t *testing.T) {
	for _, workers := range []int{1, 2} {
		l := newLab(t, lab.Options{})
		r := newRig(t, l, Config{Workers: workers, Promiscuous: true})
		g := generator(t, l, 0)
		r.send(g, 1000)
		r.settle(1000)
		if err := l.Remove(0); err != nil {
			t.Fatal(err)
		}
		eventually(t, "missing", func() bool { return r.state() == StateMissing })
		before := r.account()
		begin := time.Now()
		if err := errors.Join(l.Make(0), l.SetPolled(0)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "received from the new one", func() bool {
			r.send(g, 10)
			time.Sleep(5 * time.Millisecond)
			return r.account().received > before.received
		})
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("received after %v", took)
		}
		time.Sleep(50 * time.Millisecond) // for what was sent last
		after := r.account()
		r.send(g, 1000)
		eventually(t, "every frame again", func() bool {
			return r.account().sum() == after.sum()+1000
		})
		r.mu.Lock()
		if !slices.Contains(r.told, StateMissing) {
			t.Errorf("told %v", r.told)
		}
		r.mu.Unlock()
		if r.state() != StateUp {
			t.Errorf("%+v", r.mirror.Status())
		}
	}
}

// TestBroken breaks a socket under traffic: all are made anew, and counts go on.
func TestBroken(t *testing.T) {
	l := newLab(t, lab.Options{})
	r := newRig(t, l, Config{Workers: 2})
	g := generator(t, l, 0)
	r.send(g, 1000)
	r.settle(1000)
	old := r.mirror.sources[0].want.Load()
	old.fail(errors.New("broken by a test"))
	r.mirror.Wake()
	eventually(t, "made anew", func() bool {
		s := r.mirror.sources[0].want.Load()
		return s != nil && s != old
	})
	r.send(g, 1000)
	r.settle(2000)
}

// TestStuckWorker replaces the interface while a worker does not come back from a burst.
func TestStuckWorker(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for patience to end")
	}
	l := newLab(t, lab.Options{})
	r := newRig(t, l, Config{})
	g := generator(t, l, 0)
	r.send(g, 100)
	r.settle(100)
	r.paused.Store(true)
	time.Sleep(20 * time.Millisecond)
	if err := errors.Join(l.Replace(0), l.SetPolled(0)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "says so", func() bool { return r.state() == StateRefused })
	r.paused.Store(false)
	eventually(t, "up again", func() bool { return r.state() == StateUp })
	r.send(g, 100)
	r.settle(200)
}

// TestClosed counts what nobody took out of the ring.
func TestClosed(t *testing.T) {
	l := newLab(t, lab.Options{})
	m, err := openIn(l, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := generator(t, l, 0).Send(1000); err != nil {
		t.Error(err)
	}
	time.Sleep(settleTime)
	var b ring.Batch
	n, err := m.Sources()[0].Poll(&b)
	if err != nil || n == 0 {
		t.Error(n, err)
	}
	m.Sources()[0].Release(&b)
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	s := m.Status().Sockets[0]
	if s.Received != uint64(n) || s.Dropped[DropClosed] != uint64(1000-n) {
		t.Errorf("%+v", s)
	}
}

// TestVLAN sends a tag, which the kernel takes out of the frame: it still was on the wire.
func TestVLAN(t *testing.T) {
	l := newLab(t, lab.Options{})
	m, err := openIn(l, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	plain := lab.UDPFrame(netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("10.0.1.1"), 53,
		4444, 100)
	tagged := slices.Insert(slices.Clone(plain), 12, 0x81, 0, 0, 7)
	qinq := slices.Insert(slices.Clone(tagged), 12, 0x88, 0xa8, 0, 9)
	frames := [][]byte{plain, tagged, qinq}
	if _, err := l.SendFrames(0, frames); err != nil {
		t.Fatal(err)
	}
	at := 0
	var b ring.Batch
	eventually(t, "all received", func() bool {
		n, err := m.Sources()[0].Poll(&b)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			f := &b.Frames[i]
			t.Logf("%+v, type %x", *f, binary.BigEndian.Uint16(b.Data(i)[12:]))
			if int(f.Wire) != len(frames[at]) {
				t.Errorf("frame of %d bytes: %+v", len(frames[at]), *f)
			}
			at++
		}
		m.Sources()[0].Release(&b)
		return at == len(frames)
	})
}

// TestNoAllocs polls while there are frames, and while there are none.
func TestNoAllocs(t *testing.T) {
	l := newLab(t, lab.Options{})
	m, err := openIn(l, Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	g, s := generator(t, l, 0), m.Sources()[0]
	const frames = 100 * ring.BurstSize
	if _, err := g.Send(frames); err != nil {
		t.Fatal(err)
	}
	time.Sleep(settleTime)
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
	if n := testing.AllocsPerRun(50, poll); n != 0 {
		t.Errorf("%v allocations per burst", n)
	}
	if got < 20*ring.BurstSize {
		t.Errorf("polled only %d frames", got)
	}
	eventually(t, "all polled", func() bool { poll(); return got == frames })
	if n := testing.AllocsPerRun(10, poll); n != 0 {
		t.Errorf("%v allocations per empty Poll", n)
	}
}

// TestOpenClose leaves nothing behind: no file, no goroutine, no promiscuous mode.
func TestOpenClose(t *testing.T) {
	l := lab.New(t, lab.Options{})
	times := 20
	if testing.Short() {
		times = 3
	}
	openFiles := func() int {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	files := 0
	goroutines := goleak.IgnoreCurrent()
	for n := range times {
		m, err := openIn(l, Config{Workers: 2, Promiscuous: true, Blocks: 8})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t, goroutines)
		if n == 0 {
			files = openFiles()
		}
	}
	eventually(t, "as many open files as before", func() bool { return openFiles() <= files })
	err := l.Sut().Do(func() error {
		i, err := netlink.LinkByName("mirror0")
		if err == nil && i.Attrs().Promisc != 0 {
			t.Errorf("promiscuous %d times", i.Attrs().Promisc)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestOpen_Failure(t *testing.T) {
	l := lab.New(t, lab.Options{})
	if m, err := openIn(l, Config{Interface: "nosuch0"}); !errors.Is(err, nic.ErrMissing) {
		if err == nil {
			_ = m.Close()
		}
		t.Error(err)
	}
	for _, c := range []Config{{Blocks: 1}, {BlockSize: 5000}, {Blocks: 1 << 20}} {
		if m, err := openIn(l, c); err == nil {
			_ = m.Close()
			t.Errorf("%+v: no error", c)
		}
	}
}
