//go:build !linux

package udp

import "net/netip"

// Source is the one socket of a Listener: what its worker receives from.
//
// Concurrency: one goroutine calls Poll and Release. All else may be called from any.
type Source struct{ *conn }

// open opens one socket, whatever number is wanted.
func (l *Listener) open(c *Config, fallback bool) error {
	s, err := openConn(c, l.at, fallback)
	if err != nil {
		return err
	}
	l.sources = []*Source{{s}}
	l.effective = s.buffer
	if at, err := netip.ParseAddrPort(s.socket.LocalAddr().String()); err == nil {
		l.at = netip.AddrPortFrom(l.at.Addr(), at.Port())
	}
	return nil
}
