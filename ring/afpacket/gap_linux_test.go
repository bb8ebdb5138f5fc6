package afpacket

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"weir/tools/lab"
)

func burstOf(n int) (frames [][]byte) {
	from, to := netip.MustParseAddr("198.18.0.1"), netip.MustParseAddr("10.0.1.1")
	for port := range n {
		frames = append(frames, lab.UDPFrame(from, to, uint16(port), 4444, 64))
	}
	return frames
}

// TestUnattached removes the interface and makes it again under traffic, which is there before our
// sockets are: every frame that was sent is received, or is lost by name.
func TestUnattached(t *testing.T) {
	for _, workers := range []int{1, 2} {
		l := lab.New(t, lab.Options{})
		r := newRig(t, l, Config{Workers: workers, Promiscuous: true, Incoming: true})
		s := l.Stream(0, burstOf(40))
		change := func() error { return l.Make(0) }
		for n := range 3 {
			if n == 0 {
				if err := s.Quietly(func() error { return l.Remove(0) }); err != nil {
					t.Fatal(err)
				}
				eventually(t, "missing", func() bool { return r.state() == StateMissing })
			}
			before := r.taken.Load()
			r.late(func() error { return s.Quietly(change) })
			eventually(t, "received", func() bool { return r.taken.Load() > before })
			time.Sleep(100 * time.Millisecond)
			change = func() error { return l.Replace(0) }
		}
		sent, err := s.Stop()
		if err != nil {
			t.Fatal(err)
		}
		a := r.settle(sent)
		t.Logf("sent %d: %+v", sent, a)
		if a.missed < 100 {
			t.Errorf("%d came while not attached", a.missed)
		}
	}
}

// TestUnattachedBroken breaks a socket under traffic: what comes until there is another has its
// name too.
func TestUnattachedBroken(t *testing.T) {
	l := lab.New(t, lab.Options{})
	r := newRig(t, l, Config{Incoming: true})
	s := l.Stream(0, burstOf(40))
	for range 3 {
		time.Sleep(50 * time.Millisecond)
		old := r.mirror.sources[0].want.Load()
		old.fail(errors.New("broken by a test"))
		r.mirror.Wake()
		eventually(t, "made anew", func() bool {
			now := r.mirror.sources[0].want.Load()
			return now != nil && now != old
		})
	}
	sent, err := s.Stop()
	if err != nil {
		t.Fatal(err)
	}
	a := r.settle(sent)
	t.Logf("sent %d: %+v", sent, a)
	if a.missed == 0 {
		t.Error("none came while there was no socket")
	}
}

// late calls change, with a Mirror that does not look before there was traffic for a while.
func (r *rig) late(change func() error) {
	r.t.Helper()
	r.mirror.mu.Lock()
	err := change()
	time.Sleep(30 * time.Millisecond)
	r.mirror.mu.Unlock()
	if err != nil {
		r.t.Fatal(err)
	}
}
