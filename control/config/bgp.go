package config

import (
	"net/netip"
	"time"

	"weir/control/ban"
)

// BGP is the speaker, its peers, and how blackholes are announced. Without peers nothing is.
type BGP struct {
	Local     Local     `yaml:"local,omitempty"`
	Peers     []Peer    `yaml:"peers"`
	Blackhole Blackhole `yaml:"blackhole"`
}

// Local is the speaker itself. It must be given where there are peers; else it may be zero.
type Local struct {
	AS       uint32     `yaml:"as" required:"y" example:"65001" range:"1,4294967294"`
	RouterID netip.Addr `yaml:"router_id" required:"y" example:"192.0.2.1" form:"ipv4"`
}

// Peer is a router that routes are announced to.
type Peer struct {
	Address      netip.Addr `yaml:"address" required:"y" example:"192.0.2.254" form:"host"`
	AS           uint32     `yaml:"as" required:"y" example:"65001" range:"1,4294967294"`
	PasswordFile string     `yaml:"password_file,omitempty" form:"path"` // TCP MD5 (RFC 2385)
	Passive      bool       `yaml:"passive"`                             // the peer connects

	// Multihop is the TTL towards a peer that is not on the link; 0: it is.
	Multihop uint8 `yaml:"multihop" range:"1,255" words:"true=255,false=0"`
	// TTLSecurity is the number of hops to the peer, and packets that came farther are dropped
	// (GTSM, RFC 5082); 0: off.
	TTLSecurity uint8 `yaml:"ttl_security" range:"1,254" words:"true=1,false=0"`
	// GracefulRestart is how long the peer keeps our routes while the session is down
	// (RFC 4724), in whole seconds; 0: off.
	GracefulRestart time.Duration `yaml:"graceful_restart" range:"1s,4095s" words:"true=2m,false=0"`
}

// Blackhole is what a blackhole route carries (RFC 7999).
type Blackhole struct {
	Communities []ban.Community `yaml:"communities" unique:"y"`
	NextHop     netip.Addr      `yaml:"next_hop" form:"ipv4"`
	NextHop6    netip.Addr      `yaml:"next_hop6" form:"ipv6"`
}

func (p *Peer) setDefaults() { p.GracefulRestart = 120 * time.Second }
