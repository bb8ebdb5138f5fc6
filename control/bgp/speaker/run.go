// Package speaker is weir's BGP speaker: GoBGP v3 in a process of its own, that takes a set of
// routes from weir and announces them to routers.
//
// One malformed message was seen to kill a whole GoBGP v3 process; that is why it is a process.
// And it is why GoBGP has no socket to the outside here: each peer has a GoBGP of its own, and a
// link between the two that carries one message after the other, and lets through only what a
// speaker without any wish for routes needs.
package speaker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"weir/control/bgp/wire"
	"weir/control/brake"
)

const (
	killPoll  = 250 * time.Millisecond
	soon      = 5 * time.Millisecond // changes within it are one report
	patience  = 10 * time.Second     // with a GoBGP that does not answer
	writeTime = 5 * time.Second      // for a report; weir reads them at once
)

// speaker is the process. Its fields belong to the goroutine of Run.
type speaker struct {
	conn    net.Conn
	log     *slog.Logger
	setup   *wire.Setup
	guard   *guard
	peers   []*peer
	changes chan struct{}
	failed  chan error

	running    bool // there was a first set
	generation uint64
	wanted     []leased
	refused    []wire.Refused
	killed     bool
	killError  string
	counts     wire.Counts
}

// leased is a route, and when it ends by this process's own clock.
type leased struct {
	wire.Route
	end time.Time
}

// Run speaks BGP as conn says, until conn ends, which is no error, or ctx. It is for a process of
// its own, which it binds to little memory and no privileges, and which must end when Run does:
// sessions then end without a NOTIFICATION, so that graceful restart holds the routes.
func Run(ctx context.Context, conn net.Conn, log *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &speaker{
		conn: conn, log: log, changes: make(chan struct{}, 1), failed: make(chan error, 1),
	}
	first, err := wire.Read(conn)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read setup: %w", err)
	}
	setup, ok := first.(*wire.Setup)
	if !ok {
		return fmt.Errorf("first message is a %T, not a setup", first)
	}
	if err := s.prepare(ctx, setup); err != nil {
		return err
	}
	return s.loop(ctx, s.read(ctx))
}

// prepare does what needs privileges, gives them up, and makes a GoBGP for each peer.
func (s *speaker) prepare(ctx context.Context, setup *wire.Setup) error {
	s.setup, s.guard = setup, newGuard(setup)
	listeners, err := listen(setup)
	if err != nil {
		return err
	}
	if err := confine(setup.UID, setup.GID); err != nil {
		return err
	}
	key := ""
	if canSign() {
		key = rand.Text()
	}
	for i := range setup.Peers {
		p, err := newPeer(setup, &setup.Peers[i], s.guard, key, s.log, s.change)
		if err != nil {
			return err
		}
		s.peers = append(s.peers, p)
	}
	for _, l := range listeners {
		go s.accept(ctx, l)
	}
	return nil
}

// accept gives connections to the peers that they come from, and ends those of others.
func (s *speaker) accept(ctx context.Context, l net.Listener) {
	go func() {
		<-ctx.Done()
		_ = l.Close() // it was only listened to
	}()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() == nil {
				s.fail(fmt.Errorf("accept: %w", err))
			}
			return
		}
		from := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
		i := slices.IndexFunc(s.peers, func(p *peer) bool {
			return p.conf.Passive && p.conf.Address == from
		})
		if i < 0 {
			s.log.Warn("connection from an unknown address", "cause", from.String())
			_ = conn.Close() // it was never used
			continue
		}
		s.peers[i].offer(conn)
	}
}

// change tells the loop that there is something to report.
func (s *speaker) change() {
	select {
	case s.changes <- struct{}{}:
	default:
	}
}

func (s *speaker) fail(err error) {
	select {
	case s.failed <- err:
	default:
	}
}

// read returns the sets that arrive. It is closed at the end of the connection.
func (s *speaker) read(ctx context.Context) <-chan *wire.Set {
	sets := make(chan *wire.Set)
	go func() {
		defer close(sets)
		for {
			m, err := wire.Read(s.conn)
			set, ok := m.(*wire.Set)
			if err == nil && !ok {
				err = fmt.Errorf("message is a %T, not a set", m)
			}
			if err != nil {
				// It is reset where weir has gone without reading all that was said.
				if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
					s.fail(fmt.Errorf("read set: %w", err))
				}
				return
			}
			select {
			case sets <- set:
			case <-ctx.Done():
				return
			}
		}
	}()
	return sets
}

func (s *speaker) loop(ctx context.Context, sets <-chan *wire.Set) error {
	kill := time.NewTicker(killPoll)
	defer kill.Stop()
	beat := time.NewTicker(wire.Heartbeat)
	defer beat.Stop()
	s.pollKill()
	for {
		var expiry <-chan time.Time
		if next, ok := s.nextEnd(); ok {
			expiry = time.After(time.Until(next))
		}
		var err error
		select {
		case <-ctx.Done():
			return nil
		case err = <-s.failed:
		case set, ok := <-sets:
			if !ok {
				return s.closing()
			}
			s.take(ctx, set)
		case <-expiry:
			s.expire()
		case <-kill.C:
			s.pollKill()
		case <-s.changes:
			time.Sleep(soon)
			err = s.report(false)
		case <-beat.C:
			err = s.beat()
		}
		if err != nil {
			return err
		}
	}
}

// closing is the end of the connection, unless its reader met something else.
func (s *speaker) closing() error {
	select {
	case err := <-s.failed:
		return err
	default:
		return nil
	}
}

// take replaces the set of wanted routes.
func (s *speaker) take(ctx context.Context, set *wire.Set) {
	defer s.change()
	if set.Generation <= s.generation {
		s.counts.Stale++
		s.log.Error("set of an old generation is refused",
			"generation", set.Generation, "last", s.generation)
		return
	}
	now := time.Now()
	s.generation, s.wanted, s.refused = set.Generation, nil, nil
	seen := map[netip.Prefix]bool{}
	for i := range set.Routes {
		r := &set.Routes[i]
		reason := s.guard.refuse(r)
		if reason == "" && seen[r.Prefix] {
			reason = "it is in the set twice"
		}
		if reason != "" {
			s.refuse(r.Prefix, reason)
			continue
		}
		seen[r.Prefix] = true
		s.wanted = append(s.wanted, leased{*r, now.Add(r.Lease)})
	}
	s.publish()
	if s.running {
		return
	}
	s.running = true
	for _, p := range s.peers {
		go func() {
			if err := p.run(ctx); err != nil {
				s.fail(err)
			}
		}()
	}
}

func (s *speaker) refuse(p netip.Prefix, reason string) {
	s.counts.Refused++
	if len(s.refused) < wire.MaxRefused {
		s.refused = append(s.refused, wire.Refused{Prefix: p, Reason: reason})
	}
	s.log.Error("route is refused", "prefix", p.String(), "cause", reason)
}

// publish gives the peers what is wanted now.
func (s *speaker) publish() {
	want := make(map[netip.Prefix]wire.Route, len(s.wanted))
	if !s.killed {
		for i := range s.wanted {
			want[s.wanted[i].Prefix] = s.wanted[i].Route
		}
	}
	for _, p := range s.peers {
		p.hold(want)
	}
}

func (s *speaker) nextEnd() (next time.Time, ok bool) {
	for i := range s.wanted {
		if end := s.wanted[i].end; !ok || end.Before(next) {
			next, ok = end, true
		}
	}
	return next, ok
}

// expire withdraws what has ended, whether weir says so or not.
func (s *speaker) expire() {
	now := time.Now()
	before := len(s.wanted)
	s.wanted = slices.DeleteFunc(s.wanted, func(r leased) bool { return !r.end.After(now) })
	if len(s.wanted) == before {
		return
	}
	s.counts.Expired += uint64(before - len(s.wanted))
	s.publish()
	s.change()
}

// pollKill looks for the kill file.
func (s *speaker) pollKill() {
	if s.setup.KillFile == "" {
		return
	}
	b, err := brake.Read(s.setup.KillFile)
	if err != nil {
		if text := err.Error(); text != s.killError {
			s.killError = text
			s.log.Error("kill file cannot be looked for", "cause", text)
			s.change()
		}
		return
	}
	if killed := b == brake.Withdraw; killed != s.killed { // a freeze is weir's to keep
		s.killed = killed
		s.log.Warn("kill file", "present", killed)
		s.publish()
		s.change()
	}
}

// report says everything.
func (s *speaker) report(beat bool) error {
	r := &wire.Report{
		Beat: beat, Generation: s.generation, Killed: s.killed, KillError: s.killError,
		Counts: s.counts,
	}
	if !beat {
		r.Refused = s.refused
		for _, p := range s.peers {
			r.Peers = append(r.Peers, p.report())
		}
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	err := wire.Write(s.conn, r)
	if errors.Is(err, syscall.EPIPE) {
		return nil // weir has gone: the connection's reader will say so
	}
	return err
}

// beat says that all is well, if it is.
func (s *speaker) beat() error {
	for _, p := range s.peers {
		if silent := p.silent(); s.running && silent > patience {
			return fmt.Errorf("GoBGP for %v has not answered for %v", p.conf.Address, silent)
		}
	}
	return s.report(true)
}
