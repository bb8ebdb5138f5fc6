package afpacket

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"weir/ring"
	"weir/ring/wait"
)

// Source is what one worker receives from: a socket that a Mirror may take away or make anew.
// Without any it lends nothing.
//
// Concurrency: one goroutine calls Poll and Release. All else may be called from any.
type Source struct {
	want atomic.Pointer[socket] // written by the Mirror; nil: none
	seen atomic.Pointer[socket] // what Poll uses: older ones may be released

	current *socket
	now     int64 // the clock at the last Poll
	busy    int64 // the clock when there was a frame last

	mirror *Mirror
	number int
	event  int // eventfd that ends a sleep
}

var _ ring.Source = (*Source)(nil)

func newSource(m *Mirror, number int) (*Source, error) {
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, err
	}
	return &Source{mirror: m, number: number, event: event}, nil
}

// Poll implements ring.Source. A socket whose ring contradicts itself is left out from then on,
// until the Mirror has made it anew.
func (s *Source) Poll(b *ring.Batch) (int, error) {
	if w := s.want.Load(); w != s.current {
		s.current = w
		s.seen.Store(w)
	}
	s.now = max(s.now, s.mirror.config.Clock())
	if q := s.current; q != nil && q.broken.Load() == nil {
		if err := q.lend(b, s.now); err != nil {
			q.fail(err)
			s.mirror.Wake()
		} else if b.N > 0 {
			s.busy = s.now
			q.count(b)
			return b.N, nil
		} else {
			q.blocks.release() // a block without packets
		}
	}
	if s.now-s.busy >= int64(s.mirror.config.Spin) {
		s.sleep() // what woke us is for the next call: this one's time was no work
		s.now = max(s.now, s.mirror.config.Clock())
	}
	b.N, b.Fill, b.Now = 0, 0, s.now
	return 0, nil
}

// count adds a batch to the socket's totals.
func (s *socket) count(b *ring.Batch) {
	bytes := uint64(0)
	for i := range b.Frames[:b.N] {
		bytes += uint64(b.Frames[i].Wire)
	}
	s.received.Add(uint64(b.N))
	s.bytes.Add(bytes)
}

// Release implements ring.Source.
func (s *Source) Release(b *ring.Batch) {
	b.N = 0
	if s.current != nil {
		s.current.blocks.release()
	}
}

// sleep waits for a block, a Wake, or a little while.
func (s *Source) sleep() {
	polls := [2]unix.PollFd{{Fd: int32(s.event), Events: unix.POLLIN}, {Fd: -1}}
	if s.current != nil {
		polls[1] = unix.PollFd{Fd: int32(s.current.fd), Events: unix.POLLIN}
	}
	if wait.Nap(polls[:], wait.Most) == 0 {
		return
	}
	if polls[0].Revents != 0 {
		var counter [8]byte
		_, _ = unix.Read(s.event, counter[:])
	}
	if polls[1].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0 {
		// The interface went down: the error is told once, or else until it is read.
		_, _ = unix.GetsockoptInt(s.current.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		time.Sleep(time.Millisecond)
	}
}

// Wake ends a sleep in Poll.
func (s *Source) Wake() {
	one := [8]byte{0: 1}
	_, _ = unix.Write(s.event, one[:]) // full: it is awake already
}

// Stats implements ring.Source.
func (s *Source) Stats() ring.Stats { return s.mirror.statsOf(s.number) }

// Close implements ring.Source. It does nothing: the Mirror closes its sources together.
func (s *Source) Close() error { return nil }
