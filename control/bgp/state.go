package bgp

import (
	"net/netip"
	"time"

	"weir/control/bgp/wire"
)

// State is what is known at one moment. Nothing in it is changed any more.
type State struct {
	Child ChildState
	Peers []PeerState // in the order of Config.Peers
	// Wanted is the generation of the last Set; Acknowledged the newest that the child has taken.
	Wanted, Acknowledged uint64
	Killed               bool   // the child sees the kill file
	KillError            string // why it cannot look for it, or empty
	Refused              []Refused
	RefusedTotal         uint64 // by this child
	ExpiredTotal         uint64 // routes whose lease ended in this child
	Established          int    // peers

	standing map[netip.Prefix]int
}

// ChildState is that of the child process.
type ChildState struct {
	PID      int
	Alive    bool   // it has reported, and was not silent for too long
	Restarts uint64 // children after the first
	Error    string // how the last one ended, or empty
}

// PeerState is that of a session. Of a child that ended it is idle, with nothing announced: what
// the router still holds nobody knows.
type PeerState struct {
	Address netip.Addr
	AS      uint32
	State   string    // idle, connect, active, opensent, openconfirm, established
	Since   time.Time // when it came into State
	Flaps   uint64    // sessions that ended after they were established, of all children
	Ignored uint64    // UPDATE messages that the peer sent, and nobody read, in this child
	Error   string    // why the last session or attempt ended, or empty
	Out     []netip.Prefix
}

// Refused is a route that the child did not take.
type Refused struct {
	Prefix netip.Prefix
	Reason string
}

// Standing returns in how many peers' adj-rib-out a prefix stands: its announcement was written
// to them, and the session is up. State.Established is how many there could be.
func (s *State) Standing(p netip.Prefix) int { return s.standing[p] }

// initial is the state before there is a child.
func initial(c *Config) *State {
	s := &State{}
	for i := range c.Peers {
		s.Peers = append(s.Peers, PeerState{
			Address: c.Peers[i].Address, AS: c.Peers[i].AS, State: string(wire.Idle),
		})
	}
	return s
}

// reported returns s after a report of the child. before holds each peer's flaps in earlier ones.
func (s *State) reported(r *wire.Report, before []uint64, now time.Time) *State {
	next := *s
	next.Child.Alive = true
	next.Acknowledged, next.Killed, next.KillError = r.Generation, r.Killed, r.KillError
	next.RefusedTotal, next.ExpiredTotal = r.Counts.Refused, r.Counts.Expired
	if r.Beat || len(r.Peers) != len(s.Peers) {
		return &next
	}
	next.Refused, next.Peers, next.Established = nil, nil, 0
	next.standing = map[netip.Prefix]int{}
	for _, f := range r.Refused {
		next.Refused = append(next.Refused, Refused(f))
	}
	for i := range r.Peers {
		p := &r.Peers[i]
		if p.State == wire.Established {
			next.Established++
		}
		for _, prefix := range p.Out {
			next.standing[prefix]++
		}
		next.Peers = append(next.Peers, PeerState{
			Address: s.Peers[i].Address, AS: s.Peers[i].AS, State: string(p.State),
			Since: now.Add(-p.Since), Flaps: before[i] + p.Flaps, Ignored: p.Ignored,
			Error: p.Error, Out: p.Out,
		})
	}
	return &next
}

// ended returns s without its child. A session that was up has flapped.
func (s *State) ended(why string, now time.Time) *State {
	next := *s
	next.Child.PID, next.Child.Alive, next.Child.Error = 0, false, why
	next.Peers, next.Established, next.Acknowledged = nil, 0, 0
	next.standing, next.Refused = nil, nil
	for _, p := range s.Peers {
		if p.State == string(wire.Established) {
			p.Flaps++
		}
		if p.State != string(wire.Idle) {
			p.State, p.Since = string(wire.Idle), now
		}
		p.Out, p.Ignored = nil, 0
		next.Peers = append(next.Peers, p)
	}
	return &next
}
