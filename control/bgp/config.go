// Package bgp announces blackhole routes to routers. It starts the speaker, a child process of the
// same binary (control/bgp/speaker), keeps it running, tells it which routes are wanted, and knows
// where they stand.
//
// The child may end at any time, by a message that it stumbles over or by our own hand: routers
// hold the routes while graceful restart lets them, and the next child begins with all of them.
package bgp

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"time"

	"weir/control/bgp/wire"
)

// Config is what a Supervisor is made from.
type Config struct {
	AS       uint32
	RouterID netip.Addr // IPv4
	Peers    []Peer
	Networks []netip.Prefix // the only place where announced addresses may be
	// ListenPort is where passive peers connect to; 0: 179. Without passive peers nothing listens.
	ListenPort uint16
	// KillFile is the path of a kill file (control/brake) that the child looks at four times a
	// second: while that asks for it, it announces nothing. Empty: none. The child must be able to
	// search its folder.
	KillFile string
	// UID and GID are what the child of a root becomes; 0: nobody.
	UID, GID int

	// Command is the child's program and arguments; empty: this program's "speaker".
	Command []string
	Env     []string // of the child; nothing else is in its environment

	Clock func() int64 // that of governor.Approved's leases, nanoseconds
	Log   *slog.Logger
	// Patience is how long the child may be silent before it is killed; 0: 5 s. It has something to
	// say every half second.
	Patience time.Duration
}

// Peer is a router that routes are announced to.
type Peer struct {
	Address     netip.Addr
	Port        uint16     // 0: 179
	Local       netip.Addr // the address to speak from; the zero value leaves it to the kernel
	AS          uint32
	Password    string // TCP MD5 (RFC 2385); empty: none
	Passive     bool   // the peer connects
	Multihop    uint8  // the TTL towards a peer that is not on the link; 0: it is
	TTLSecurity uint8  // hops to the peer, nearer than which nothing is taken (RFC 5082); 0: off
	// GracefulRestart is how long the peer holds our routes while there is no session (RFC 4724),
	// in whole seconds; 0: off, and they are gone at once.
	GracefulRestart time.Duration
}

const defaultPatience = 5 * time.Second

func (c *Config) withDefaults() error {
	switch {
	case c.Clock == nil:
		return errors.New("bgp: no clock")
	case c.AS == 0 || !c.RouterID.Is4():
		return errors.New("bgp: no AS, or no IPv4 router ID")
	}
	seen := map[netip.Addr]bool{}
	for i := range c.Peers {
		a := c.Peers[i].Address
		if !a.IsValid() || a.Is4In6() || seen[a] {
			return fmt.Errorf("bgp: peer %v is no address, or there twice", a)
		}
		seen[a] = true
	}
	if len(c.Command) == 0 {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("bgp: find this program: %w", err)
		}
		c.Command = []string{self, "speaker"}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Patience == 0 {
		c.Patience = defaultPatience
	}
	return nil
}

// listens reports whether the child opens a port below 1024.
func (c *Config) listens() bool {
	return c.ListenPort < 1024 && slices.ContainsFunc(c.Peers, func(p Peer) bool {
		return p.Passive
	})
}

func (c *Config) setup() *wire.Setup {
	s := &wire.Setup{
		AS: c.AS, RouterID: c.RouterID, Networks: c.Networks, ListenPort: c.ListenPort,
		KillFile: c.KillFile, UID: c.UID, GID: c.GID,
	}
	for i := range c.Peers {
		p := &c.Peers[i]
		s.Peers = append(s.Peers, wire.Peer{
			Address: p.Address, Port: p.Port, Local: p.Local, AS: p.AS, Password: p.Password,
			Passive: p.Passive, Multihop: p.Multihop, TTLSecurity: p.TTLSecurity,
			GracefulRestart: uint16(p.GracefulRestart / time.Second),
		})
	}
	return s
}
