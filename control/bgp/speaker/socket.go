package speaker

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"syscall"
	"time"

	"weir/control/bgp/wire"
)

const (
	bgpPort     = 179
	maxTTL      = 255
	dialTimeout = 2 * time.Second
)

// control is what net.Dialer and net.ListenConfig call before a socket is used.
type control = func(network, address string, c syscall.RawConn) error

// with calls f with a socket's descriptor.
func with(c syscall.RawConn, f func(fd int) error) error {
	var failed error
	if err := c.Control(func(fd uintptr) { failed = f(int(fd)) }); err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	return failed
}

// secure signs the connection between link and GoBGP, where the system can.
func secure(address, key string) control {
	return func(_, _ string, c syscall.RawConn) error {
		if key == "" {
			return nil
		}
		return with(c, func(fd int) error { return setKey(fd, netip.MustParseAddr(address), key) })
	}
}

// canSign reports whether setKey works in this system: on Linux it does, unless the kernel was
// built without it.
func canSign() bool {
	if runtime.GOOS != "linux" {
		return false
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	lc.Control = secure(inside, "test")
	l, err := lc.Listen(context.Background(), "tcp4", inside+":0")
	if err != nil {
		return false
	}
	_ = l.Close()
	return true
}

// hops returns the TTL towards a peer, and the least that is taken from it; 0: the kernel's.
func hops(p *wire.Peer, local uint32) (ttl, least int) {
	switch {
	case p.TTLSecurity > 0:
		return maxTTL, maxTTL + 1 - int(p.TTLSecurity)
	case p.Multihop > 0:
		return int(p.Multihop), 0
	case p.AS != local:
		return 1, 0
	}
	return 0, 0
}

// dial connects to a peer that is not passive.
func dial(ctx context.Context, p *wire.Peer, local uint32) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout, Control: func(_, _ string, c syscall.RawConn) error {
		return with(c, func(fd int) error {
			if p.Password != "" {
				if err := setKey(fd, p.Address, p.Password); err != nil {
					return err
				}
			}
			ttl, least := hops(p, local)
			return setHops(fd, p.Address.Is6(), ttl, least)
		})
	}}
	d.SetMultipathTCP(false)
	if p.Local.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.Local, 0))
	}
	port := p.Port
	if port == 0 {
		port = bgpPort
	}
	conn, err := d.DialContext(ctx, "tcp", netip.AddrPortFrom(p.Address, port).String())
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return conn, nil
}

// listen opens what passive peers connect to: a socket for each address family among them, with
// their passwords. Multipath TCP, which Go listens with by default, knows neither passwords nor
// a least TTL.
func listen(s *wire.Setup) ([]net.Listener, error) {
	port := s.ListenPort
	if port == 0 {
		port = bgpPort
	}
	var listeners []net.Listener
	for _, network := range []string{"tcp4", "tcp6"} {
		var peers []*wire.Peer
		for i := range s.Peers {
			if p := &s.Peers[i]; p.Passive && p.Address.Is6() == (network == "tcp6") {
				peers = append(peers, p)
			}
		}
		if len(peers) == 0 {
			continue
		}
		lc := net.ListenConfig{Control: prepare(peers)}
		lc.SetMultipathTCP(false)
		l, err := lc.Listen(context.Background(), network, fmt.Sprintf(":%d", port))
		if err != nil {
			return nil, fmt.Errorf("listen for passive peers: %w", err)
		}
		listeners = append(listeners, l)
	}
	return listeners, nil
}

// prepare gives a listening socket the peers' passwords, and the TTL that the answer to a peer's
// first packet needs, where one is with ttl_security.
func prepare(peers []*wire.Peer) control {
	return func(_, _ string, c syscall.RawConn) error {
		return with(c, func(fd int) error {
			for _, p := range peers {
				if p.Password != "" {
					if err := setKey(fd, p.Address, p.Password); err != nil {
						return err
					}
				}
				if p.TTLSecurity > 0 {
					if err := setHops(fd, p.Address.Is6(), maxTTL, 0); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
}

// adopt sets what a connection that a passive peer made still needs.
func adopt(conn *net.TCPConn, p *wire.Peer, local uint32) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	ttl, least := hops(p, local)
	return with(raw, func(fd int) error { return setHops(fd, p.Address.Is6(), ttl, least) })
}
