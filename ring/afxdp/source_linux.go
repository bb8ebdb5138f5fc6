package afxdp

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"weir/ring"
	"weir/ring/wait"
	"weir/ring/xsk"
)

// Source is what one worker receives from: the queues that are its own, in turn. Their sockets
// come and go under a Mirror; without any it lends nothing.
//
// Concurrency: one goroutine calls Poll and Release. All else may be called from any.
type Source struct {
	want atomic.Pointer[held] // written by the Mirror
	seen atomic.Pointer[held] // what Poll uses: sockets of older ones may be released

	current *held
	turn    int        // index of the socket to look at next
	lent    *xsk.Queue // whose frames are lent
	now     int64      // the clock at the last Poll
	busy    int64      // the clock when there was a frame last
	polls   []unix.PollFd
	polled  bool // some socket is busy-polled, or may come to be
	probing bool // some socket's probe has not ended

	mirror *Mirror
	number int
	spin   int64
	pause  time.Duration
	clock  func() int64
	event  int // eventfd that ends a sleep
}

var _ ring.Source = (*Source)(nil)

// pauseOf returns how long a source of queues with so many frames pauses: until an eighth of them
// is full with the smallest packets of 10 GbE.
func pauseOf(frames int) time.Duration {
	const perPacket = 67.2 // nanoseconds
	return min(wait.MostPause, time.Duration(float64(frames)/8*perPacket))
}

// held are the sockets of a source at one time. It is immutable.
type held struct{ sockets []*socket }

func newSource(m *Mirror, number int) (*Source, error) {
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	s := &Source{
		mirror: m, number: number, spin: int64(m.config.Spin), clock: m.config.Clock,
		event: event, current: &held{}, pause: pauseOf(m.config.Frames),
	}
	s.want.Store(s.current)
	s.adopt(s.current)
	return s, nil
}

// Poll implements ring.Source. A queue whose rings contradict themselves is left out from then
// on, until the Mirror has made its socket anew.
func (s *Source) Poll(b *ring.Batch) (int, error) {
	if w := s.want.Load(); w != s.current {
		s.adopt(w)
	}
	if s.probing {
		s.step()
	}
	if n := s.look(b); n > 0 {
		return n, nil
	}
	if s.polled {
		for _, q := range s.current.sockets {
			q.drive()
		}
		if n := s.look(b); n > 0 {
			return n, nil
		}
	}
	looked := s.now // or a little later: what the look itself was held up by is to be seen
	s.now = max(s.now, s.clock())
	if s.now-s.busy >= s.spin {
		s.sleep() // what woke us is for the next call: this one's time was no work
		s.now = max(s.now, s.clock())
		looked = s.now
	}
	b.N, b.Fill, b.Now = 0, 0, looked
	return 0, nil
}

// step brings the probes of busy polling forward.
func (s *Source) step() {
	s.probing, s.polled = false, false
	for _, q := range s.current.sockets {
		if q.polling.open {
			q.step(s.now)
		}
		s.probing = s.probing || q.polling.open
		s.polled = s.polled || q.polling.open || q.polling.busy
	}
}

// look takes a burst from the first socket, in turn, that has frames.
func (s *Source) look(b *ring.Batch) int {
	sockets := s.current.sockets
	for range sockets {
		if s.turn++; s.turn >= len(sockets) {
			s.turn = 0
		}
		q := sockets[s.turn]
		if q.broken.Load() != nil {
			continue
		}
		n, err := q.Queue.Poll(b)
		if err != nil {
			q.fail(err)
			s.mirror.Wake()
			continue
		}
		if n > 0 {
			s.lent = q.Queue
			s.now = max(s.now, b.Now)
			b.Now, s.busy = s.now, s.now
			return n
		}
	}
	return 0
}

// Release implements ring.Source.
func (s *Source) Release(b *ring.Batch) {
	if s.lent != nil {
		s.lent.Release(b)
		s.lent = nil
	}
}

// sleep waits for a frame, a Wake, or a little while. Soon after a frame it pauses instead: more
// come together then, and few sleeps are needed for many of them.
func (s *Source) sleep() {
	if s.spin == 0 && !s.polled && s.now-s.busy < int64(wait.Soon) {
		if wait.Nap(s.polls[:1], s.pause) > 0 {
			s.awake()
		}
		return
	}
	if wait.Nap(s.polls, wait.Most) == 0 {
		return
	}
	if s.polls[0].Revents != 0 {
		s.awake()
	}
	for i := range s.polls[1:] {
		const gone = unix.POLLERR | unix.POLLHUP | unix.POLLNVAL
		if s.polls[1+i].Revents&gone != 0 { // an interface that is down: poll returns at once
			time.Sleep(time.Millisecond)
			return
		}
	}
}

// awake makes the next sleep wait for the next Wake.
func (s *Source) awake() {
	var counter [8]byte
	_, _ = unix.Read(s.event, counter[:])
}

// Wake ends a sleep in Poll.
func (s *Source) Wake() {
	one := [8]byte{0: 1}
	_, _ = unix.Write(s.event, one[:]) // full: it is awake already
}

// adopt moves to other sockets; those left are not touched from here on.
func (s *Source) adopt(w *held) {
	s.current, s.turn = w, 0
	s.probing = true // step finds out
	s.polls = append(s.polls[:0], unix.PollFd{Fd: int32(s.event), Events: unix.POLLIN})
	for _, q := range w.sockets {
		s.polls = append(s.polls, unix.PollFd{Fd: int32(q.fd), Events: unix.POLLIN})
	}
	s.seen.Store(w)
}

// Stats implements ring.Source.
func (s *Source) Stats() ring.Stats { return s.mirror.statsOf(s.number) }

// Close implements ring.Source. It does nothing: the Mirror closes its sources together.
func (s *Source) Close() error { return nil }
