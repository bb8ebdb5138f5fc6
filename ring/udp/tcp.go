package udp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"weir/ring"
)

// Defaults of TCPConfig.
const (
	DefaultConnections = 64
	DefaultPerAddress  = 8
	DefaultIdle        = 10 * time.Minute
	DefaultPatience    = 10 * time.Second
)

// TCPConfig says where a TCPSource receives, and how.
type TCPConfig struct {
	Listen      string // as Config.Listen
	Connections int    // at most; 0: DefaultConnections
	PerAddress  int    // of those, from one address, or /64 of IPv6; 0: DefaultPerAddress
	// Idle ends a connection that sends nothing; 0: DefaultIdle.
	Idle time.Duration
	// Patience is how long a message may take from its first byte to its last, and a new connection
	// to its first byte: exporters send their templates at once. 0: DefaultPatience.
	Patience time.Duration
	// Allow says who may connect; nil: everybody. It is called by one goroutine.
	Allow func(netip.Addr) bool
	// Clock gives nanoseconds since 1970 UTC, and never goes back.
	Clock func() int64
}

// IPFIX messages (RFC 7011 section 3.1): version and length, in all 16 bytes of header.
const (
	ipfixVersion = 10
	ipfixHeader  = 16
	maxMessage   = 65535
)

// queued is the number of messages that wait for Poll at most.
const queued = 2 * ring.BurstSize

// Names of places where messages over TCP are lost.
const (
	DropBadFrame = "bad_frame" // no IPFIX message: nothing behind it can be read, either
	DropCutShort = "cut_short" // the connection ended, or stalled, inside a message
)

// TCPStats counts connections since OpenTCP. Accepted is the sum of Open and those that ended.
type TCPStats struct {
	Open      int
	Accepted  uint64
	Refused   uint64 // too many in all or of the address, or not allowed
	Finished  uint64 // closed by the exporter, between two messages
	Broken    uint64 // by an error of the network
	Idle      uint64 // sent nothing for too long
	BadFrames uint64 // closed for one; a message is lost with it
	CutShort  uint64 // ended or stalled inside a message, which is lost
	Closed    uint64 // by us, at the end
}

func (c *TCPConfig) withDefaults() error {
	for _, d := range []struct {
		value    *int
		fallback int
	}{{&c.Connections, DefaultConnections}, {&c.PerAddress, DefaultPerAddress}} {
		if *d.value == 0 {
			*d.value = d.fallback
		}
		if *d.value < 0 {
			return fmt.Errorf("%d connections", *d.value)
		}
	}
	if c.Idle == 0 {
		c.Idle = DefaultIdle
	}
	if c.Patience == 0 {
		c.Patience = DefaultPatience
	}
	switch {
	case c.Clock == nil:
		return errors.New("no clock")
	case c.Idle < 0 || c.Patience < 0:
		return errors.New("a negative time")
	}
	return nil
}

// letter is a message behind its sender.
type letter [ring.SenderLen + maxMessage]byte

// mail is a letter on its way from a connection to Poll.
type mail struct {
	letter *letter
	size   int // of the message, bytes
}

// TCPSource receives IPFIX over TCP (RFC 7011 section 10.4). Poll lends each message as the frame
// of a datagram, with the address and port of the connection that it came by.
//
// Nothing is dropped while Poll is slow: exporters wait, each with one message under way, and get
// on in the order of their messages.
//
// Concurrency: one goroutine calls Poll and Release. All else may be called from any.
type TCPSource struct {
	config   TCPConfig
	listener *net.TCPListener
	queue    chan mail
	woken    chan struct{}
	quit     chan struct{} // closed by Close
	running  sync.WaitGroup
	letters  sync.Pool // of *letter

	held  *mail // came while Poll slept
	mem   []byte
	timer *time.Timer
	now   int64

	received atomic.Uint64
	bytes    atomic.Uint64
	unread   atomic.Uint64

	mu    sync.Mutex // of what follows
	open  map[*net.TCPConn]netip.Prefix
	from  map[netip.Prefix]int
	stats TCPStats
}

var _ ring.Source = (*TCPSource)(nil)

// OpenTCP listens, and begins to accept. The error names the address.
func OpenTCP(c TCPConfig) (*TCPSource, error) {
	s, err := openTCP(c)
	if err != nil {
		return nil, fmt.Errorf("listen for IPFIX over TCP on %s: %w", c.Listen, err)
	}
	return s, nil
}

func openTCP(c TCPConfig) (*TCPSource, error) {
	if err := c.withDefaults(); err != nil {
		return nil, err
	}
	at, fallback, err := parseListen(c.Listen)
	if err != nil {
		return nil, err
	}
	network, local := "tcp", net.TCPAddrFromAddrPort(at)
	switch {
	case fallback:
		local.IP = nil // every address of the families that there are
	case at.Addr().Is4():
		network = "tcp4"
	}
	listener, err := net.ListenTCP(network, local)
	if err != nil {
		return nil, err
	}
	s := &TCPSource{
		config: c, listener: listener,
		queue: make(chan mail, queued), woken: make(chan struct{}, 1),
		quit: make(chan struct{}), timer: time.NewTimer(0),
		open: map[*net.TCPConn]netip.Prefix{}, from: map[netip.Prefix]int{},
		mem: make([]byte, ring.BurstSize*len(letter{})),
	}
	s.letters.New = func() any { return new(letter) }
	s.running.Go(s.accept)
	return s, nil
}

// Addr returns where it listens, with the port that the kernel chose if it was to.
func (s *TCPSource) Addr() netip.AddrPort {
	at := s.listener.Addr().(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

// Poll implements ring.Source. Batch.Fill is 0, because a full queue loses nothing. After Close it
// returns io.EOF.
func (s *TCPSource) Poll(b *ring.Batch) (int, error) {
	s.now = max(s.now, s.config.Clock())
	b.Mem, b.N, b.Fill, b.Now = s.mem, 0, 0, s.now
	select {
	case <-s.quit:
		if s.held != nil {
			s.held = nil
			s.unread.Add(1)
		}
		return 0, io.EOF
	default:
	}
	if s.held != nil {
		s.lend(b, *s.held)
		s.held = nil
	}
	for b.N < ring.BurstSize {
		select {
		case m := <-s.queue:
			s.lend(b, m)
			continue
		default:
		}
		break
	}
	if b.N == 0 {
		s.sleep() // what woke us is for the next call: this one's time was no work
		s.now = max(s.now, s.config.Clock())
		b.Now = s.now
	}
	return b.N, nil
}

// lend makes a frame of a message.
func (s *TCPSource) lend(b *ring.Batch, m mail) {
	off := uint32(0)
	if b.N > 0 {
		f := &b.Frames[b.N-1]
		off = f.Off + f.Cap
	}
	size := copy(s.mem[off:], m.letter[:ring.SenderLen+m.size])
	s.letters.Put(m.letter)
	b.Frames[b.N] = ring.Frame{
		Time: s.now, Off: off, Cap: uint32(size), Wire: uint32(m.size), Link: ring.LinkDatagram,
	}
	b.N++
	s.received.Add(1)
	s.bytes.Add(uint64(m.size))
}

// sleep waits for a message, a Wake, or a little while.
func (s *TCPSource) sleep() {
	s.timer.Reset(pollMillis * time.Millisecond)
	select {
	case m := <-s.queue:
		s.held = &m
	case <-s.woken:
	case <-s.quit:
	case <-s.timer.C:
	}
}

// Release implements ring.Source.
func (s *TCPSource) Release(b *ring.Batch) { b.N = 0 }

// Wake ends a sleep in Poll.
func (s *TCPSource) Wake() {
	select {
	case s.woken <- struct{}{}:
	default: // it is awake already
	}
}

// Stats implements ring.Source.
func (s *TCPSource) Stats() ring.Stats {
	t := s.TCPStats()
	return ring.Stats{
		Received: s.received.Load(), Bytes: s.bytes.Load(),
		Dropped: map[string]uint64{
			DropBadFrame: t.BadFrames, DropCutShort: t.CutShort, DropClosed: s.unread.Load(),
		},
	}
}

// TCPStats returns what became of the connections.
func (s *TCPSource) TCPStats() TCPStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Open = len(s.open)
	return st
}

// Close implements ring.Source. It ends all connections and counts the messages that are still
// queued as lost.
func (s *TCPSource) Close() error {
	s.mu.Lock()
	select {
	case <-s.quit:
		s.mu.Unlock()
		return nil
	default:
	}
	close(s.quit)
	for c := range s.open {
		_ = c.Close() // only read from: nothing is lost
	}
	s.mu.Unlock()
	err := s.listener.Close()
	s.running.Wait()
	for {
		select {
		case <-s.queue:
			s.unread.Add(1)
			continue
		default:
		}
		return err
	}
}
