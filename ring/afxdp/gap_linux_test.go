package afxdp

import (
	"errors"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"weir/tools/lab"
)

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

// index returns that of the interface that the Mirror is attached to, and has reckoned what it
// missed of; 0 while there is none.
func (r *rig) index() int {
	r.mirror.mu.Lock()
	defer r.mirror.mu.Unlock()
	if r.mirror.att == nil || r.mirror.gap.Open() {
		return 0
	}
	return r.mirror.att.index
}

// ends stops the stream: every frame that it sent was received, or is lost by name, and so many of
// them while we were not attached.
func (r *rig) ends(s *lab.Stream, least uint64) {
	r.t.Helper()
	sent, err := s.Stop()
	if err != nil {
		r.t.Fatal(err)
	}
	a := r.settle(sent)
	r.t.Logf("sent %d: %+v", sent, a)
	if a.missed < least {
		r.t.Errorf("%d came while not attached", a.missed)
	}
}

// TestUnattached removes the interface and makes it again under traffic, which is there before we
// are.
func TestUnattached(t *testing.T) {
	for _, queues := range []int{1, 2} {
		l := lab.New(t, lab.Options{Queues: queues})
		r := newRig(t, l, Config{Promiscuous: true})
		s := l.Stream(0, flows(40))
		for n := range 3 {
			change := func() error { return l.Replace(0) }
			if n == 0 {
				if err := s.Quietly(func() error { return l.Remove(0) }); err != nil {
					t.Fatal(err)
				}
				eventually(t, "missing", func() bool { return r.state() == StateMissing })
				change = func() error { return l.Make(0) }
			}
			before := r.index()
			r.late(func() error { return s.Quietly(change) })
			eventually(t, "attached to the new one", func() bool {
				now := r.index()
				return now != 0 && now != before
			})
			taken := r.taken.Load()
			eventually(t, "received from it", func() bool { return r.taken.Load() > taken })
			time.Sleep(100 * time.Millisecond)
		}
		r.ends(s, 100)
	}
}

// TestUnattachedQueues lets queues come, which a veth does not run our program on until we look.
func TestUnattachedQueues(t *testing.T) {
	l := lab.New(t, lab.Options{Queues: 4})
	if err := l.SetQueues(0, 1); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, l, Config{})
	s := l.Stream(0, flows(40))
	time.Sleep(50 * time.Millisecond)
	look := func() error {
		r.mirror.Wake()
		time.Sleep(50 * time.Millisecond)
		return nil
	}
	for _, queues := range []int{2, 4} {
		// Looks happen between bursts, so that the count of none of them is in doubt.
		if err := s.Quietly(look); err != nil {
			t.Fatal(err)
		}
		r.late(func() error { return l.SetQueues(0, queues) })
		r.mirror.Wake()
		eventually(t, "all queues held", func() bool { return r.held() == queues })
		time.Sleep(50 * time.Millisecond)
	}
	r.ends(s, 20)
}

// TestUnattachedHistory takes on an interface that has counted elsewhere: nothing of that is ours.
func TestUnattachedHistory(t *testing.T) {
	l := lab.New(t, lab.Options{Links: 2})
	r := newRig(t, l, Config{})
	send := func(link, n int) {
		t.Helper()
		if _, err := l.SendFrames(link, flows(n)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	send(0, 10)
	r.settle(10)
	send(1, 100)
	if err := l.Remove(0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "missing", func() bool { return r.state() == StateMissing })
	err := l.Sut().Do(func() error {
		i, err := netlink.LinkByName("mirror1")
		if err != nil {
			return err
		}
		return errors.Join(netlink.LinkSetDown(i), netlink.LinkSetName(i, "mirror0"),
			netlink.LinkSetUp(i))
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "up", func() bool { return r.state() == StateUp })
	send(1, 10)
	eventually(t, "received", func() bool { return r.taken.Load() == 20 })
	if st := r.mirror.Status(); st.Queues[0].Dropped[DropUnattached] != 0 {
		t.Errorf("%+v", st)
	}
}
