package speaker

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"weir/control/bgp/wire"
)

// link carries one session between a peer and GoBGP, message by message.
//
// What comes in: of OPEN, KEEPALIVE, NOTIFICATION and ROUTE-REFRESH what GoBGP needs; of UPDATE
// nothing. We want no route of anybody, so that none can fill memory, be passed on, or hold an
// attribute that GoBGP stumbles over. What goes out is looked at once more, and remembered when
// it was written: that is the peer's adj-rib-out.
//
// A session that the link itself ends, ends without a NOTIFICATION: the peer then holds our routes
// while graceful restart lets it.
type link struct {
	peer, gobgp net.Conn
	open        message // what GoBGP has said already
	guard       *guard
	changed     func() // the state, or what stands

	mu       sync.Mutex
	seen     [4]bool // messages, by the constants below
	out      map[netip.Prefix]struct{}
	families []family // that the peer's OPEN offers
	ignored  uint64
	reason   error // why the session ended; the first one counts
}

// The messages that make a session, in either direction.
const (
	openIn = iota
	openOut
	aliveIn
	aliveOut
)

func newLink(peer, gobgp net.Conn, open message, g *guard, changed func()) *link {
	return &link{
		peer: peer, gobgp: gobgp, open: open, guard: g, changed: changed,
		out: map[netip.Prefix]struct{}{},
	}
}

// run returns when the session has ended, and why. Both connections are closed then.
func (l *link) run() error {
	l.changed()
	var both sync.WaitGroup
	for _, way := range []func() error{l.inward, l.outward} {
		both.Go(func() { l.finish(way()) })
	}
	both.Wait()
	return l.reason
}

// finish ends the session.
func (l *link) finish(reason error) {
	l.mu.Lock()
	if l.reason == nil {
		l.reason = reason
	}
	l.mu.Unlock()
	_ = l.peer.Close() // nothing is left to be written, and nobody to be told
	_ = l.gobgp.Close()
}

// state returns where the session is.
func (l *link) state() wire.State {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.seen[aliveIn] && l.seen[aliveOut]:
		return wire.Established
	case l.seen[openIn] && l.seen[openOut]:
		return wire.OpenConfirm
	}
	return wire.OpenSent
}

// standing returns the peer's adj-rib-out.
func (l *link) standing() []netip.Prefix {
	l.mu.Lock()
	defer l.mu.Unlock()
	prefixes := make([]netip.Prefix, 0, len(l.out))
	for p := range l.out {
		prefixes = append(prefixes, p)
	}
	slices.SortFunc(prefixes, netip.Prefix.Compare)
	return prefixes
}

func (l *link) ignoredCount() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ignored
}

func (l *link) mark(message int) {
	l.mu.Lock()
	l.seen[message] = true
	l.mu.Unlock()
	l.changed()
}

// maxRefreshes is how often a peer may ask for everything within refreshTime.
const (
	maxRefreshes = 32
	refreshTime  = 10 * time.Second
)

// inward carries what the peer sends.
func (l *link) inward() error {
	in := inward{link: l, refreshSince: time.Now()}
	r := bufio.NewReaderSize(l.peer, maxMessage)
	for {
		var buf [maxMessage]byte
		m, err := readMessage(r, &buf)
		if errors.Is(err, io.EOF) {
			return errors.New("the peer closed the connection")
		}
		if err != nil {
			return fmt.Errorf("from the peer: %w", err)
		}
		if err := in.take(m); err != nil {
			return err
		}
	}
}

// inward is the side of a link that listens to the peer.
type inward struct {
	*link
	pulse        time.Time // when an UPDATE last counted as a sign of life
	refreshSince time.Time
	refreshes    int
}

func (in *inward) take(m message) error {
	in.mu.Lock()
	opened, alive := in.seen[openIn], in.seen[aliveIn]
	in.mu.Unlock()
	if opened == (m.kind() == bgp.BGP_MSG_OPEN) && m.kind() != bgp.BGP_MSG_NOTIFICATION {
		return fmt.Errorf("from the peer: message of type %d out of place", m.kind())
	}
	switch m.kind() {
	case bgp.BGP_MSG_OPEN:
		in.mu.Lock()
		in.families = families(m)
		in.mu.Unlock()
		in.mark(openIn)
		return in.forward(m)
	case bgp.BGP_MSG_KEEPALIVE:
		if err := in.forward(m); err != nil || alive {
			return err
		}
		in.mark(aliveIn)
		return in.endOfRIB()
	case bgp.BGP_MSG_UPDATE:
		return in.ignore()
	case bgp.BGP_MSG_NOTIFICATION:
		in.finishAfter(fmt.Errorf("the peer sent NOTIFICATION: %s", describe(m)))
		return in.forward(newMessage(bgp.BGP_MSG_NOTIFICATION, m[19], m[20])) // without its data
	}
	return in.refresh(m)
}

// finishAfter names the reason of an end that is about to come.
func (l *link) finishAfter(reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reason == nil {
		l.reason = reason
	}
}

func (in *inward) forward(m message) error {
	if _, err := in.gobgp.Write(m); err != nil {
		return fmt.Errorf("GoBGP ended the session: %w", err)
	}
	return nil
}

// endOfRIB says in the peer's name that it has no routes, for GoBGP sends none before that.
func (in *inward) endOfRIB() error {
	for _, f := range in.families {
		if f != unicast4 && f != unicast6 {
			continue
		}
		if err := in.forward(f.endOfRIB()); err != nil {
			return err
		}
	}
	return nil
}

// ignore counts an UPDATE. That the peer is alive is all that it says.
func (in *inward) ignore() error {
	in.mu.Lock()
	in.ignored++
	in.mu.Unlock()
	if now := time.Now(); now.Sub(in.pulse) >= time.Second {
		in.pulse = now
		return in.forward(newMessage(bgp.BGP_MSG_KEEPALIVE))
	}
	return nil
}

// refresh lets GoBGP send everything again, unless that is asked for all the time.
func (in *inward) refresh(m message) error {
	if now := time.Now(); now.Sub(in.refreshSince) > refreshTime {
		in.refreshSince, in.refreshes = now, 0
	}
	if in.refreshes++; in.refreshes > maxRefreshes {
		return errors.New("the peer asks for all routes too often")
	}
	if len(m) != refreshSize || m[21] != 0 { // with ORF entries, or enhanced: we offered neither
		return nil
	}
	return in.forward(m)
}

// outward carries what GoBGP sends.
func (l *link) outward() error {
	if err := l.give(l.open); err != nil {
		return err
	}
	r := bufio.NewReaderSize(l.gobgp, maxMessage)
	for {
		var buf [maxMessage]byte
		m, err := readMessage(r, &buf)
		if errors.Is(err, io.EOF) {
			return errors.New("GoBGP closed the session")
		}
		if err != nil {
			return fmt.Errorf("from GoBGP: %w", err)
		}
		if err := l.give(m); err != nil {
			return err
		}
	}
}

func (l *link) give(m message) error {
	update := &change{}
	if m.kind() == bgp.BGP_MSG_UPDATE {
		var err error
		if update, err = readUpdate(m); err != nil {
			return fmt.Errorf("from GoBGP: %w", err)
		}
		for _, p := range update.announced {
			if why := l.guard.refusePrefix(p); why != "" {
				return fmt.Errorf("GoBGP would announce %v: %s", p, why)
			}
		}
	}
	if _, err := l.peer.Write(m); err != nil {
		return fmt.Errorf("to the peer: %w", err)
	}
	switch m.kind() {
	case bgp.BGP_MSG_OPEN:
		l.mark(openOut)
	case bgp.BGP_MSG_KEEPALIVE:
		l.mu.Lock()
		alive := l.seen[aliveOut]
		l.mu.Unlock()
		if !alive {
			l.mark(aliveOut)
		}
	case bgp.BGP_MSG_NOTIFICATION:
		l.finishAfter(fmt.Errorf("sent NOTIFICATION: %s", describe(m)))
	case bgp.BGP_MSG_UPDATE:
		l.note(update)
	}
	return nil
}

// note keeps the peer's adj-rib-out.
func (l *link) note(c *change) {
	if len(c.announced)+len(c.withdrawn) == 0 {
		return
	}
	l.mu.Lock()
	for _, p := range c.withdrawn {
		delete(l.out, p)
	}
	for _, p := range c.announced {
		l.out[p] = struct{}{}
	}
	l.mu.Unlock()
	l.changed()
}
