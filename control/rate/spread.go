package rate

import (
	"math"

	"weir/counters"
)

// Spreader turns what flow exporters tell into what was on the wire second by second. A flow is
// told at its end, or each time its exporter's active timeout has passed: its counts are spread
// over as many seconds as it took, from the second in which they came. So a flow that goes on shows
// its true rate from its first export to the end of its last, a flow of a day is no spike, and
// every packet is counted once. Flows of up to a second count at once.
//
// Exporters' clocks play no part: only durations do.
//
// Concurrency: the control loop's goroutine.
type Spreader struct {
	Full uint64 // counts that found no room to be spread, and were counted at once

	held   []held
	index  map[watchKey]int32
	unused []int32
	order  []int32 // held hosts, in order of arrival
	parts  []part
	free   int32 // head of the list of unused parts; -1: none
	most   int   // parts, at most
	now    int64 // seconds that have passed
	late   int64 // seconds that this one's records came in, if more than one
	second counters.Second
}

// held is one host in one direction with flows whose counts are not all given yet.
type held struct {
	key      counters.Key
	outgoing bool
	slot     uint32
	direct   bool
	parts    int32 // head of a list; -1: none
}

// part is what is left of flows that end in the same second.
type part struct {
	packets, bytes [counters.NumClasses]uint64
	noise, bnoise  float64 // standard deviation of each second's packets and bytes
	flows          uint64
	end            int64 // the first second that has nothing of it
	next           int32
}

// NewSpreader returns a Spreader for at most so many hosts that flows are held of.
func NewSpreader(hosts int) *Spreader {
	return &Spreader{index: map[watchKey]int32{}, free: -1, most: partsPerHost * hosts}
}

// partsPerHost bounds the parts by the hosts: most hosts have flows of one or two lengths.
const partsPerHost = 2

// Second gives every entry of g what its host had in the second that ends now, and makes entries
// for hosts that have something left of flows told before. It is called once for every Reset of g.
// Its records came in took ns: where a worker was late and that is a second and a half or more,
// short flows too are spread over so many seconds, so that no rate doubles.
func (s *Spreader) Second(g *counters.Merger, took int64) {
	s.late = (took + Second/2) / Second
	for i, n := 0, g.Len(); i < n; i++ {
		s.take(g, g.At(i))
	}
	kept := s.order[:0]
	for _, i := range s.order {
		if s.give(g, &s.held[i]) {
			kept = append(kept, i)
			continue
		}
		h := &s.held[i]
		delete(s.index, watchKey{h.key, h.outgoing})
		s.unused = append(s.unused, i)
	}
	s.order = kept
	s.now++
}

// take sets what e's short flows had, and holds the longer ones.
func (s *Spreader) take(g *counters.Merger, e *counters.Entry) {
	told := g.Told(e)
	at := told.Sum(counters.UpTo1s)
	out := counters.Second{
		Flows: at.Sampled, AtLeast: at.Noise > 0 || at.Sampled > 0,
	}
	if s.late > 1 && at.Packets != ([counters.NumClasses]uint64{}) {
		at.Seconds = float64(s.late)
		s.holdOrAdd(g, e, &at, &out)
	} else {
		addSum(&out, &at)
	}
	for span := counters.UpTo8s; span < counters.NumSpans; span++ {
		if !told.Has(span) {
			continue
		}
		sum := told.Sum(span)
		out.AtLeast = out.AtLeast || sum.Noise > 0
		s.holdOrAdd(g, e, &sum, &out)
	}
	g.SetSecond(e, &out)
}

// holdOrAdd holds sum, or counts it at once where there is no room.
func (s *Spreader) holdOrAdd(
	g *counters.Merger, e *counters.Entry, sum *counters.FlowSum, out *counters.Second,
) {
	if !s.hold(g, e, sum) {
		s.Full++
		addSum(out, sum)
	}
}

// exactParts is how many parts a host has before flows of like lengths share one: a few flows that
// go on show their exact rate, the ends of many do not matter one by one.
const exactParts = 16

// hold spreads sum over the seconds to come; false when there is no room.
func (s *Spreader) hold(g *counters.Merger, e *counters.Entry, sum *counters.FlowSum) bool {
	length := max(1, int64(sum.Seconds+0.5))
	end := s.now + length
	h := s.host(g, e)
	n, nearest, off := 0, int32(-1), int64(math.MaxInt64)
	for i := h.parts; i >= 0; i = s.parts[i].next {
		n++
		if d := abs(s.parts[i].end - end); d < off {
			nearest, off = i, d
		}
	}
	if off > 0 && (n < exactParts || off > length/8) {
		i, ok := s.part()
		switch {
		case ok:
			s.parts[i] = part{end: end, next: h.parts}
			nearest, h.parts = i, i
		case off > length/2:
			return false
		}
	}
	p := &s.parts[nearest]
	p.add(sum, max(1, p.end-s.now))
	return true
}

func abs(n int64) int64 { return max(n, -n) }

func (p *part) add(sum *counters.FlowSum, seconds int64) {
	for c := range p.packets {
		p.packets[c] += sum.Packets[c]
		p.bytes[c] += sum.Bytes[c]
	}
	p.flows += sum.Flows
	// Independent: variances add up, of which p has the roots, by second.
	n := float64(seconds)
	p.noise = math.Sqrt(p.noise*p.noise + sum.Noise/n/n)
	p.bnoise = math.Sqrt(p.bnoise*p.bnoise + sum.BNoise/n/n)
}

// host returns e's host, held from now on.
func (s *Spreader) host(g *counters.Merger, e *counters.Entry) *held {
	k := watchKey{e.Key, e.Outgoing()}
	if i, ok := s.index[k]; ok {
		return &s.held[i]
	}
	var i int32
	if n := len(s.unused); n > 0 {
		i, s.unused = s.unused[n-1], s.unused[:n-1]
	} else {
		i = int32(len(s.held))
		s.held = append(s.held, held{})
	}
	slot, direct := g.Place(e)
	s.held[i] = held{e.Key, e.Outgoing(), slot, direct, -1}
	s.index[k] = i
	s.order = append(s.order, i)
	return &s.held[i]
}

// part takes an unused part.
func (s *Spreader) part() (int32, bool) {
	if i := s.free; i >= 0 {
		s.free = s.parts[i].next
		return i, true
	}
	if len(s.parts) == s.most {
		return 0, false
	}
	s.parts = append(s.parts, part{})
	return int32(len(s.parts) - 1), true
}

// give adds this second's share of what is held of h to its entry; false when nothing is left.
func (s *Spreader) give(g *counters.Merger, h *held) bool {
	out := &s.second
	*out = counters.Second{}
	for link := &h.parts; *link >= 0; {
		i := *link
		p := &s.parts[i]
		p.give(out, max(1, p.end-s.now))
		if p.end > s.now+1 {
			link = &p.next
			continue
		}
		*link, p.next = p.next, s.free
		s.free = i
	}
	if e := g.Make(h.key, h.slot, h.direct, h.outgoing); e != nil {
		g.AddSecond(e, out)
	}
	return h.parts >= 0
}

// give takes one of so many seconds' share out of p.
func (p *part) give(out *counters.Second, seconds int64) {
	n := uint64(seconds)
	for c := range p.packets {
		if p.packets[c]|p.bytes[c] == 0 {
			continue
		}
		packets, bytes := p.packets[c]/n, p.bytes[c]/n
		out.Packets[c] += packets
		out.Bytes[c] += bytes
		p.packets[c] -= packets
		p.bytes[c] -= bytes
	}
	out.Flows += p.flows
	out.AtLeast = out.AtLeast || p.noise > 0
	out.Noise.HeldPackets += p.noise
	out.Noise.HeldBytes += p.bnoise
}

func addSum(out *counters.Second, sum *counters.FlowSum) {
	for c := range out.Packets {
		out.Packets[c] += sum.Packets[c]
		out.Bytes[c] += sum.Bytes[c]
	}
	out.Flows += sum.Flows
	out.Noise.Packets += sum.Noise
	out.Noise.Bytes += sum.BNoise
}

// Rebase moves the held hosts to another layout, and forgets those that are not at home any more.
func (s *Spreader) Rebase(l *counters.Layout) {
	kept := s.order[:0]
	for _, i := range s.order {
		h := &s.held[i]
		slot, direct, ok := l.Slot(h.key.Addr())
		if ok {
			h.slot, h.direct = slot, direct
			kept = append(kept, i)
			continue
		}
		for link := h.parts; link >= 0; {
			next := s.parts[link].next
			s.parts[link].next, s.free = s.free, link
			link = next
		}
		delete(s.index, watchKey{h.key, h.outgoing})
		s.unused = append(s.unused, i)
	}
	s.order = kept
}

// Held returns how many hosts and directions have flows whose counts are not all given yet.
func (s *Spreader) Held() int { return len(s.order) }
