package counters

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"slices"
	"sort"
)

// Key is an address as one 16-byte key in two big-endian halves; IPv4 is v4-mapped.
type Key struct{ Hi, Lo uint64 }

// KeyOf returns the key of ip.
func KeyOf(ip netip.Addr) Key {
	b := ip.As16()
	return Key{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// Addr returns the address of k; a v4-mapped one becomes plain IPv4.
func (k Key) Addr() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], k.Hi)
	binary.BigEndian.PutUint64(b[8:], k.Lo)
	return netip.AddrFrom16(b).Unmap()
}

// Compare orders keys as addresses.
func (k Key) Compare(o Key) int {
	if k.Hi != o.Hi {
		if k.Hi < o.Hi {
			return -1
		}
		return 1
	}
	if k.Lo != o.Lo {
		if k.Lo < o.Lo {
			return -1
		}
		return 1
	}
	return 0
}

// Sizes of the parts of a layout.
const (
	maxDirectBits = 24      // a network with more host bits goes to the directory
	aggregateBits = 16      // aggregates per directory network: at most 2^16 …
	aggregatePart = 8       // … and so few that they take an eighth of the budget
	slabPart      = 4       // flow slabs take at most a quarter of it
	dirWays       = 16      // entries of a directory bucket
	maxDirectory  = 1 << 18 // directory entries per worker
	minDirectory  = 1 << 10
	minSlabs      = 64
	maxSmallSlabs = 1 << 17
	maxBigSlabs   = 1 << 14
	slotsPerHost  = 2 // incoming and outgoing; see Line

	flowSlotPart = 16 // FlowSlots of one table of each worker take at most a sixteenth of it
	minFlowSlots = 1 << 10
	maxFlowSlots = 1 << 20
)

// Network is one home network's place in a Layout.
type Network struct {
	Prefix netip.Prefix
	First  Key    // its first address
	Base   uint32 // first slot: of its hosts if Direct, else of its aggregates
	Count  uint32 // hosts or aggregates; each has two slots
	Shift  uint8  // aggregates: address bits to the right of the aggregate's prefix
	Direct bool   // every address has slots of its own
}

// Layout says where in a table every host of the home networks lives. It is immutable. Networks
// of up to 2^24 addresses are indexed by address: no key, no probe, nothing for an attacker to
// steer. The others share a directory of the hosts that matter, beside exact aggregates of the
// rest: at most 65 536 per network, fewer under a small budget, /64 or shorter for IPv6.
type Layout struct {
	Networks  []Network // sorted by address
	Slots     uint32    // all slots of a table
	Directory uint32    // entries of the directory, 0 or a power of two
	DirBase   uint32    // first slot of the directory
	Small     uint32    // 1024-bit flow slabs of a table
	Big       uint32    // 4096-bit flow slabs of a table
	Workers   int
	Budget    uint64 // bytes that Memory must not exceed

	// FlowSlots is how many hosts, by direction, a table of flow records holds in one epoch; 0: the
	// tables are of packets.
	FlowSlots uint32
}

// NewLayout plans tables for networks, workers of one view, and at most budget bytes in all. It
// gives addresses slots of their own from the smallest network upwards while that fits.
// Overlapping networks are planned once, by the shorter prefix. The error says what the smallest
// possible plan would take.
func NewLayout(networks []netip.Prefix, workers int, budget uint64) (*Layout, error) {
	return planLayout(networks, workers, budget, plan)
}

// NewFlowLayout plans tables of flow records in the same way. A host takes 8 bytes there, and 1 KiB
// in an epoch in which it has records; a sixteenth of the budget holds these of one table.
func NewFlowLayout(networks []netip.Prefix, workers int, budget uint64) (*Layout, error) {
	return planLayout(networks, workers, budget, planFlows)
}

// planner lays out nets, of which those with a rank below direct are indexed by address.
type planner func(
	nets []netip.Prefix, ranks []int, direct int, entries uint32, workers int, budget uint64,
) *Layout

func planLayout(
	networks []netip.Prefix, workers int, budget uint64, plan planner,
) (*Layout, error) {
	nets := disjoint(networks)
	if len(nets) == 0 {
		return nil, fmt.Errorf("plan tables: no networks")
	}
	if workers < 1 {
		return nil, fmt.Errorf("plan tables: %d workers", workers)
	}
	fits := func(l *Layout) bool { return l.Memory() <= budget && uint64(l.Slots) <= maxSlots }
	ranks, candidates := directRanks(nets)
	if l := plan(nets, ranks, candidates, maxDirectory, workers, budget); fits(l) {
		return l, nil
	}
	// The more networks are direct the more memory it takes: find the first number too many.
	tooMany := sort.Search(candidates+1, func(direct int) bool {
		return !fits(plan(nets, ranks, direct, minDirectory, workers, budget))
	})
	if tooMany == 0 {
		least := plan(nets, ranks, 0, minDirectory, workers, budget)
		return nil, fmt.Errorf("plan tables: the smallest plan for %d networks takes %d bytes, "+
			"the budget is %d", len(nets), least.Memory(), budget)
	}
	entries := uint32(maxDirectory)
	for !fits(plan(nets, ranks, tooMany-1, entries, workers, budget)) {
		entries /= 4
	}
	return plan(nets, ranks, tooMany-1, entries, workers, budget), nil
}

// disjoint returns the networks sorted by address, without those inside another.
func disjoint(networks []netip.Prefix) []netip.Prefix {
	nets := make([]netip.Prefix, len(networks))
	for i, p := range networks {
		nets[i] = p.Masked()
	}
	slices.SortFunc(nets, func(a, b netip.Prefix) int {
		if c := KeyOf(a.Addr()).Compare(KeyOf(b.Addr())); c != 0 {
			return c
		}
		return a.Bits() - b.Bits()
	})
	out := nets[:0]
	for _, p := range nets {
		if len(out) == 0 || !out[len(out)-1].Overlaps(p) {
			out = append(out, p)
		}
	}
	return out
}

// directRanks returns the place of every network among those that may be direct, the smallest
// first, and how many these are.
func directRanks(nets []netip.Prefix) (ranks []int, candidates int) {
	order := make([]int, len(nets))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return hostBits(nets[a]) - hostBits(nets[b])
	})
	ranks = make([]int, len(nets))
	for rank, i := range order {
		ranks[i] = rank
		if hostBits(nets[i]) <= maxDirectBits {
			candidates++
		}
	}
	return ranks, candidates
}

func hostBits(p netip.Prefix) int { return p.Addr().BitLen() - p.Bits() }

// plan is the planner of tables of packets.
func plan(
	nets []netip.Prefix, ranks []int, direct int, entries uint32, workers int, budget uint64,
) *Layout {
	l := place(nets, ranks, direct, entries, workers, budget)
	l.planSlabs(uint64(l.Slots))
	return l
}

// planFlows is the planner of tables of flow records.
func planFlows(
	nets []netip.Prefix, ranks []int, direct int, entries uint32, workers int, budget uint64,
) *Layout {
	l := place(nets, ranks, direct, entries, workers, budget)
	share := budget / flowSlotPart / uint64(workers) / sizeOf[FlowSlot](1)
	l.FlowSlots = uint32(max(minFlowSlots, min(share, uint64(l.Slots), maxFlowSlots)))
	return l
}

// place gives every network its slots.
func place(
	nets []netip.Prefix, ranks []int, direct int, entries uint32, workers int, budget uint64,
) *Layout {
	l := &Layout{Workers: workers, Budget: budget, Networks: make([]Network, 0, len(nets))}
	extra := aggregateBitsFor(len(nets)-direct, workers, budget)
	var slots uint64
	for i, p := range nets {
		n := Network{
			Prefix: p, First: KeyOf(p.Addr()), Base: uint32(slots), Direct: ranks[i] < direct,
		}
		bits := hostBits(p)
		if !n.Direct {
			l.Directory = entries
			n.Shift = aggregateShift(p, extra)
			bits -= int(n.Shift)
		}
		n.Count = 1 << bits
		slots += slotsPerHost * uint64(n.Count)
		l.Networks = append(l.Networks, n)
	}
	slots = (slots + pairMask) &^ pairMask // Line stays within that many
	l.DirBase = uint32(min(slots, maxSlots))
	slots += slotsPerHost * uint64(l.Directory)
	l.Slots = uint32(min(slots, maxSlots+1))
	return l
}

// maxSlots keeps slot numbers within 31 bits.
const maxSlots = 1 << 31

// planSlabs gives every slot that the budget allows a chance of a flow slab.
func (l *Layout) planSlabs(slots uint64) {
	slabs := func(most uint64) uint32 { return uint32(1) << (bits.Len64(min(slots, most)) - 1) }
	l.Small, l.Big = slabs(maxSmallSlabs), slabs(maxBigSlabs)
	sets := uint64(2*l.Workers + 1) // tables, and the merger's unions
	bytes := func() uint64 { return (uint64(l.Small)*smallBits + uint64(l.Big)*bigBits) / 8 }
	for l.Big > minSlabs && sets*bytes() > l.Budget/slabPart {
		l.Small, l.Big = l.Small/2, l.Big/2
	}
}

// aggregateBitsFor returns how many bits longer than its network's an aggregate's prefix may be.
func aggregateBitsFor(networks, workers int, budget uint64) int {
	perAggregate := slotsPerHost * (2*uint64(workers)*sizeOf[Slot](1) + sizeOf[Entry](1))
	extra := aggregateBits
	for extra > 1 && uint64(networks)*perAggregate<<extra > budget/aggregatePart {
		extra--
	}
	return extra
}

// aggregateShift returns how many low address bits an aggregate of p ignores: its prefix is extra
// bits longer than p's, but not longer than /64 for IPv6.
func aggregateShift(p netip.Prefix, extra int) uint8 {
	width := p.Addr().BitLen()
	length := min(p.Bits()+extra, width)
	if width == 128 && length > 64 {
		length = max(64, p.Bits())
	}
	return uint8(width - length)
}

// Memory returns the bytes that the tables of all workers and the merged table take together.
func (l *Layout) Memory() uint64 {
	return uint64(l.Workers)*(2*l.tableBytes()+l.directoryBytes()) + l.mergerBytes()
}

// Hosts returns how many hosts can be counted exactly at the same time.
func (l *Layout) Hosts() uint64 {
	n := uint64(l.Directory)
	for i := range l.Networks {
		if l.Networks[i].Direct {
			n += uint64(l.Networks[i].Count)
		}
	}
	return n
}

// Slot returns the incoming slot of the host ip if it is direct, else that of its aggregate;
// false when ip is not in a home network. The packet path uses prefix.Table instead.
func (l *Layout) Slot(ip netip.Addr) (slot uint32, direct, ok bool) {
	k := KeyOf(ip)
	after := sort.Search(len(l.Networks), func(i int) bool {
		return KeyOf(l.Networks[i].Prefix.Addr()).Compare(k) > 0
	})
	if after == 0 || !l.Networks[after-1].Prefix.Contains(ip) {
		return 0, false, false
	}
	n := &l.Networks[after-1]
	return n.Base + slotsPerHost*n.index(k), n.Direct, true
}

// index returns the number of k's host or aggregate within n.
func (n *Network) index(k Key) uint32 {
	return uint32(shiftRight(k, n.Shift).Lo) & (n.Count - 1)
}

// key returns the address of host or aggregate i of n.
func (n *Network) key(i uint32) Key {
	k := shiftLeft(Key{Lo: uint64(i)}, n.Shift)
	return Key{n.First.Hi | k.Hi, n.First.Lo | k.Lo}
}

func shiftRight(k Key, n uint8) Key {
	if n >= 64 {
		return Key{0, k.Hi >> (n - 64)}
	}
	return Key{k.Hi >> n, k.Lo>>n | k.Hi<<(64-n)}
}

func shiftLeft(k Key, n uint8) Key {
	if n >= 64 {
		return Key{k.Lo << (n - 64), 0}
	}
	return Key{k.Hi<<n | k.Lo>>(64-n), k.Lo << n}
}
