package rate

import (
	"math"

	"weir/counters"
)

// Spreader turns what flow exporters tell into what was on the wire second by second. A flow is
// told at its end, or each time its exporter's active timeout has passed: its counts are spread
// over as many seconds as it took, from the second in which they came. So a flow that goes on shows
// its true rate from its first export to the end of its last, a flow of a day is no spike, and
// every packet is counted once. Flows of up to a second count at once, unless they ended over a
// longer time than that.
//
// What matters at a host is spread exactly: a host has a rate, to which a part of flows is added
// once and taken off in the second in which they ended, so that a second costs the same however
// many parts there are. What is little beside its rate goes into the host's pool, of which each
// second gives the same share: the ends of many small flows do not matter one by one.
//
// Exporters' clocks are compared with nothing but themselves.
//
// Concurrency: the control loop's goroutine.
type Spreader struct {
	Full uint64 // counts that found no room to be spread, and were counted at once

	held   arena[held]
	pools  arena[pool] // of held hosts that have one
	parts  arena[part]
	direct []int32            // by slot and direction, of hosts that are direct: 1 + held
	listed map[watchKey]int32 // of others: held
	order  []int32            // held hosts, in order of arrival
	ends   [longest + 1]int32 // by the second in which they end: 1 + the first of parts
	most   int                // hosts, at most; as many parts again, and pools
	now    int32              // seconds that have passed
	late   int64              // seconds in which the records at hand came
	out    counters.Second

	found   [lookup]int32 // numbers of the hosts at hand in held, below 0 where nothing is
	touched uint64        // of no meaning: what was read so that it is near
}

// longest is over how many seconds counts are spread at most: Spread, and what a worker was late.
const longest = counters.Spread + 211

// held is one host in one direction with flows whose counts are not all given yet: four cache
// lines, of which one of TCP and UDP needs the first two.
type held struct {
	key      counters.Key
	packets  uint64 // what it was given last
	bytes    uint64
	given    int32 // and in which second; -1: nothing yet
	slot     uint32
	pool     int32 // -1: none
	outgoing bool
	direct   bool
	gone     bool // not at home any more: its parts end, and nothing is shown
	steady   steady
	_        [4]uint64
}

// NewSpreader returns a Spreader for hosts of that layout, which is of flow records.
func NewSpreader(l *counters.Layout) *Spreader {
	return &Spreader{
		direct: make([]int32, l.DirBase), listed: map[watchKey]int32{},
		most: hostsPerSecond * int(l.FlowSlots),
	}
}

// hostsPerSecond is how many more hosts are held than have records in one second.
const hostsPerSecond = 4

// Second gives every entry of g what its host had in the second that ends now, and makes entries
// for hosts that have something left of flows told before. It is called once for every Reset of g.
// Its records came in took ns: where a worker was late and that is a second and a half or more,
// short flows too are spread over so many seconds, so that no rate doubles.
func (s *Spreader) Second(g *counters.Merger, took int64) {
	s.late = (took + Second/2) / Second
	s.end()
	for i, n := 0, g.Len(); i < n; i++ {
		if i%lookup == 0 {
			s.lookUp(g, i, min(i+lookup, n))
		}
		e := g.At(i)
		s.out = counters.Second{}
		if h := s.take(g, e, s.found[i%lookup]); h != nil {
			s.give(h)
		}
		g.SetSecond(e, &s.out)
	}
	kept := s.order[:0]
	for _, i := range s.order {
		h := s.held.at(i)
		if h.steady.parts == 0 && h.pool < 0 {
			s.drop(i)
			continue
		}
		if h.given != s.now && !h.gone {
			s.rest(g, h)
		}
		kept = append(kept, i)
	}
	s.order = kept
	s.now++
}

// lookup is how many hosts are looked up at a time.
const lookup = 16

// lookUp finds the hosts of entries from up to to, and reads what take and give will: that lies
// anywhere, and one after the other each would be waited for, but together they arrive at once.
func (s *Spreader) lookUp(g *counters.Merger, from, to int) {
	hosts, pools := s.found[:to-from], [lookup]int32{}
	for k := range hosts {
		hosts[k] = s.find(g, g.At(from+k))
	}
	for k, i := range hosts {
		pools[k] = -1
		if i >= 0 {
			h := s.held.at(i)
			pools[k] = h.pool
			s.touched += h.steady.rates[0].packets
		}
	}
	for _, i := range pools[:len(hosts)] {
		if i >= 0 {
			s.touched += s.pools.at(i).counts[0].packets
		}
	}
}

// end takes the parts that have ended off their hosts.
func (s *Spreader) end() {
	ends := &s.ends[s.now%int32(len(s.ends))]
	for i := *ends - 1; i >= 0; {
		p := s.parts.at(i)
		s.held.at(p.host).steady.end(p)
		s.parts.put(i)
		i = p.next
	}
	*ends = 0
}

// drop forgets a held host.
func (s *Spreader) drop(i int32) {
	if h := s.held.at(i); !h.gone {
		if h.direct {
			s.direct[h.at()] = 0
		} else {
			delete(s.listed, watchKey{h.key, h.outgoing})
		}
	}
	s.held.put(i)
}

// at returns the slot of a direct host in its direction.
func (h *held) at() uint32 {
	if h.outgoing {
		return h.slot + 1
	}
	return h.slot
}

// take notes what e's short flows had in out, holds the longer ones, and returns e's host, number i
// if something of it is held already; nil if nothing is.
func (s *Spreader) take(g *counters.Merger, e *counters.Entry, i int32) (h *held) {
	told := g.Told(e)
	if i >= 0 {
		h = s.held.at(i)
	}
	if told.Has(counters.UpTo1s) {
		sum := told.Sum(counters.UpTo1s)
		s.out.AtLeast = sum.Noise > 0 || sum.Sampled > 0
		sum.Seconds = max(sum.Seconds, float64(s.late))
		if sum.Seconds >= shortest {
			i, h = s.hold(g, e, i, h, &sum)
		} else {
			addSum(&s.out, &sum)
		}
		s.out.Flows += sum.Sampled
	}
	for span := counters.UpTo8s; span < counters.NumSpans; span++ {
		if !told.Has(span) {
			continue
		}
		sum := told.Sum(span)
		s.out.AtLeast = s.out.AtLeast || sum.Noise > 0
		i, h = s.hold(g, e, i, h, &sum)
	}
	return h
}

// shortest is from how many seconds on what ended within them is spread.
const shortest = 1.5

// exactParts is how many parts a host has at most, all but: those of one sum come and go together.
// little is how much less than the host's rate flows have that go into its pool.
const (
	exactParts = 16
	little     = 8
)

// hold spreads sum over the seconds to come, or adds it to out where there is no room. h is e's
// host, number i, if something of it is held already; it returns it.
func (s *Spreader) hold(
	g *counters.Merger, e *counters.Entry, i int32, h *held, sum *counters.FlowSum,
) (int32, *held) {
	length := max(1, min(longest, int64(sum.Seconds+0.5)))
	packets, bytes := sum.Total()
	if length == 1 || packets|bytes == 0 {
		addSum(&s.out, sum)
		return i, h
	}
	if h == nil {
		if i, h = s.host(g, e); h == nil {
			s.Full++
			addSum(&s.out, sum)
			return i, h
		}
	}
	many := little / float64(length)
	exact := h.steady.parts < exactParts && packets>>wholeBits|bytes>>wholeBits == 0 &&
		(float64(packets)*many >= float64(h.packets) || float64(bytes)*many >= float64(h.bytes))
	if !exact || !s.spread(i, h, sum, length) {
		if h.pool < 0 {
			pool, ok := s.pools.take(s.most)
			if !ok {
				s.Full++
				addSum(&s.out, sum)
				return i, h
			}
			h.pool = pool
		}
		s.pools.at(h.pool).add(sum, length)
	}
	return i, h
}

// spread adds sum to what host i has in each of so many seconds; false where there is no room.
func (s *Spreader) spread(i int32, h *held, sum *counters.FlowSum, seconds int64) bool {
	need := 0
	for c := range sum.Packets {
		if sum.Packets[c]|sum.Bytes[c] != 0 {
			need++
		}
	}
	if int(s.parts.n)-len(s.parts.unused)+need > s.most {
		return false
	}
	n := float64(seconds)
	noise, bnoise := math.Sqrt(sum.Noise)/n, math.Sqrt(sum.BNoise)/n
	flows := uint32(min(sum.Flows, math.MaxUint32))
	ends := &s.ends[(s.now+int32(seconds))%int32(len(s.ends))]
	for c := range counters.NumClasses {
		if sum.Packets[c]|sum.Bytes[c] == 0 {
			continue
		}
		number, _ := s.parts.take(s.most)
		p := h.steady.add(c, sum.Packets[c], sum.Bytes[c], seconds)
		p.noise, p.bnoise, p.flows, p.host, p.next = noise, bnoise, flows, i, *ends-1
		*s.parts.at(number), *ends = p, number+1
		h.steady.flows += uint64(flows)
		h.steady.noise += noise
		h.steady.bnoise += bnoise
		noise, bnoise, flows = 0, 0, 0 // those of the sum are those of its first part
	}
	return true
}

// host holds e's host from now on; nil when too many are.
func (s *Spreader) host(g *counters.Merger, e *counters.Entry) (int32, *held) {
	i, ok := s.held.take(s.most)
	if !ok {
		return 0, nil
	}
	slot, direct := g.Place(e)
	h := s.held.at(i)
	*h = held{
		key: e.Key, outgoing: e.Outgoing(), direct: direct, slot: slot, pool: -1, given: -1,
	}
	s.enter(i, h)
	s.order = append(s.order, i)
	return i, h
}

// find returns the number of e's host in held, below 0 if nothing of it is.
func (s *Spreader) find(g *counters.Merger, e *counters.Entry) int32 {
	slot, direct := g.Place(e)
	if !direct {
		if i, ok := s.listed[watchKey{e.Key, e.Outgoing()}]; ok {
			return i
		}
		return -1
	}
	if e.Outgoing() {
		slot++
	}
	return s.direct[slot] - 1
}

func (s *Spreader) enter(i int32, h *held) {
	if h.direct {
		s.direct[h.at()] = i + 1
	} else {
		s.listed[watchKey{h.key, h.outgoing}] = i
	}
}

// give adds this second's share of what is held of h to out.
func (s *Spreader) give(h *held) {
	packets, bytes := s.out.Total()
	h.steady.give(&s.out)
	if h.pool >= 0 {
		if !s.pools.at(h.pool).give(&s.out) {
			s.pools.put(h.pool)
			h.pool = -1
		}
	}
	h.packets, h.bytes = s.out.Total()
	h.packets -= packets
	h.bytes -= bytes
	h.given = s.now
}

// rest gives a host that nothing new was told of its share.
func (s *Spreader) rest(g *counters.Merger, h *held) {
	s.out = counters.Second{}
	s.give(h)
	e := g.Make(h.key, h.slot, h.direct, h.outgoing)
	if e == nil {
		s.Full++
		return
	}
	g.SetSecond(e, &s.out)
}

// Rebase moves the held hosts to another layout, and shows nothing more of those that are not at
// home in it.
func (s *Spreader) Rebase(l *counters.Layout) {
	s.direct = make([]int32, l.DirBase)
	clear(s.listed)
	for _, i := range s.order {
		h := s.held.at(i)
		if h.gone {
			continue
		}
		slot, direct, ok := l.Slot(h.key.Addr())
		if ok {
			h.slot, h.direct = slot, direct
			s.enter(i, h)
			continue
		}
		h.gone = true
		if h.pool >= 0 {
			*s.pools.at(h.pool) = pool{}
			s.pools.put(h.pool)
			h.pool = -1
		}
	}
}

// Held returns how many hosts and directions have flows whose counts are not all given yet.
func (s *Spreader) Held() int { return len(s.order) }
