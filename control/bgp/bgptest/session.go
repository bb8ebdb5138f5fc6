package bgptest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"time"

	"github.com/osrg/gobgp/v3/pkg/packet/bgp"
)

type message = []byte

const (
	holdTime  = 90 * time.Second
	ip4       = bgp.RF_IPv4_UC
	ip6       = bgp.RF_IPv6_UC
	transAS   = 23456 // what stands for an AS of four octets in two (RFC 6793)
	maxForget = 4095  // seconds of graceful restart
)

// session is one session of a Peer.
type session struct {
	peer    *Peer
	conn    net.Conn
	ended   chan struct{}
	restart time.Duration            // of the neighbor's graceful restart; 0: none
	keeps   map[bgp.RouteFamily]bool // families that the neighbor kept forwarding (RFC 4724)
}

func newSession(p *Peer, conn net.Conn) *session {
	return &session{
		peer: p, conn: conn, ended: make(chan struct{}), keeps: map[bgp.RouteFamily]bool{},
	}
}

func (s *session) end() { _ = s.conn.Close() } // what was to be said was said

func (s *session) send(m message) error {
	if _, err := s.conn.Write(m); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

var errNotification = errors.New("the neighbor sent a NOTIFICATION")

// run speaks until the session ends.
func (s *session) run() {
	defer close(s.ended)
	defer s.end()
	err := s.speak()
	if errors.Is(err, errProtocol) {
		s.peer.fault(err)
	}
	s.peer.done(s, s.restart > 0 && !errors.Is(err, errNotification))
}

var errProtocol = errors.New("fault")

func (s *session) speak() error {
	o := &s.peer.options
	if err := s.send(Message(Open, openBody(o)...)); err != nil {
		return err
	}
	raw := &Session{conn: s.conn, in: bufio.NewReader(s.conn)}
	opened, up := false, false
	for {
		if err := s.conn.SetReadDeadline(time.Now().Add(holdTime)); err != nil {
			return err
		}
		m, err := raw.Receive()
		if err != nil {
			return err
		}
		parsed, err := bgp.ParseBGPMessage(m)
		if err != nil {
			return fmt.Errorf("%w: message of type %d: %w", errProtocol, m[18], err)
		}
		switch body := parsed.Body.(type) {
		case *bgp.BGPOpen:
			opened = true
			s.opened(body)
			err = s.send(Message(Keepalive))
		case *bgp.BGPKeepAlive:
			if opened && !up {
				up = true
				err = s.begin()
				go s.beat()
			}
		case *bgp.BGPUpdate:
			if !up {
				return fmt.Errorf("%w: UPDATE before the session is up", errProtocol)
			}
			s.update(body)
		case *bgp.BGPNotification:
			return errNotification
		}
		if err != nil {
			return err
		}
	}
}

func (s *session) begin() error {
	for _, m := range s.peer.begun(s) {
		if err := s.send(m); err != nil {
			return err
		}
	}
	return nil
}

// beat keeps the session alive.
func (s *session) beat() {
	tick := time.NewTicker(holdTime / 3)
	defer tick.Stop()
	for {
		select {
		case <-s.ended:
			return
		case <-tick.C:
			_ = s.send(Message(Keepalive)) // where that fails the reader knows it too
		}
	}
}

// opened learns what the neighbor offers of graceful restart.
func (s *session) opened(open *bgp.BGPOpen) {
	if s.peer.options.GracefulRestart == 0 {
		return
	}
	for _, p := range open.OptParams {
		param, ok := p.(*bgp.OptionParameterCapability)
		if !ok {
			continue
		}
		for _, c := range param.Capability {
			if g, ok := c.(*bgp.CapGracefulRestart); ok {
				s.restart = time.Duration(g.Time) * time.Second
				for _, t := range g.Tuples {
					s.keeps[bgp.AfiSafiToRouteFamily(t.AFI, t.SAFI)] = t.Flags&0x80 != 0
				}
			}
		}
	}
}

// update takes what an UPDATE says.
func (s *session) update(u *bgp.BGPUpdate) {
	p := s.peer
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.change()
	p.updates++
	if is, f := u.IsEndOfRib(); is {
		maps.DeleteFunc(p.routes, func(prefix netip.Prefix, h *held) bool {
			return h.stale && familyOf(prefix) == f
		})
		return
	}
	r, gone, come := read(u)
	for _, prefix := range gone {
		delete(p.routes, prefix)
	}
	for _, prefix := range come {
		r.Prefix = prefix
		p.routes[prefix] = &held{Route: r}
	}
}

// read returns an UPDATE's attributes and what it withdraws and announces.
func read(u *bgp.BGPUpdate) (r Route, gone, come []netip.Prefix) {
	for _, w := range u.WithdrawnRoutes {
		gone = append(gone, netip.MustParsePrefix(w.String()))
	}
	for _, n := range u.NLRI {
		come = append(come, netip.MustParsePrefix(n.String()))
	}
	for _, attr := range u.PathAttributes {
		switch a := attr.(type) {
		case *bgp.PathAttributeNextHop:
			r.NextHop, _ = netip.AddrFromSlice(a.Value)
		case *bgp.PathAttributeMpReachNLRI:
			r.NextHop, _ = netip.AddrFromSlice(a.Nexthop)
			for _, n := range a.Value {
				come = append(come, netip.MustParsePrefix(n.String()))
			}
		case *bgp.PathAttributeMpUnreachNLRI:
			for _, n := range a.Value {
				gone = append(gone, netip.MustParsePrefix(n.String()))
			}
		case *bgp.PathAttributeAsPath:
			r.Path = bgp.AsPathString(a)
		case *bgp.PathAttributeCommunities:
			for _, c := range a.Value {
				r.Communities = append(r.Communities, fmt.Sprintf("%d:%d", c>>16, c&0xffff))
			}
		case *bgp.PathAttributeLargeCommunities:
			for _, c := range a.Values {
				r.Large = append(r.Large, c.String())
			}
		}
	}
	r.NextHop = r.NextHop.Unmap()
	return r, gone, come
}

func familyOf(p netip.Prefix) bgp.RouteFamily {
	if p.Addr().Is4() {
		return ip4
	}
	return ip6
}

func endOfRIB(f bgp.RouteFamily) message {
	if f == ip4 {
		return Message(Update, 0, 0, 0, 0)
	}
	return Message(Update, 0, 0, 0, 6, 0x80, 15, 3, 0, 2, 1)
}

// announcement is an UPDATE with one IPv4 route that a router's AS has originated.
func announcement(as uint32, prefix netip.Prefix, nextHop netip.Addr) (message, error) {
	nlri := []*bgp.IPAddrPrefix{
		bgp.NewIPAddrPrefix(uint8(prefix.Bits()), prefix.Addr().String()),
	}
	m, err := bgp.NewBGPUpdateMessage(nil, []bgp.PathAttributeInterface{
		bgp.NewPathAttributeOrigin(0),
		bgp.NewPathAttributeAsPath([]bgp.AsPathParamInterface{
			bgp.NewAs4PathParam(bgp.BGP_ASPATH_ATTR_TYPE_SEQ, []uint32{as}),
		}),
		bgp.NewPathAttributeNextHop(nextHop.String()),
	}, nlri).Serialize()
	if err != nil {
		return nil, fmt.Errorf("announce %v: %w", prefix, err)
	}
	return m, nil
}

// openBody returns the body of a router's OPEN: both families, four-octet AS numbers, graceful
// restart.
func openBody(o *Options) []byte {
	caps := []byte{1, 4, 0, 1, 0, 1, 1, 4, 0, 2, 0, 1, 65, 4}
	caps = binary.BigEndian.AppendUint32(caps, o.AS)
	if seconds := min(o.GracefulRestart/time.Second, maxForget); seconds > 0 {
		caps = append(caps, 64, 10, byte(seconds>>8), byte(seconds), 0, 1, 1, 0x80, 0, 2, 1, 0x80)
	}
	as := o.AS
	if as > 0xffff {
		as = transAS
	}
	body := []byte{4, byte(as >> 8), byte(as), 0, byte(holdTime / time.Second)}
	body = append(body, o.RouterID.AsSlice()...)
	body = append(body, byte(2+len(caps)), 2, byte(len(caps)))
	return append(body, caps...)
}
