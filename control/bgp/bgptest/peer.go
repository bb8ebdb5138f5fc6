// Package bgptest is a router for tests and demonstrations: a BGP peer in this process that takes
// every route (Peer), and one that says whatever bytes it is told to (Raw).
//
// It is a small speaker of its own, so that what weir's speaker says is not judged by the library
// that said it, and so that sessions come up at once.
package bgptest

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options say what router is wanted.
type Options struct {
	AS       uint32
	RouterID netip.Addr     // the zero value: 192.0.2.254
	Listen   netip.AddrPort // where it listens; port 0: any free one
	// Neighbor is where the speaker under test comes from. Others are refused.
	Neighbor netip.Addr
	// GracefulRestart is how long routes are held when the session ends without a NOTIFICATION
	// (RFC 4724); 0: not at all.
	GracefulRestart time.Duration
}

// Peer is a router. Any goroutine may call its methods.
type Peer struct {
	options  Options
	listener net.Listener
	changed  chan struct{}
	running  sync.WaitGroup

	mu          sync.Mutex
	closed      bool
	current     *session
	routes      map[netip.Prefix]*held
	own         []message // what it announces itself
	established bool
	sessions    int
	updates     int
	faults      []string
	forget      *time.Timer // ends graceful restart
}

// held is a route; a stale one waits for End-of-RIB.
type held struct {
	Route
	stale bool
}

// New starts a router that waits for its neighbor. End it by Close.
func New(o Options) (*Peer, error) {
	if !o.RouterID.IsValid() {
		o.RouterID = netip.AddrFrom4([4]byte{192, 0, 2, 254})
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(context.Background(), "tcp", o.Listen.String())
	if err != nil {
		return nil, fmt.Errorf("start router: %w", err)
	}
	at := l.Addr().(*net.TCPAddr).AddrPort()
	o.Listen = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	p := &Peer{
		options: o, listener: l, changed: make(chan struct{}, 1),
		routes: map[netip.Prefix]*held{},
	}
	p.running.Go(p.accept)
	return p, nil
}

// accept makes a session of each connection. A new one ends the one before, as RFC 4724 section 5
// has it: the neighbor has restarted.
func (p *Peer) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		from := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
		p.mu.Lock()
		old := p.current
		if p.closed || from != p.options.Neighbor {
			p.mu.Unlock()
			_ = conn.Close() // it was never used
			continue
		}
		s := newSession(p, conn)
		p.current = s
		p.mu.Unlock()
		if old != nil {
			old.end()
			<-old.ended
		}
		p.running.Go(s.run)
	}
}

// Close ends the router without a word: its neighbor sees the connection end.
func (p *Peer) Close() {
	p.mu.Lock()
	p.closed = true
	s := p.current
	if p.forget != nil {
		p.forget.Stop()
	}
	p.mu.Unlock()
	_ = p.listener.Close() // it was only listened to
	if s != nil {
		s.end()
	}
	p.running.Wait()
}

// Address returns where the router listens.
func (p *Peer) Address() netip.AddrPort { return p.options.Listen }

// Changed returns a channel, with room for one, that is sent to when routes or the session may
// have changed.
func (p *Peer) Changed() <-chan struct{} { return p.changed }

func (p *Peer) change() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// Established reports whether the session is up.
func (p *Peer) Established() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.established
}

// Sessions returns how often the session came up.
func (p *Peer) Sessions() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sessions
}

// Updates returns how many UPDATE messages have arrived, End-of-RIB included.
func (p *Peer) Updates() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.updates
}

// Faults returns what the router did not understand of what its neighbor said, or how it broke
// the protocol. A test should find none.
func (p *Peer) Faults() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.faults)
}

// Route is a route that the router was told of.
type Route struct {
	Prefix      netip.Prefix
	NextHop     netip.Addr
	Communities []string // "65535:666"
	Large       []string // "4200000001:1:666"
	Path        string   // the AS path
}

// String returns a route in one line.
func (r Route) String() string {
	return fmt.Sprintf("%v via %v [%s]", r.Prefix, r.NextHop,
		strings.Join(append(slices.Clone(r.Communities), r.Large...), " "))
}

// Routes returns what the router holds of its neighbor, in order.
func (p *Peer) Routes() []Route {
	p.mu.Lock()
	defer p.mu.Unlock()
	routes := []Route{}
	for _, h := range p.routes {
		routes = append(routes, h.Route)
	}
	slices.SortFunc(routes, func(a, b Route) int { return a.Prefix.Compare(b.Prefix) })
	return routes
}

// Wait returns when ok does, which is asked at each change, or with ctx's error. There may be one
// Wait at a time.
func (p *Peer) Wait(ctx context.Context, ok func(routes []Route) bool) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok(p.Routes()) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for routes, have %v: %w", p.Routes(), ctx.Err())
		case <-p.changed:
		case <-tick.C:
		}
	}
	return nil
}

// Announce makes the router announce an IPv4 route of its own, now and in each session to come.
func (p *Peer) Announce(prefix netip.Prefix, nextHop netip.Addr) error {
	m, err := announcement(p.options.AS, prefix, nextHop)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.own = append(p.own, m)
	if p.established {
		return p.current.send(m)
	}
	return nil
}

// begun notes that a session is up, and returns what is to be said first.
func (p *Peer) begun(s *session) []message {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.forget != nil {
		p.forget.Stop()
	}
	maps.DeleteFunc(p.routes, func(prefix netip.Prefix, h *held) bool {
		return h.stale && !s.keeps[familyOf(prefix)]
	})
	p.established = true
	p.sessions++
	p.change()
	return append(slices.Clone(p.own), endOfRIB(ip4), endOfRIB(ip6))
}

// done notes that a session has ended.
func (p *Peer) done(s *session, graceful bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.established = false
	if p.current == s {
		p.current = nil
	}
	if !graceful {
		clear(p.routes)
	}
	for _, h := range p.routes {
		h.stale = true
	}
	if graceful && !p.closed {
		p.forget = time.AfterFunc(s.restart, p.drop)
	}
	p.change()
}

// drop ends graceful restart: nobody came back.
func (p *Peer) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.DeleteFunc(p.routes, func(_ netip.Prefix, h *held) bool { return h.stale })
	p.change()
}

func (p *Peer) fault(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.faults) < 100 {
		p.faults = append(p.faults, err.Error())
	}
}
