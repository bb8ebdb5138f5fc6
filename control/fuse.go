package control

import (
	"weir/control/rate"
	"weir/counters"
)

// stretch is a part of a view's entries that is in order of address.
type stretch struct {
	view, at, end int
	merger        *counters.Merger
	next          *counters.Entry // number at; nil: there is none left
}

func (r *stretch) advance() {
	r.next = nil
	if r.at++; r.at < r.end {
		r.next = r.merger.Entry(r.at)
	}
}

// sum is what one view saw of all networks, by rate.Direction.
type sum struct {
	counts [2]rate.Counts
	flows  [2]uint64
}

// fuse takes the entries of all views, which see the same traffic, in order of address: of each
// host, of each network and of all, in each direction, that of the view with most packets. It
// reads the merged tables where they are, and so needs memory for no host but one.
func (s *survey) fuse(views []*view) {
	for i, v := range views {
		direct, all := v.merger.Direct(), v.merger.Len()
		for _, part := range [...]stretch{{at: 0, end: direct}, {at: direct, end: all}} {
			if part.at < part.end {
				part.view, part.merger, part.next = i, v.merger, v.merger.Entry(part.at)
				s.runs = append(s.runs, part)
			}
		}
		s.sums = append(s.sums, sum{})
	}
	s.net = 0
	for en := s.least(); en != nil; en = s.least() {
		s.unite(en.Key, en.Aggregate())
	}
	s.choose()
}

// least returns the first of the entries that are left, by address, an aggregate before a host.
func (s *survey) least() (first *counters.Entry) {
	for i := range s.runs {
		en := s.runs[i].next
		if en == nil {
			continue
		}
		if first != nil {
			c := en.Key.Compare(first.Key)
			if c > 0 || c == 0 && (first.Aggregate() || !en.Aggregate()) {
				continue
			}
		}
		first = en
	}
	return first
}

// unite takes what the views have of one host or aggregate, which is the least of all.
func (s *survey) unite(key counters.Key, aggregate bool) {
	networks := len(s.networks) / len(s.sums)
	for s.net+1 < networks && s.networks[s.net+1].First.Compare(key) <= 0 {
		s.net++
	}
	s.active++
	s.networks[s.net].Active++
	s.host = HostSecond{Key: key}
	var most [2]uint64
	for i := range s.runs {
		r := &s.runs[i]
		for ; r.next != nil && r.next.Key == key && r.next.Aggregate() == aggregate; r.advance() {
			d := direction(r.next.Outgoing())
			c := rate.CountsOf(r.next)
			all := &s.sums[r.view]
			all.counts[d].Add(&c)
			s.networks[r.view*networks+s.net].Counts[d].Add(&c)
			if aggregate {
				continue
			}
			flows, low := uint64(0), false
			if s.keep {
				flows, low = r.merger.Flows(r.next)
				all.flows[d] += flows
			}
			if packets, _ := r.next.Total(); packets > most[d] {
				most[d], s.host.Counts[d] = packets, c
				s.host.Flows[d], s.host.AtLeast[d] = flows, low
			}
		}
	}
	s.some, s.most = !aggregate, max(most[0], most[1])
	s.flush()
}

// choose leaves of the sums, and of every network's, those of the view with most packets.
func (s *survey) choose() {
	for d := range s.counts {
		best := &s.sums[0]
		for i := range s.sums {
			if packetsOf(&s.sums[i].counts[d]) > packetsOf(&best.counts[d]) {
				best = &s.sums[i]
			}
		}
		s.counts[d], s.flows[d] = best.counts[d], best.flows[d]
	}
	networks := len(s.networks) / len(s.sums)
	for n := range networks {
		most := &s.networks[n] // of the first view
		both := packetsOf(&most.Counts[0]) + packetsOf(&most.Counts[1])
		for i := n + networks; i < len(s.networks); i += networks {
			other, packets := &s.networks[i], uint64(0)
			for d := range other.Counts {
				in := packetsOf(&other.Counts[d])
				packets += in
				if in > packetsOf(&most.Counts[d]) {
					most.Counts[d] = other.Counts[d]
				}
			}
			if packets > both {
				both, most.Network = packets, other.Network
			}
		}
	}
	s.networks = s.networks[:networks]
}

func packetsOf(c *rate.Counts) uint64 {
	packets, _ := c.Total()
	return packets
}
