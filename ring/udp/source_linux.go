package udp

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"weir/ring"
	"weir/ring/wait"
)

// Source is one socket of a Listener: what one worker receives from.
//
// Concurrency: one goroutine calls Poll and Release. All else may be called from any.
type Source struct {
	clock  func() int64
	spin   int64 // nanoseconds
	fd     int
	event  int // eventfd that ends a sleep
	buffer int // receive buffer granted, bytes
	pause  time.Duration

	inbox inbox
	polls [2]unix.PollFd
	info  memInfo // of Poll
	now   int64   // the clock at the last Poll
	busy  int64   // the clock when there was a datagram last

	// Poll says when it uses the descriptors, and Close waits until it does not.
	polling, closed atomic.Bool

	received  atomic.Uint64
	bytes     atomic.Uint64
	truncated atomic.Uint64

	mu        sync.Mutex // of what follows, and of the descriptors outside of Poll
	drops     uint64
	seen      uint32 // the kernel's count as of then, which wraps
	unread    uint64 // in the socket when it was closed
	destroyed bool
}

var _ ring.Source = (*Source)(nil)

// openSource opens a socket that shares the port at at.
func openSource(c *Config, at netip.AddrPort) (s *Source, err error) {
	s = &Source{clock: c.Clock, spin: int64(c.Spin), fd: -1, event: -1}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
			s = nil
		}
	}()
	if s.event, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return s, fmt.Errorf("make an eventfd: %w", err)
	}
	if s.fd, err = openSocket(at); err != nil {
		return s, err
	}
	if s.buffer, err = setBuffer(s.fd, c.ReceiveBuffer); err != nil {
		return s, err
	}
	s.pause = pauseOf(s.buffer)
	if err = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return s, fmt.Errorf("share the port: %w", err)
	}
	s.inbox.init(c.maxPayload, stride)
	s.polls[0] = unix.PollFd{Fd: int32(s.event), Events: unix.POLLIN}
	s.polls[1] = unix.PollFd{Fd: int32(s.fd), Events: unix.POLLIN}
	return s, bind(s.fd, at)
}

// pauseOf returns how long a source with a receive buffer of so many bytes pauses: until a quarter
// of that is full at 10 Gbit/s.
func pauseOf(buffer int) time.Duration {
	const perByte = 0.8 // nanoseconds
	return min(wait.MostPause, time.Duration(float64(buffer)/4*perByte))
}

// Poll implements ring.Source. Batch.Fill is what is left in the receive buffer when a whole burst
// was taken from it, else 0. After Close it returns io.EOF.
func (s *Source) Poll(b *ring.Batch) (int, error) {
	s.polling.Store(true)
	n, err := s.poll(b)
	s.polling.Store(false)
	return n, err
}

func (s *Source) poll(b *ring.Batch) (int, error) {
	b.N, b.Fill, b.Now = 0, 0, s.now
	if s.closed.Load() {
		return 0, io.EOF
	}
	s.now = max(s.now, s.clock())
	b.Now = s.now
	n, errno := s.inbox.receive(s.fd)
	if n > 0 {
		s.busy = s.now
		s.lend(b, n)
		return b.N, nil
	}
	if errno != 0 && errno != unix.EAGAIN && errno != unix.EINTR {
		return 0, s.broken(errno)
	}
	if s.now-s.busy >= s.spin {
		s.sleep() // what woke us is for the next call: this one's time was no work
		s.now = max(s.now, s.clock())
		b.Now = s.now
	}
	return 0, nil
}

// broken says what a socket died of.
func (s *Source) broken(errno unix.Errno) error {
	at, _ := localAddr(s.fd)
	return fmt.Errorf("receive datagrams on %s: %w", at, errno)
}

// lend makes frames of n messages.
func (s *Source) lend(b *ring.Batch, n int) {
	if n == ring.BurstSize && s.info.ask(s.fd) {
		b.Fill = s.info.percent()
	}
	frames, bytes := 0, uint64(0)
	for i := range s.inbox.messages[:n] {
		m := &s.inbox.messages[i]
		m.Namelen = nameLen // the kernel wrote how much of it it took
		if m.Flags&unix.MSG_TRUNC != 0 {
			continue
		}
		s.inbox.putSender(i)
		bytes += uint64(m.length)
		b.Frames[frames] = ring.Frame{
			Time: s.now, Off: uint32(i * stride), Cap: ring.SenderLen + m.length,
			Wire: m.length, Link: ring.LinkDatagram,
		}
		frames++
	}
	b.Mem, b.N = s.inbox.mem, frames
	s.received.Add(uint64(frames))
	s.bytes.Add(bytes)
	if frames < n {
		s.truncated.Add(uint64(n - frames))
	}
}

// Release implements ring.Source.
func (s *Source) Release(b *ring.Batch) { b.N = 0 }

// sleep waits for a datagram, a Wake, or a little while. Soon after a datagram it pauses instead:
// more come together then, and few sleeps are needed for many of them.
func (s *Source) sleep() {
	if s.spin == 0 && s.now-s.busy < int64(wait.Soon) {
		if wait.Nap(s.polls[:1], s.pause) > 0 {
			s.awake()
		}
		return
	}
	if wait.Nap(s.polls[:], wait.Most) > 0 && s.polls[0].Revents != 0 {
		s.awake()
	}
}

// awake makes the next sleep wait for the next Wake.
func (s *Source) awake() {
	var counter [8]byte
	_, _ = unix.Read(s.event, counter[:])
}

// Wake ends a sleep in Poll.
func (s *Source) Wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake()
}

func (s *Source) wake() {
	if s.destroyed {
		return
	}
	one := [8]byte{0: 1}
	_, _ = unix.Write(s.event, one[:]) // full: it is awake already
}

// Stats implements ring.Source. It is to be called more often than the kernel can lose 2³²
// datagrams.
func (s *Source) Stats() ring.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count()
	return ring.Stats{
		Received: s.received.Load(), Bytes: s.bytes.Load(),
		Dropped: map[string]uint64{
			DropSocket: s.drops, DropTruncated: s.truncated.Load(), DropClosed: s.unread,
		},
	}
}

// count takes on the kernel's count of drops.
func (s *Source) count() {
	var m memInfo
	if !s.destroyed && m.ask(s.fd) {
		s.drops += uint64(m.drops - s.seen)
		s.seen = m.drops
	}
}

// closePause is between two looks whether Poll has returned.
const closePause = 50 * time.Microsecond

// maxUnread bounds the bursts that Close takes from a socket, which may still receive.
const maxUnread = 1 << 14

// Close implements ring.Source. It wakes Poll, waits until that has returned, and counts what is
// still in the socket as lost.
func (s *Source) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.destroyed {
		return nil
	}
	s.closed.Store(true)
	for s.wake(); s.polling.Load(); time.Sleep(closePause) {
		s.wake()
	}
	s.unread = s.drain()
	s.count()
	s.destroyed = true
	return s.release()
}

// drain empties the socket and returns how many datagrams there were. What Poll lent last stays.
func (s *Source) drain() (n uint64) {
	var bin inbox
	bin.init(1, ring.SenderLen+1)
	for range maxUnread {
		got, errno := bin.receive(s.fd)
		if errno != 0 {
			break
		}
		n += uint64(got)
	}
	return n
}

// release closes the descriptors.
func (s *Source) release() error {
	var errs []error
	for _, fd := range []*int{&s.fd, &s.event} {
		if *fd >= 0 {
			errs = append(errs, unix.Close(*fd))
		}
		*fd = -1
	}
	return errors.Join(errs...)
}
