package afxdp

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"weir/ring"

	"weir/tools/lab"
)

// TestFlap takes the link away five times, at either end.
func TestFlap(t *testing.T) {
	r := newRig(t, lab.New(t, lab.Options{Queues: 2}), Config{Promiscuous: true})
	up := func() bool { return r.state() == StateUp }
	eventually(t, "up", up)
	g := generator(t, r.lab, 0)
	var sent uint64
	flaps := 5
	if testing.Short() {
		flaps = 2
	}
	for n := range flaps {
		sent += r.send(g, 2000)
		r.settle(sent)
		side := lab.Side(n % 2)
		if err := r.lab.LinkDown(side, 0); err != nil {
			t.Fatal(err)
		}
		eventually(t, "down", func() bool { return r.state() == StateLinkDown })
		if err := r.lab.LinkUp(side, 0); err != nil {
			t.Fatal(err)
		}
		eventually(t, "up", up)
	}
	sent += r.send(g, 2000)
	a := r.settle(sent)
	t.Logf("%+v", a)
	if r.countTold(StateLinkDown) != flaps || r.countTold(StateUp) < flaps {
		t.Errorf("told %v", r.told)
	}
}

// TestFlapUnderTraffic loses what is sent while the link is down, and nothing else.
func TestFlapUnderTraffic(t *testing.T) {
	if testing.Short() {
		t.Skip("TestFlap is the shorter one")
	}
	r := newRig(t, lab.New(t, lab.Options{}), Config{})
	eventually(t, "up", func() bool { return r.state() == StateUp })
	g := generator(t, r.lab, 0)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx, 20_000, nil) }()
	var down uint64 // sent while the link was going down, was, or was coming up
	for range 3 {
		time.Sleep(100 * time.Millisecond)
		before := g.Sent()
		if err := r.lab.LinkDown(lab.Sut, 0); err != nil {
			t.Fatal(err)
		}
		eventually(t, "down", func() bool { return r.state() == StateLinkDown })
		if err := r.lab.LinkUp(lab.Sut, 0); err != nil {
			t.Fatal(err)
		}
		eventually(t, "up", func() bool { return r.state() == StateUp })
		down += g.Sent() - before
	}
	time.Sleep(100 * time.Millisecond)
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	// Besides, up to 256 frames may have waited in veth's ring each time that it went down.
	const waiting = 3 * 256
	eventually(t, "all but the lost", func() bool {
		return r.account().sum()+down+waiting >= g.Sent()
	})
	a := r.account()
	t.Logf("sent %d, of which %d while down: %+v", g.Sent(), down, a)
	if a.sum() > g.Sent() {
		t.Errorf("more frames than were sent: %+v", a)
	}
}

// TestInterfaceReplaced attaches to another interface of the same name.
func TestInterfaceReplaced(t *testing.T) {
	r := newRig(t, lab.New(t, lab.Options{Queues: 2}), Config{Promiscuous: true})
	g := generator(t, r.lab, 0)
	r.send(g, 1000)
	r.settle(1000)
	times := 3
	if testing.Short() {
		times = 1
	}
	for n := range times {
		before := r.account()
		begin := time.Now()
		if n == 0 {
			if err := r.lab.Remove(0); err != nil {
				t.Fatal(err)
			}
			eventually(t, "missing", func() bool { return r.state() == StateMissing })
			if st := r.mirror.Status(); st.Reason == "" || st.Queues[0].Mode != "" {
				t.Errorf("%+v", st)
			}
			begin = time.Now()
			if err := r.lab.Make(0); err != nil {
				t.Fatal(err)
			}
		} else if err := r.lab.Replace(0); err != nil {
			t.Fatal(err)
		}
		eventually(t, "received from the new one", func() bool {
			r.send(g, 10)
			time.Sleep(5 * time.Millisecond)
			return r.account().received > before.received
		})
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("attached after %v", took)
		} else {
			t.Logf("received again after %v", took)
		}
		time.Sleep(50 * time.Millisecond) // for what was sent last
		after := r.account()
		r.send(g, 1000)
		eventually(t, "every frame again", func() bool {
			return r.account().sum() == after.sum()+1000
		})
		if st := r.mirror.Status(); st.State != StateUp || len(st.Queues) != 2 {
			t.Errorf("%+v", st)
		}
	}
	if r.countTold(StateMissing) < 1 {
		t.Errorf("told %v", r.told)
	}
}

// TestStuckWorker replaces the interface while a worker does not come back from a burst.
func TestStuckWorker(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for patience to end")
	}
	r := newRig(t, lab.New(t, lab.Options{Queues: 2}), Config{})
	g := generator(t, r.lab, 0)
	r.send(g, 100)
	r.settle(100)
	r.paused.Store(true)
	time.Sleep(20 * time.Millisecond)
	if err := r.lab.Replace(0); err != nil {
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
	l := lab.New(t, lab.Options{})
	m, err := openIn(l, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := generator(t, l, 0).Send(1000); err != nil {
		t.Error(err)
	}
	time.Sleep(50 * time.Millisecond)
	var b ring.Batch
	n, err := m.Sources()[0].Poll(&b)
	if err != nil || n == 0 {
		t.Error(n, err)
	}
	m.Sources()[0].Release(&b)
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	q := m.Status().Queues[0]
	if q.Received != uint64(n) || q.Dropped[DropClosed] != uint64(1000-n) {
		t.Errorf("%+v", q)
	}
}

// held returns how many queues the Mirror holds.
func (r *rig) held() (n int) {
	for _, q := range r.mirror.Status().Queues {
		if q.Mode != "" {
			n++
		}
	}
	return n
}

// traffic sends from so many CPUs until the function that it returns is called, which tells how
// many frames that were.
func (r *rig) traffic(cpus int, pps float64) (stop func() uint64) {
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan error, cpus)
	var generators []*lab.Generator
	for cpu := range cpus {
		generators = append(generators, generator(r.t, r.lab, cpu))
	}
	for _, g := range generators {
		go func() { ended <- g.Run(ctx, pps, nil) }()
	}
	return func() (sent uint64) {
		cancel()
		for range generators {
			if err := <-ended; err != nil {
				r.t.Error(err)
			}
		}
		for _, g := range generators {
			sent += g.Sent()
		}
		return sent
	}
}

func (r *rig) setQueues(n int) {
	r.t.Helper()
	if err := r.lab.SetQueues(0, n); err != nil {
		r.t.Fatal(err)
	}
}

// TestQueuesChange holds two queues of four, while others go and come under traffic. Each frame is
// received, passed to the host, or lost by name.
func TestQueuesChange(t *testing.T) {
	r := newRig(t, lab.New(t, lab.Options{Queues: 4}), Config{Queues: []int{0, 1}})
	stop := r.traffic(2, 20_000)
	var sent uint64
	for _, queues := range []int{4, 2, 4, 2, 4} {
		r.setQueues(queues)
		sent += r.sendFlows(400)
		time.Sleep(100 * time.Millisecond)
	}
	sent += stop()
	a := r.settle(sent)
	t.Logf("sent %d: %+v", sent, a)
	if st := r.mirror.Status(); st.State != StateUp || st.Reason != "" || r.held() != 2 {
		t.Errorf("%+v", st)
	}
}

// TestQueuesCome holds all queues: those that come are opened, and none can be taken away, since
// the kernel refuses as long as a socket is bound to it.
func TestQueuesCome(t *testing.T) {
	for _, workers := range []int{3, 0} {
		if testing.Short() && workers == 0 {
			continue
		}
		l := lab.New(t, lab.Options{Queues: 4})
		if err := l.SetQueues(0, 1); err != nil {
			t.Fatal(err)
		}
		r := newRig(t, l, Config{Workers: workers})
		stop := r.traffic(1, 20_000) // to queue 0
		var sent uint64
		for _, queues := range []int{2, 4} {
			r.setQueues(queues)
			eventually(t, "all queues held", func() bool { return r.held() == queues })
			sent += r.sendFlows(400)
		}
		if err := l.SetQueues(0, 2); !errors.Is(err, unix.EINVAL) {
			t.Error("took queues away:", err)
		}
		sent += stop()
		a := r.settle(sent)
		t.Logf("sent %d: %+v", sent, a)
		st := r.mirror.Status()
		if st.State != StateUp || st.Reason != "" || r.held() != 4 || a.passed > 0 {
			t.Errorf("%+v", st)
		}
		for _, q := range st.Queues {
			if q.Received < 20 {
				t.Errorf("queue %d received %d", q.Queue, q.Received)
			}
		}
	}
}

// TestBroken breaks sockets under traffic: they are made anew, and no frame is lost without name.
func TestBroken(t *testing.T) {
	r := newRig(t, lab.New(t, lab.Options{Queues: 2}), Config{})
	stop := r.traffic(2, 20_000)
	for n := range 4 {
		r.mirror.mu.Lock()
		s := r.mirror.att.sockets[n%2]
		r.mirror.mu.Unlock()
		s.fail(errors.New("broken by a test"))
		r.mirror.Wake()
		eventually(t, "made anew", func() bool {
			r.mirror.mu.Lock()
			defer r.mirror.mu.Unlock()
			now := r.mirror.att.sockets[n%2]
			return now != nil && now != s
		})
		time.Sleep(20 * time.Millisecond)
	}
	sent := stop()
	a := r.account()
	for end := time.Now().Add(patience); a.sum() != sent && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
		a = r.account()
	}
	t.Logf("sent %d: %+v", sent, a)
	if a.sum() != sent || a.received < sent/2 || r.held() != 2 {
		t.Errorf("sent %d: %+v, %+v", sent, a, r.mirror.Status())
	}
}

// TestAwayAndBack moves the interface to another namespace and back, faster than anybody looks, and
// under the same index: the sockets have lost it, and are made anew.
func TestAwayAndBack(t *testing.T) {
	l := lab.New(t, lab.Options{})
	move := func(from, to lab.Namespace) {
		t.Helper()
		err := from.Do(func() error {
			i, err := netlink.LinkByName(lab.Sut.Interface(0))
			if err != nil {
				return err
			}
			target, err := netns.GetFromName(to.Name)
			if err != nil {
				return err
			}
			defer target.Close()
			return netlink.LinkSetNsFd(i, int(target))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	away := func() {
		t.Helper()
		move(l.Sut(), l.Gen())
		move(l.Gen(), l.Sut())
		if err := l.LinkUp(lab.Sut, 0); err != nil {
			t.Fatal(err)
		}
	}
	away() // from now on with an index that is free on either side
	m, err := openIn(l, Config{Interface: lab.Sut.Interface(0), Clock: wallClock})
	if err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	var worker sync.WaitGroup
	worker.Go(func() {
		var b ring.Batch
		for s := m.Sources()[0]; !stop.Load(); s.Release(&b) {
			_, _ = s.Poll(&b) // an AF_XDP source has no errors
		}
	})
	defer func() {
		stop.Store(true)
		worker.Wait()
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	before := m.att.index
	away() // nobody looks meanwhile
	if !m.att.cutOff() {
		t.Fatal("the socket has kept its interface: nothing is tested")
	}
	err = l.Sut().Do(func() error { m.follow(); return nil })
	if err != nil {
		t.Fatal(err)
	}
	if m.att == nil || m.att.index != before || m.att.cutOff() {
		t.Fatalf("not made anew: %+v", m.Status())
	}
	if _, err := generator(t, l, 0).Send(10); err != nil {
		t.Fatal(err)
	}
	eventually(t, "receives again", func() bool { return m.Sources()[0].Stats().Received > 0 })
}
