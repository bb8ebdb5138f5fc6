package rate

import "weir/counters"

// Spreader turns what flow exporters tell into what was on the wire second by second. A flow is
// told at its end, or each time its exporter's active timeout has passed: its counts are spread
// over as many seconds as it took, from the second in which they came. So a flow that goes on shows
// its true rate from its first export to the end of its last, a flow of a day is no spike, and
// every packet is counted once. Flows of up to a second count at once, unless they ended over a
// longer time than that.
//
// What matters at a host is spread exactly, in parts that end in the same second. What is little
// beside its rate goes into the host's pool, of which each second gives the same share: the ends of
// many small flows do not matter one by one.
//
// Exporters' clocks are compared with nothing but themselves.
//
// Concurrency: the control loop's goroutine.
type Spreader struct {
	Full uint64 // counts that found no room to be spread, and were counted at once

	held   []held
	direct map[uint32]int32 // by slot and direction, of hosts that are direct
	listed map[watchKey]int32
	unused []int32
	order  []int32 // held hosts, in order of arrival
	parts  []part
	free   int32 // head of the list of unused parts; -1: none
	most   int   // hosts, at most; as many parts again
	now    int64 // seconds that have passed
	late   int64 // seconds in which the records at hand came
	second counters.Second
}

// held is one host in one direction with flows whose counts are not all given yet.
type held struct {
	key      counters.Key
	outgoing bool
	direct   bool
	slot     uint32
	parts    int32 // head of a list; -1: none
	n        int32 // of them
	packets  uint64
	bytes    uint64 // given in the last second
	pool     pool
}

// NewSpreader returns a Spreader for at most so many hosts that flows are held of.
func NewSpreader(hosts int) *Spreader {
	return &Spreader{
		direct: map[uint32]int32{}, listed: map[watchKey]int32{}, free: -1,
		most: hostsPerSecond * hosts,
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
	for i, n := 0, g.Len(); i < n; i++ {
		s.take(g, g.At(i))
	}
	kept := s.order[:0]
	for _, i := range s.order {
		if h := &s.held[i]; s.give(g, h) {
			kept = append(kept, i)
		} else {
			s.drop(i)
		}
	}
	s.order = kept
	s.now++
}

// drop forgets a held host.
func (s *Spreader) drop(i int32) {
	h := &s.held[i]
	if h.direct {
		delete(s.direct, h.at())
	} else {
		delete(s.listed, watchKey{h.key, h.outgoing})
	}
	s.unused = append(s.unused, i)
}

// at returns the slot of a direct host in its direction.
func (h *held) at() uint32 {
	if h.outgoing {
		return h.slot + 1
	}
	return h.slot
}

// take sets what e's short flows had, and holds the longer ones.
func (s *Spreader) take(g *counters.Merger, e *counters.Entry) {
	told := g.Told(e)
	at := told.Sum(counters.UpTo1s)
	out := counters.Second{
		Flows: at.Sampled, AtLeast: at.Noise > 0 || at.Sampled > 0,
	}
	var h *held
	at.Seconds = max(at.Seconds, float64(s.late))
	if at.Seconds >= shortest && at.Packets != ([counters.NumClasses]uint64{}) {
		h = s.hold(g, e, h, &at, &out)
	} else {
		addSum(&out, &at)
	}
	for span := counters.UpTo8s; span < counters.NumSpans; span++ {
		if !told.Has(span) {
			continue
		}
		sum := told.Sum(span)
		out.AtLeast = out.AtLeast || sum.Noise > 0
		h = s.hold(g, e, h, &sum, &out)
	}
	g.SetSecond(e, &out)
}

// shortest is from how many seconds on what ended within them is spread.
const shortest = 1.5

// exactParts is how many parts a host has at most, and little how much less than the host's rate
// flows have that go into its pool.
const (
	exactParts = 16
	little     = 8
)

// hold spreads sum over the seconds to come, or adds it to out where there is no room. h is e's
// host if that is known; it returns it.
func (s *Spreader) hold(
	g *counters.Merger, e *counters.Entry, h *held, sum *counters.FlowSum, out *counters.Second,
) *held {
	if h == nil {
		if h = s.host(g, e); h == nil {
			s.Full++
			addSum(out, sum)
			return nil
		}
	}
	length := max(1, int64(sum.Seconds+0.5))
	packets, bytes := sum.Total()
	n := uint64(length) * little
	if packets*little/uint64(length) < h.packets && bytes/n < h.bytes/little/little ||
		h.n == exactParts {
		h.pool.add(sum, length)
		return h
	}
	end := s.now + length
	for i := h.parts; i >= 0; i = s.parts[i].next {
		if p := &s.parts[i]; p.end == end {
			p.add(sum, length)
			return h
		}
	}
	i, ok := s.part()
	if !ok {
		h.pool.add(sum, length)
		return h
	}
	s.parts[i] = part{end: end, next: h.parts}
	s.parts[i].add(sum, length)
	h.parts = i
	h.n++
	return h
}

// host returns e's host, held from now on; nil when too many are.
func (s *Spreader) host(g *counters.Merger, e *counters.Entry) *held {
	slot, direct := g.Place(e)
	fresh := held{
		key: e.Key, outgoing: e.Outgoing(), direct: direct, slot: slot, parts: -1,
	}
	i, known := s.find(&fresh)
	if known {
		return &s.held[i]
	}
	if n := len(s.unused); n > 0 {
		i, s.unused = s.unused[n-1], s.unused[:n-1]
	} else if len(s.held) < s.most {
		i = int32(len(s.held))
		s.held = append(s.held, held{})
	} else {
		return nil
	}
	s.held[i] = fresh
	s.enter(i)
	s.order = append(s.order, i)
	return &s.held[i]
}

func (s *Spreader) find(h *held) (i int32, ok bool) {
	if h.direct {
		i, ok = s.direct[h.at()]
	} else {
		i, ok = s.listed[watchKey{h.key, h.outgoing}]
	}
	return i, ok
}

func (s *Spreader) enter(i int32) {
	h := &s.held[i]
	if h.direct {
		s.direct[h.at()] = i
	} else {
		s.listed[watchKey{h.key, h.outgoing}] = i
	}
}

// part takes an unused part.
func (s *Spreader) part() (int32, bool) {
	if i := s.free; i >= 0 {
		s.free = s.parts[i].next
		return i, true
	}
	if len(s.parts) >= s.most {
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
		h.n--
	}
	if h.pool.some {
		h.pool.give(out)
	}
	h.packets, h.bytes = out.Total()
	if e := g.Make(h.key, h.slot, h.direct, h.outgoing); e != nil {
		g.AddSecond(e, out)
	} else {
		s.Full++
	}
	return h.parts >= 0 || h.pool.some
}

// Rebase moves the held hosts to another layout, and forgets those that are not at home any more.
func (s *Spreader) Rebase(l *counters.Layout) {
	clear(s.direct)
	clear(s.listed)
	kept := s.order[:0]
	for _, i := range s.order {
		h := &s.held[i]
		slot, direct, ok := l.Slot(h.key.Addr())
		if ok {
			h.slot, h.direct = slot, direct
			s.enter(i)
			kept = append(kept, i)
			continue
		}
		for link := h.parts; link >= 0; {
			next := s.parts[link].next
			s.parts[link].next, s.free = s.free, link
			link = next
		}
		s.unused = append(s.unused, i)
	}
	s.order = kept
}

// Held returns how many hosts and directions have flows whose counts are not all given yet.
func (s *Spreader) Held() int { return len(s.order) }
