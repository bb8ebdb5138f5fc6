package control

import (
	"testing"
	"time"

	"weir/control/ban"
)

// reader holds what somebody holds who looks at the hosts, until it is let go.
type reader struct{ reading, release, left chan struct{} }

func startReader(t *testing.T, e *Engine, now int64) *reader {
	r := &reader{make(chan struct{}), make(chan struct{}), make(chan struct{})}
	go e.Hosts(now, func(h *Hosts) {
		defer close(r.left)
		at, n := h.Time, len(h.All)
		close(r.reading)
		<-r.release
		if h.Time != at || len(h.All) != n {
			t.Errorf("hosts of %d changed to those of %d while they were read", at, h.Time)
		}
	})
	<-r.reading
	return r
}

func (r *reader) end() {
	close(r.release)
	<-r.left
}

// TestReadersHoldNothingUp lets seconds pass while every lock of those who look is held, as by
// readers that do not come to an end: the loop waits for none of them.
func TestReadersHoldNothingUp(t *testing.T) {
	c := newCrowd(t, "10.0.0.0/24")
	c.Hosts(c.now, func(*Hosts) {})
	c.fill(200, 3)
	c.second()
	hosts := startReader(t, c.Engine, c.now)
	before := c.Picture()
	page := &c.board.pages[c.board.latest.Load()]
	page.mu.RLock()
	c.board.asking.Lock()

	c.pass(t, 3, 200)
	if p := c.Picture(); p.Time <= before.Time || p.Active != 200 {
		t.Errorf("no picture was shown after %d: %+v", before.Time, p)
	}
	page.mu.RUnlock()
	hosts.end()
	c.pass(t, 1, 100)
	c.board.asking.Unlock()
	p := c.Picture()
	if p.Time != c.now || p.Active != 100 || len(p.History) != 5 {
		t.Errorf("after the readers: %d, want %d, %+v", p.Time, c.now, p)
	}
	c.Hosts(c.now, func(h *Hosts) {
		if h.Time != c.now || len(h.All) != 100 {
			t.Errorf("hosts of %d, %d of them", h.Time, len(h.All))
		}
	})
}

// pass lets seconds pass in which so many hosts have packets.
func (c *crowd) pass(t *testing.T, seconds int, hosts uint32) {
	t.Helper()
	passed := make(chan struct{})
	go func() {
		defer close(passed)
		for range seconds {
			c.fill(hosts, 3)
			c.second()
		}
	}()
	select {
	case <-passed:
	case <-time.After(10 * time.Second):
		t.Fatal("the loop waits for a reader")
	}
}

// TestReadersDelayNoVerdict looks at the hosts for so long that an attack begins and is found, and
// whole seconds pass, meanwhile: the loop turns as it does without.
func TestReadersDelayNoVerdict(t *testing.T) {
	events := &heard{}
	l, stop := startLive(t, livePolicy(5000, "10.0.0.0/24"), events, newPump(20_000, "10.0.0.1"))
	hosts := startReader(t, l.Engine, l.clock())
	until := func(what string, is func() bool) {
		t.Helper()
		for end := time.Now().Add(5 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("never", what)
			}
		}
	}
	started := l.Beat()
	until("a turn", func() bool { return l.Beat() > started })
	var longest time.Duration
	turns := func() {
		longest = max(longest, time.Duration(l.clock()-l.Beat()))
	}
	until("an attack", func() bool { turns(); return events.count(ban.Started) == 1 })
	until("two seconds", func() bool {
		turns()
		return len(l.Picture().History) >= 2
	})
	hosts.end()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	t.Logf("longest time without a turn: %v", longest)
	if longest > time.Second {
		t.Errorf("the loop did not turn for %v", longest)
	}
}
