package udp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"weir/ring"
)

// conn receives from one socket through the standard library: the Source of platforms without
// recvmmsg(2). What the kernel loses is not known.
//
// Concurrency: one goroutine calls Poll and Release. All else may be called from any.
type conn struct {
	socket *net.UDPConn
	clock  func() int64
	size   int // of the largest payload, bytes
	buffer int // receive buffer granted, bytes
	mem    []byte
	now    int64
	first  ring.Frame // of what came while Poll slept
	held   bool       // there is one

	woken, closed atomic.Bool

	received  atomic.Uint64
	bytes     atomic.Uint64
	truncated atomic.Uint64
}

var _ ring.Source = (*conn)(nil)

// openConn opens a socket that has the port for itself.
func openConn(c *Config, at netip.AddrPort, fallback bool) (*conn, error) {
	network := "udp"
	if at.Addr().Is4() {
		network = "udp4"
	}
	local := net.UDPAddrFromAddrPort(at)
	if fallback {
		local.IP = nil // every address of the families that there are
	}
	socket, err := net.ListenUDP(network, local)
	if err != nil {
		return nil, err
	}
	s := &conn{
		socket: socket, clock: c.Clock, size: c.maxPayload,
		mem: make([]byte, ring.BurstSize*stride),
	}
	s.buffer, err = grow(socket, c.ReceiveBuffer)
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	return s, nil
}

// grow asks for a receive buffer of want bytes, or else less, and returns what was granted: some
// kernels refuse what is too much.
func grow(socket *net.UDPConn, want int) (got int, err error) {
	const least = 64 << 10
	for got = want; ; got /= 2 {
		if err = socket.SetReadBuffer(got); err == nil {
			return got, nil
		}
		if got < least {
			return 0, fmt.Errorf("set the receive buffer: %w", err)
		}
	}
}

// gather is how long Poll waits for more datagrams without calling it sleep.
const gather = 200 * time.Microsecond

// Poll implements ring.Source. Batch.Fill is 0; after Close it returns io.EOF.
func (s *conn) Poll(b *ring.Batch) (int, error) {
	s.now = max(s.now, s.clock())
	b.Mem, b.N, b.Fill, b.Now = s.mem, 0, 0, s.now
	if s.held {
		b.Frames[0] = s.first
		b.N, s.held = 1, false
	}
	err := s.fill(b)
	if err == nil && b.N == 0 {
		err = s.sleep() // what woke us is for the next call: this one's time was no work
		s.now = max(s.now, s.clock())
		b.Now = s.now
	}
	bytes := uint64(0)
	for i := range b.Frames[:b.N] {
		b.Frames[i].Time = s.now
		bytes += uint64(b.Frames[i].Wire)
	}
	s.received.Add(uint64(b.N))
	s.bytes.Add(bytes)
	switch {
	case b.N > 0 || err == nil:
		return b.N, nil
	case s.closed.Load():
		return 0, io.EOF
	}
	return 0, fmt.Errorf("receive datagrams on %s: %w", s.socket.LocalAddr(), err)
}

// fill reads until nothing more comes or the batch is full.
func (s *conn) fill(b *ring.Batch) error {
	if err := s.socket.SetReadDeadline(time.Now().Add(gather)); err != nil {
		return err
	}
	for b.N < ring.BurstSize {
		got, err := s.read(&b.Frames[b.N], b.N*stride)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return err
		}
		if got {
			b.N++
		}
	}
	return nil
}

// sleep waits for a datagram, a Wake, or a little while.
func (s *conn) sleep() (err error) {
	err = s.socket.SetReadDeadline(time.Now().Add(pollMillis * time.Millisecond))
	if err == nil && !s.woken.Swap(false) {
		s.held, err = s.read(&s.first, 0)
		s.woken.Store(false)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// read reads a datagram to off, and reports whether it is whole.
func (s *conn) read(f *ring.Frame, off int) (whole bool, err error) {
	payload := s.mem[off+ring.SenderLen : off+ring.SenderLen+s.size]
	n, _, flags, from, err := s.socket.ReadMsgUDPAddrPort(payload, nil)
	if err != nil {
		return false, err
	}
	if flags&syscall.MSG_TRUNC != 0 {
		s.truncated.Add(1)
		return false, nil
	}
	ring.PutSender(s.mem[off:], from)
	*f = ring.Frame{
		Off: uint32(off), Cap: uint32(ring.SenderLen + n), Wire: uint32(n),
		Link: ring.LinkDatagram,
	}
	return true, nil
}

// Release implements ring.Source.
func (s *conn) Release(b *ring.Batch) { b.N = 0 }

// Wake ends a sleep in Poll.
func (s *conn) Wake() {
	s.woken.Store(true)
	_ = s.socket.SetReadDeadline(time.Unix(0, 1)) // closed: nobody sleeps
}

// Stats implements ring.Source.
func (s *conn) Stats() ring.Stats {
	return ring.Stats{
		Received: s.received.Load(), Bytes: s.bytes.Load(),
		Dropped: map[string]uint64{DropTruncated: s.truncated.Load()},
	}
}

// Close implements ring.Source.
func (s *conn) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	return s.socket.Close()
}
