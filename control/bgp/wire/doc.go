// Package wire is the contract between weir and its BGP speaker, a process of its own: the
// messages, and how they are written to the socket that joins the two.
//
// A message is a frame of four bytes of length (big-endian, of what follows), the version, the
// kind, and JSON. Weir sends one Setup, then a Set whenever the desired routes change: always all
// of them, with a generation that grows. The speaker answers with a Report whenever something
// changed, and at least every Heartbeat.
package wire

import (
	"net/netip"
	"time"
)

// Version is of this contract. Both ends are the same binary: another version is a mistake.
const Version = 1

// MaxMessage bounds a message's length in bytes, version and kind included.
const MaxMessage = 8 << 20

// Heartbeat is how often the speaker reports when it has nothing new to say.
const Heartbeat = 500 * time.Millisecond

// Setup is the first message to a speaker, and sent once.
type Setup struct {
	AS       uint32
	RouterID netip.Addr // IPv4
	Peers    []Peer
	Networks []netip.Prefix // what may be announced is inside one of them
	// ListenPort is where passive peers connect to; 0: 179.
	ListenPort uint16 `json:",omitempty"`
	// KillFile is a path: while a file is there, nothing is announced. Empty: none.
	KillFile string `json:",omitempty"`
	// UID and GID are what a speaker that was started as root becomes; 0: nobody's.
	UID, GID int `json:",omitempty"`
}

// Peer is a router that routes are announced to.
type Peer struct {
	Address         netip.Addr
	Port            uint16     `json:",omitempty"` // 0: 179
	Local           netip.Addr // the address to speak from; zero: the kernel chooses
	AS              uint32
	Password        string `json:",omitempty"` // TCP MD5 (RFC 2385); empty: none
	Passive         bool   `json:",omitempty"` // the peer connects
	Multihop        uint8  `json:",omitempty"` // the TTL towards it; 0: it is on the link
	TTLSecurity     uint8  `json:",omitempty"` // hops to it (GTSM, RFC 5082); 0: off
	GracefulRestart uint16 `json:",omitempty"` // seconds (RFC 4724); 0: off
}

// Set is all routes that are wanted. A speaker refuses one whose generation is not greater than
// that of the last.
type Set struct {
	Generation uint64
	Routes     []Route
}

// Route is a host route to announce.
type Route struct {
	Prefix      netip.Prefix
	NextHop     netip.Addr
	Communities []Community   `json:",omitempty"`
	Lease       time.Duration // until it ends by itself, from the moment of sending
}

// Community is a standard community of two numbers (RFC 1997), or a large one of three (RFC 8092).
type Community struct {
	Large   bool   `json:",omitempty"`
	A, B, C uint32 `json:",omitempty"`
}

// Report is what the speaker knows. One with Beat alone says that nothing changed since the last.
type Report struct {
	Beat       bool `json:",omitempty"`
	Generation uint64
	Killed     bool `json:",omitempty"` // the kill file is there
	// KillError says why the kill file cannot be looked for: it then counts as not being there.
	KillError string `json:",omitempty"`
	Peers     []PeerReport
	Refused   []Refused `json:",omitempty"` // of the last Set, MaxRefused at most
	Counts    Counts
}

// MaxRefused bounds how many refused routes a Report names; Counts has them all.
const MaxRefused = 256

// Refused is a route that the speaker did not take, and why.
type Refused struct {
	Prefix netip.Prefix
	Reason string
}

// Counts are since the speaker's start.
type Counts struct {
	Refused uint64 // routes
	Stale   uint64 // sets refused for their generation
	Expired uint64 // routes whose lease ended
}

// PeerReport is the state of a session, and what stands in the peer's adj-rib-out.
type PeerReport struct {
	Address netip.Addr
	State   State
	Since   time.Duration // how long it has been in State
	Flaps   uint64        // how often it was established, and ended
	Ignored uint64        // UPDATE messages of the peer, none of which is ever read
	Error   string        `json:",omitempty"` // why the last session or attempt ended
	Out     []netip.Prefix
}

// State is a session's, of RFC 4271 section 8.2.2.
type State string

// The states of a session.
const (
	Idle        State = "idle"
	Connect     State = "connect"
	Active      State = "active"
	OpenSent    State = "opensent"
	OpenConfirm State = "openconfirm"
	Established State = "established"
)
