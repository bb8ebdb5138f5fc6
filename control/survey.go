package control

import (
	"math/bits"

	"weir/control/rate"
	"weir/counters"
)

// survey is the loop's walk over one second's entries. Those of one view are noted as the tick
// comes by them; those of several are fused when it has been to all.
type survey struct {
	board  *board
	now    int64
	window int64
	keep   bool // hosts are wanted, and nobody reads the last ones
	counts [2]rate.Counts
	flows  [2]uint64
	active int

	view     *view
	networks []NetworkSecond
	first    int // of the view's networks in networks
	net      int
	host     HostSecond
	most     uint64 // packets of host in its stronger direction
	some     bool   // host is one
	spread   [65]int

	runs []stretch // of several views
	sums []sum     // of several views, by view
}

// begin starts the walk over the second that ends now.
func (b *board) begin(now, window int64) *survey {
	s := &b.walk
	*s = survey{
		board: b, now: now, window: window, networks: s.networks[:0], runs: s.runs[:0],
		sums: s.sums[:0],
	}
	if now <= b.wanted.Load() && b.big.TryLock() {
		s.keep = true
		b.hosts.All, b.hosts.Time, b.hosts.Window = b.hosts.All[:0], now, window
		b.hosts.Floor = b.floor
	}
	return s
}

// enter comes to the entries of v.
func (s *survey) enter(v *view) {
	s.flush()
	s.view, s.first, s.net = v, len(s.networks), len(s.networks)
	for i := range v.layout.Networks {
		s.networks = append(s.networks, NetworkSecond{Network: v.layout.Networks[i]})
	}
}

// note takes one entry, in the merger's order.
func (s *survey) note(en *counters.Entry) {
	d := direction(en.Outgoing())
	n := s.network(en.Key)
	n.Counts[d].AddEntry(en)
	if !s.some || s.host.Key != en.Key {
		s.active++
		n.Active++
	}
	if en.Aggregate() {
		s.flush()
		return
	}
	if s.some && s.host.Key != en.Key {
		s.flush()
	}
	if !s.some {
		s.host.Key, s.some, s.most = en.Key, true, 0
		if s.keep {
			s.host = HostSecond{Key: en.Key}
		}
	}
	packets, _ := en.Total()
	s.most = max(s.most, packets)
	if s.keep {
		s.host.Counts[d] = rate.CountsOf(en)
		s.host.Flows[d], s.host.AtLeast[d] = s.view.merger.Flows(en)
		s.flows[d] += s.host.Flows[d] // no two hosts have a flow in common in one direction
	}
}

// total sums what the networks of one view have.
func (s *survey) total() {
	for i := range s.networks {
		for d := range s.counts {
			s.counts[d].Add(&s.networks[i].Counts[d])
		}
	}
}

// network returns the network that holds the key of some host. Keys come in order, twice.
func (s *survey) network(key counters.Key) *NetworkSecond {
	inside := func(i int) bool { return s.networks[i].First.Compare(key) <= 0 }
	if !inside(s.net) {
		s.net = s.first
	}
	for s.net+1 < len(s.networks) && inside(s.net+1) {
		s.net++
	}
	return &s.networks[s.net]
}

// flush keeps the host at hand.
func (s *survey) flush() {
	if !s.some {
		return
	}
	s.some = false
	s.spread[bits.Len64(s.most)]++
	if b := s.board; s.keep && s.most >= b.floor && len(b.hosts.All) < maxHosts {
		b.hosts.All = append(b.hosts.All, s.host)
	}
}

// floorOf returns the least power of two of packets that so few hosts have that they can be kept.
func floorOf(spread *[65]int) uint64 {
	n := 0
	for i := 64; i > 0; i-- {
		if n += spread[i]; n > maxHosts {
			return 1 << i
		}
	}
	return 0
}

// keepAsked looks up the hosts that were asked for.
func (b *board) keepAsked(e *Engine) {
	asked := b.askedNow()
	b.hosts.Asked = make(map[counters.Key]HostSecond, len(asked))
	for key := range asked {
		h := HostSecond{Key: key}
		var most [2]uint64
		for _, v := range e.views {
			slot, direct, ours := v.layout.Slot(key.Addr())
			if !ours {
				continue
			}
			for d := range h.Counts {
				en := v.merger.Find(key, slot, direct, d == int(rate.Outgoing))
				if en == nil {
					continue
				}
				if packets, _ := en.Total(); packets > most[d] {
					most[d], h.Counts[d] = packets, rate.CountsOf(en)
					h.Flows[d], h.AtLeast[d] = v.merger.Flows(en)
				}
			}
		}
		b.hosts.Asked[key] = h
	}
}
