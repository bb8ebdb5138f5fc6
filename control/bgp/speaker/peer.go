package speaker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"weir/control/bgp/wire"
)

// Pauses between a session's end, or an attempt's, and the next attempt. They double while no
// session lasts; a router that comes back is asked within maxPause.
const (
	minPause = 100 * time.Millisecond
	maxPause = 2 * time.Second
	lasting  = 10 * time.Second // a session that was no failure
)

// peer keeps the session with one router.
type peer struct {
	conf    *wire.Peer
	local   uint32 // our AS
	guard   *guard
	rib     *rib
	log     *slog.Logger
	changed func()

	accepted chan net.Conn // from a passive peer: the newest
	wake     chan struct{} // there is a new table

	mu      sync.Mutex
	want    map[netip.Prefix]wire.Route
	link    *link // of the session that there is
	phase   wire.State
	shown   wire.State
	since   time.Time
	flaps   uint64
	ignored uint64 // of past sessions
	last    string
	answer  time.Time // when its GoBGP last answered
}

func newPeer(s *wire.Setup, conf *wire.Peer, g *guard, key string, log *slog.Logger,
	changed func()) (*peer, error) {
	log = log.With("peer", conf.Address.String())
	table, err := newRIB(s, conf, key, log)
	if err != nil {
		return nil, err
	}
	return &peer{
		conf: conf, local: s.AS, guard: g, rib: table, log: log, changed: changed,
		accepted: make(chan net.Conn, 1), wake: make(chan struct{}, 1),
		phase: wire.Idle, since: time.Now(), answer: time.Now(),
	}, nil
}

// hold replaces what the peer is to have. The map is not changed any more.
func (p *peer) hold(want map[netip.Prefix]wire.Route) {
	p.mu.Lock()
	p.want = want
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run keeps the session until ctx ends. The first table must be there: it is in place before
// there is a session that could tell of its end.
func (p *peer) run(ctx context.Context) error {
	if err := p.update(); err != nil {
		return err
	}
	go p.sessions(ctx)
	beat := time.NewTicker(time.Second)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.wake:
			if err := p.update(); err != nil {
				return err
			}
		case <-beat.C:
			p.rib.alive(ctx)
		}
		p.mu.Lock()
		p.answer = time.Now()
		p.mu.Unlock()
	}
}

func (p *peer) update() error {
	p.mu.Lock()
	want := p.want
	p.mu.Unlock()
	return p.rib.hold(want)
}

// silent returns for how long the peer's GoBGP has not answered.
func (p *peer) silent() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.answer)
}

// sessions makes one session after the other.
func (p *peer) sessions(ctx context.Context) {
	pause := minPause
	for ctx.Err() == nil {
		lasted, err := p.session(ctx)
		if ctx.Err() != nil {
			return
		}
		p.note(err)
		if lasted > lasting {
			pause = minPause
		}
		p.setPhase(wire.Idle)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, maxPause)
	}
}

// note keeps why a session or an attempt ended, and says it once.
func (p *peer) note(err error) {
	p.mu.Lock()
	text := err.Error()
	news := text != p.last
	p.last = text
	p.mu.Unlock()
	if news {
		p.log.Warn("BGP session is down", "cause", text)
	}
	p.changed()
}

func (p *peer) setPhase(s wire.State) {
	p.mu.Lock()
	p.phase = s
	p.mu.Unlock()
	p.changed()
}

// session connects, carries one session, and returns how long that lasted and why it ended.
func (p *peer) session(ctx context.Context) (time.Duration, error) {
	conn, err := p.connect(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	defer p.rib.end()
	gobgp, open, err := p.rib.begin(ctx)
	if err != nil {
		return 0, err
	}
	start := time.Now()
	l := newLink(conn, gobgp, open, p.guard, p.changed)
	p.mu.Lock()
	p.link = l
	p.mu.Unlock()
	ended := make(chan struct{})
	go p.replace(ctx, l, ended)
	err = l.run()
	close(ended)
	p.mu.Lock()
	p.link = nil
	p.ignored += l.ignored
	if l.state() == wire.Established {
		p.flaps++
	}
	p.mu.Unlock()
	return time.Since(start), err
}

var errReplaced = errors.New("the peer connected anew")

// replace ends the session when ctx ends, or when a passive peer connects again: it would not
// while it takes the old connection for alive.
func (p *peer) replace(ctx context.Context, l *link, ended chan struct{}) {
	select {
	case <-ended:
	case <-ctx.Done():
		l.finish(ctx.Err())
	case conn := <-p.accepted:
		p.offer(conn)
		l.finish(errReplaced)
	}
}

// offer hands over a connection that a passive peer made; an older one that nobody took is closed.
func (p *peer) offer(conn net.Conn) {
	for {
		select {
		case p.accepted <- conn:
			return
		default:
		}
		select {
		case old := <-p.accepted:
			_ = old.Close() // it was never used
		default:
		}
	}
}

func (p *peer) connect(ctx context.Context) (net.Conn, error) {
	if !p.conf.Passive {
		p.setPhase(wire.Connect)
		return dial(ctx, p.conf, p.local)
	}
	p.setPhase(wire.Active)
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case conn := <-p.accepted:
		if err := adopt(conn.(*net.TCPConn), p.conf, p.local); err != nil {
			_ = conn.Close() // it was never used
			return nil, fmt.Errorf("accept: %w", err)
		}
		return conn, nil
	}
}

// report returns the session's state and what stands there.
func (p *peer) report() wire.PeerReport {
	p.mu.Lock()
	defer p.mu.Unlock()
	state, out, ignored := p.phase, []netip.Prefix{}, p.ignored
	if p.link != nil {
		state = p.link.state()
		ignored += p.link.ignoredCount()
	}
	if state == wire.Established {
		out = p.link.standing()
	}
	if state != p.shown {
		if state == wire.Established {
			p.log.Info("BGP session is established")
			p.last = ""
		}
		p.shown, p.since = state, time.Now()
	}
	return wire.PeerReport{
		Address: p.conf.Address, State: state, Since: time.Since(p.since),
		Flaps: p.flaps, Ignored: ignored, Error: p.last, Out: out,
	}
}
