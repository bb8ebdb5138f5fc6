package fastpath

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"weir/counters"
	"weir/counters/prefix"
	"weir/decode"
	"weir/fastpath/filter"
)

// Aspect is what a limit on packets or bytes looks at.
type Aspect uint8

// The aspects: the total, and the classes of the same names.
const (
	Total Aspect = iota
	TCP
	UDP
	ICMP
	SYN
	Frag
	NumAspects
)

// Limits are one direction's limits for a host, per second over all workers; 0 is none.
type Limits struct {
	Packets [NumAspects]uint64
	Bytes   [NumAspects]uint64 // IP length
	Flows   uint64
}

// Group is a hostgroup: hosts under one of its prefixes, by longest match, have its limits.
type Group struct {
	Prefixes []netip.Prefix
	Limits   [2]Limits // incoming, outgoing
}

// Policy is what workers decide by, compiled. It is immutable.
type Policy struct {
	layout  *counters.Layout
	lookup  *prefix.Table
	places  []place // by prefix.Value - 1
	shares  [][2]share
	decoder *decode.Decoder
	filter  Filter
}

// Filter says which traffic of ours is not counted.
type Filter struct {
	Rules  *filter.Rules  // nil: none
	Script *filter.Script // asked about flow records that no rule matches; nil: none
	Budget time.Duration  // CPU time per second that Script may take of each worker; 0: any
}

// SetFilter makes p leave out what f says. It is called before p is published.
func (p *Policy) SetFilter(f Filter) { p.filter = f }

// place is where the hosts under one prefix are counted.
type place struct {
	base   uint32 // first slot of the network's hosts or aggregates
	mask   uint32 // hosts or aggregates - 1
	shift  uint8
	direct bool
	group  uint16
}

// share is one worker's part of a group's limits in one direction.
type share struct {
	packets [NumAspects]uint64
	bytes   [NumAspects]uint64
	flows   uint64
	cold    uint32 // packets that may pass before the slot can be warm
	admit   uint32 // packets that list a host in the directory

	warmPackets, warmBytes float64 // a fifth of the smallest limit, per second, of flow records
}

const (
	warmPart  = 5  // a slot above a fifth of a limit is warm
	admitPart = 64 // a host is listed above a 64th of its smallest packet limit …
	admitMost = 16 // … or these many packets
	frameMost = 9216
)

// NewPolicy compiles groups for l, for workers that see one of sampling packets. groups[0] holds
// the hosts that no other group names.
func NewPolicy(
	l *counters.Layout, groups []Group, decoder *decode.Decoder, sampling uint32,
) (*Policy, error) {
	if len(groups) == 0 || len(groups) > 1<<16 {
		return nil, fmt.Errorf("compile policy: %d hostgroups, not 1 to 65536", len(groups))
	}
	p := &Policy{layout: l, decoder: decoder, shares: make([][2]share, len(groups))}
	for g := range groups {
		for d := range groups[g].Limits {
			parts := uint64(l.Workers) * uint64(max(1, sampling))
			p.shares[g][d] = newShare(&groups[g].Limits[d], parts)
		}
	}
	var entries []prefix.Entry
	for i := range l.Networks {
		entries = p.placeNetwork(entries, &l.Networks[i], groups)
	}
	var err error
	if p.lookup, err = prefix.New(entries); err != nil {
		return nil, fmt.Errorf("compile policy: %w", err)
	}
	return p, nil
}

// placeNetwork appends the prefixes of n: the network itself and every group prefix inside it.
func (p *Policy) placeNetwork(
	to []prefix.Entry, n *counters.Network, groups []Group,
) []prefix.Entry {
	outer, outerBits := 0, -1
	type inside struct {
		prefix netip.Prefix
		group  int
	}
	var inner []inside
	for g := range groups {
		for _, q := range groups[g].Prefixes {
			switch {
			case !q.Overlaps(n.Prefix):
			case q.Bits() <= n.Prefix.Bits():
				if q.Bits() > outerBits {
					outer, outerBits = g, q.Bits()
				}
			default:
				inner = append(inner, inside{q, g})
			}
		}
	}
	slices.SortStableFunc(inner, func(a, b inside) int { return a.prefix.Bits() - b.prefix.Bits() })
	add := func(q netip.Prefix, group int) {
		p.places = append(p.places, place{
			base: n.Base, mask: n.Count - 1, shift: n.Shift, direct: n.Direct, group: uint16(group),
		})
		to = append(to, prefix.Entry{Prefix: q, Value: prefix.Value(len(p.places))})
	}
	add(n.Prefix, outer)
	for _, in := range inner {
		add(in.prefix, in.group)
	}
	return to
}

// newShare divides l into parts: among workers, and by what sampling leaves out. A hint must not
// come too late when one worker sees less than its part, so shares round down, to at least 1.
func newShare(l *Limits, parts uint64) share {
	var s share
	s.cold, s.admit = 1<<30, admitMost
	s.warmPackets, s.warmBytes = math.MaxFloat64/1e20, math.MaxFloat64/1e20
	part := func(limit uint64) uint64 {
		if limit == 0 {
			return 0
		}
		return max(1, limit/parts)
	}
	for a := range NumAspects {
		s.packets[a], s.bytes[a] = part(l.Packets[a]), part(l.Bytes[a])
		if v := s.packets[a]; v > 0 {
			s.cold = uint32(min(uint64(s.cold), v/warmPart+1))
			s.admit = uint32(min(uint64(s.admit), max(1, v/admitPart)))
			s.warmPackets = min(s.warmPackets, float64(v)/warmPart)
		}
		if v := s.bytes[a]; v > 0 {
			s.warmBytes = min(s.warmBytes, float64(v)/warmPart)
			s.cold = uint32(min(uint64(s.cold), v/warmPart/frameMost+1))
		}
	}
	if s.flows = part(l.Flows); s.flows > 0 {
		s.cold = uint32(min(uint64(s.cold), s.flows/warmPart+1))
		s.admit = uint32(min(uint64(s.admit), max(1, s.flows/admitPart)))
	}
	return s
}

// Group returns the number of the group that the address belongs to, and false if it is not ours.
func (p *Policy) Group(hi, lo uint64) (group int, ok bool) {
	v := p.lookup.Lookup(hi, lo)
	if v == 0 {
		return 0, false
	}
	return int(p.places[v-1].group), true
}

// slot returns the incoming slot of the address: its host's if direct, else its aggregate's.
func (pl *place) slot(hi, lo uint64) uint32 {
	v := lo >> (pl.shift & 63)
	if pl.shift != 0 {
		v = shiftRight(hi, lo, pl.shift)
	}
	return pl.base + 2*(uint32(v)&pl.mask)
}

func shiftRight(hi, lo uint64, n uint8) uint64 {
	if n >= 64 {
		return hi >> (n - 64)
	}
	return lo>>n | hi<<(64-n)
}

// level is how near a slot is to its limits.
type level uint8

const (
	cold level = iota
	warm       // above a fifth of some limit
	over       // above some limit
)

// judge returns how near s is to its limits, and how many packets may pass at least before the
// next level. Frames are taken as jumbo frames at most; larger ones are noticed a little later.
func (sh *share) judge(s *counters.Slot) (at level, next uint64) {
	next = 1 << 30
	for a := range NumAspects {
		packets, bytes := aspect(s, a)
		if limit := sh.packets[a]; limit != 0 {
			at, next = grade(at, next, packets, limit, 1)
		}
		if limit := sh.bytes[a]; limit != 0 {
			at, next = grade(at, next, bytes, limit, frameMost)
		}
	}
	if sh.flows != 0 {
		at, next = grade(at, next, roughFlows(s), sh.flows, 1)
	}
	return at, next
}

// grade weighs one value against its limit; each packet may add unit to it.
func grade(at level, next, value, limit, unit uint64) (level, uint64) {
	switch {
	case value > limit:
		return over, next
	case value > limit/warmPart:
		return max(at, warm), min(next, (limit-value)/unit+1)
	}
	return at, min(next, (limit/warmPart-value)/unit+1)
}

func aspect(s *counters.Slot, a Aspect) (packets, bytes uint64) {
	switch a {
	case Total:
		return s.Total()
	case TCP, UDP, ICMP:
		c := counters.TCP + counters.Class(a-TCP)
		return s.Packets(c), s.Bytes(c)
	case SYN:
		return s.Packets(counters.SYN), s.Bytes(counters.SYN)
	}
	return s.Packets(counters.Frag), s.Bytes(counters.Frag)
}

// roughFlows bounds the flows of s from below without a logarithm: set bits, and of a bitmap that
// is more than half full the first terms of the series.
func roughFlows(s *counters.Slot) uint64 {
	set, of := s.FlowBits()
	x := uint64(set) * 1024 / uint64(of) // fill in 1/1024
	// m·(-ln(1-x)) ≥ m·(x + x²/2 + x³/3)
	return uint64(of) * (x + x*x/2048 + x*x*x/(3<<20)) / 1024
}
