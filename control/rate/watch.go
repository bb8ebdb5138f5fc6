package rate

import "weir/counters"

// Windows are the lengths of the windows, beside the last second, that a watched host has rates
// for, nanoseconds.
var Windows = [...]int64{2 * Second, 5 * Second, 10 * Second}

const (
	spanCount   = 24 // sub-epochs kept: at most 20 early flips and a tick in one second
	secondCount = 10
)

// span is what one host counted in one sub-epoch: between two flips.
type span struct {
	from, to int64 // nanoseconds since 1970 UTC
	first    int64 // the host's first packet in it, or from where that is not known
	counts   Counts
}

// Host is a watched host's recent past in one direction: its last second in sub-epochs, and its
// last ten seconds. Hosts are watched from a fifth of a limit on.
type Host struct {
	Key      counters.Key
	Outgoing bool
	Group    int

	slot    uint32 // as counters.Layout.Slot
	direct  bool
	fresh   bool   // not flipped yet: its first span begins with the tick
	ticks   int    // since it is watched
	idle    int    // ticks since it was last warm
	flows   uint64 // of the current second so far
	atLeast bool
	tick    Counts // counted since the last tick
	spans   [spanCount]span
	last    int // index of the newest span
	seconds [secondCount]Counts
	second  int            // index of the newest second
	noise   counters.Noise // of tick
	noises  [secondCount]counters.Noise
}

// Watch keeps the recent past of the hosts that are near a limit.
//
// Concurrency: the control loop's goroutine. No method allocates after NewWatch.
type Watch struct {
	Missed uint64 // hosts that found no place

	hosts []Host
	index map[watchKey]int32
	free  []int32
	order []int32 // watched hosts, in order of arrival
}

type watchKey struct {
	key      counters.Key
	outgoing bool
}

// idleTicks is how long a host stays watched that is no longer warm.
const idleTicks = 10

// NewWatch returns a Watch for at most size hosts and directions.
func NewWatch(size int) *Watch {
	w := &Watch{
		hosts: make([]Host, size),
		index: make(map[watchKey]int32, size),
		free:  make([]int32, 0, size),
		order: make([]int32, 0, size),
	}
	for i := size - 1; i >= 0; i-- {
		w.free = append(w.free, int32(i))
	}
	return w
}

// Get returns the watched host, nil if it is not watched.
func (w *Watch) Get(key counters.Key, outgoing bool) *Host {
	if i, ok := w.index[watchKey{key, outgoing}]; ok {
		return &w.hosts[i]
	}
	return nil
}

// Add watches a host from now on, or keeps it watched, and returns it; nil when there is no room,
// which is counted. Such a host is still judged at every tick.
func (w *Watch) Add(l *counters.Layout, key counters.Key, outgoing bool, group int) *Host {
	if h := w.Get(key, outgoing); h != nil {
		h.idle, h.Group = 0, group
		return h
	}
	if len(w.free) == 0 {
		w.Missed++
		return nil
	}
	i := w.free[len(w.free)-1]
	w.free = w.free[:len(w.free)-1]
	w.index[watchKey{key, outgoing}] = i
	w.order = append(w.order, i)
	h := &w.hosts[i]
	*h = Host{Key: key, Outgoing: outgoing, Group: group, fresh: true}
	h.slot, h.direct, _ = l.Slot(key.Addr())
	return h
}

// Rebase moves the watched hosts to another layout and other groups. Hosts that place knows no
// group of are forgotten. What they counted stays, so that the merger of the new layout must have
// taken over what that of the old one held.
func (w *Watch) Rebase(l *counters.Layout, place func(counters.Key) (group int, ok bool)) {
	kept := w.order[:0]
	for _, i := range w.order {
		h := &w.hosts[i]
		group, ok := place(h.Key)
		if !ok {
			w.free = append(w.free, i)
			continue
		}
		h.Group = group
		h.slot, h.direct, _ = l.Slot(h.Key.Addr())
		kept = append(kept, i)
	}
	w.order = kept
	w.reindex()
}

// Len returns the number of watched hosts.
func (w *Watch) Len() int { return len(w.order) }

// At returns watched host i, in order of arrival. It is valid until the next Tick.
func (w *Watch) At(i int) *Host { return &w.hosts[w.order[i]] }

// Flip notes what every watched host counted between two flips, from g, which holds everything
// since the last tick.
func (w *Watch) Flip(g *counters.Merger, from, to int64) {
	for _, i := range w.order {
		w.hosts[i].Flip(g, from, to)
	}
}

// Flip notes what h counted between two flips; one that was not watched before has all of the
// tick so far in its first span.
func (h *Host) Flip(g *counters.Merger, from, to int64) {
	if h.fresh {
		from, h.fresh = g.Start, false
	}
	h.last = (h.last + 1) % spanCount
	s := &h.spans[h.last]
	*s = span{from: from, to: to, first: from}
	e := g.Find(h.Key, h.slot, h.direct, h.Outgoing)
	if e == nil {
		return
	}
	now := CountsOf(e)
	if h.tick == (Counts{}) {
		s.first = g.First(e)
	}
	s.counts = now.minus(&h.tick)
	h.tick = now
	h.flows, h.atLeast = g.Flows(e)
	h.noise = g.Noise(e)
}

// Tick ends a second: the newest second of every host is what it counted since the last tick.
// Hosts that have not been warm for a while are forgotten.
func (w *Watch) Tick() {
	watched, kept := len(w.order), w.order[:0]
	for _, i := range w.order {
		h := &w.hosts[i]
		h.ticks++
		h.second = (h.second + 1) % secondCount
		h.seconds[h.second], h.noises[h.second] = h.tick, h.noise
		h.tick, h.flows, h.atLeast, h.noise = Counts{}, 0, false, counters.Noise{}
		if h.idle++; h.idle <= idleTicks {
			kept = append(kept, i)
			continue
		}
		w.free = append(w.free, i)
	}
	if w.order = kept; len(kept) < watched {
		w.reindex()
	}
}

// reindex makes the index anew. Deleting hosts one by one would not do: under a steady change of
// keys a map grows in the end, though it never holds more than it was made for.
func (w *Watch) reindex() {
	clear(w.index)
	for _, i := range w.order {
		h := &w.hosts[i]
		w.index[watchKey{h.Key, h.Outgoing}] = i
	}
}

// LastSecond returns the host's rates over the second before now, the end of its newest span.
// Traffic of a span that reaches beyond the second counts by the part of the span inside it.
// Flows are those since the last tick.
func (h *Host) LastSecond(now int64) Rates {
	var c Counts
	for i := range spanCount {
		s := &h.spans[i]
		if begin := now - Second; s.to > begin && s.to > s.from {
			if s.from >= begin {
				c.Add(&s.counts)
			} else {
				c.addPart(&s.counts, float64(s.to-begin)/float64(s.to-s.from))
			}
		}
	}
	r := c.Over(Second)
	r.Flows, r.FlowsAtMin = h.flows, h.atLeast
	return r
}

// Latest returns the host's rates over its newest span, from its first packet in it on, with no
// minimal length: where the traffic is heading. Flows are left out.
func (h *Host) Latest() Rates { return h.spans[h.last].rates() }

// Fresh reports whether the host has no span yet.
func (h *Host) Fresh() bool { return h.fresh }

// Steady reports whether the host was watched before the current second began.
func (h *Host) Steady() bool { return h.ticks > 0 }

func (s *span) rates() Rates {
	r := s.counts.Over(Second)
	length := max(s.to-s.first, 1e6) // a millisecond: fewer packets say nothing
	for c := range r.Packets {
		r.Packets[c] = uint64(float64(r.Packets[c]) * float64(Second) / float64(length))
		r.Bits[c] = uint64(float64(r.Bits[c]) * float64(Second) / float64(length))
	}
	return r
}

// Over returns the first packet of the unbroken run of spans, ending with the newest, in which
// metric m exceeded limit, nanoseconds since 1970 UTC. The newest span always counts. Flows have
// no count per span; packets stand for them, as every flow has one.
func (h *Host) Over(m Metric, limit uint64) int64 {
	if m == FPS {
		m = PPS
	}
	begin := h.spans[h.last].first
	for n := 1; n < spanCount; n++ {
		s, later := h.back(n), h.back(n-1)
		if s.to == 0 || s.to != later.from {
			break
		}
		if r := s.rates(); r.Metric(m) <= limit {
			break
		}
		begin = s.first
	}
	return begin
}

// back returns the n-th span before the newest.
func (h *Host) back(n int) *span { return &h.spans[(h.last-n+spanCount)%spanCount] }

// Averages returns the host's rates over each of Windows, ending now: the current second so far
// and the whole ones before it. Seconds before it was watched, below a fifth of every limit, count
// as nothing. Flows are left out: distinct flows do not add up.
func (h *Host) Averages() (a [len(Windows)]Rates) {
	c, noise, done := h.tick, h.noise, 0
	for i, window := range Windows {
		for ; done < int(window/Second)-1; done++ {
			second := (h.second - done + secondCount) % secondCount
			c.Add(&h.seconds[second])
			addNoise(&noise, &h.noises[second])
		}
		a[i] = c.Over(window)
		a[i].noisy(&noise, float64(window/Second))
	}
	return a
}
