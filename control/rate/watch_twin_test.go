package rate

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"

	"weir/counters"
)

// twin is a watched host the slow way: it keeps every packet, and the spans as pairs of times.
type twin struct {
	name     string
	outgoing bool
	packets  []sample // of the last 20 seconds, by time

	watched  bool
	idle     int
	ticks    int
	spans    []twinSpan
	finished []int // spans before the end of each tick since it is watched
}

type twinSpan struct {
	from, to int64
	tick     int64 // when its second began
}

// between returns the packets from from on and before to.
func (h *twin) between(from, to int64) []sample {
	at := func(t int64) int {
		i, _ := slices.BinarySearchFunc(h.packets, t, func(p sample, t int64) int {
			return cmp.Compare(p.at, t)
		})
		return i
	}
	return h.packets[at(from):at(max(from, to))]
}

// twinRates are the rates of packets in a second.
func twinRates(packets []sample) (r Rates) {
	add := func(c Class, bytes uint64) {
		r.Packets[c]++
		r.Bits[c] += 8 * bytes
	}
	for _, p := range packets {
		add(Total, p.bytes)
		add([]Class{TCP, UDP, ICMP, Other}[p.class], p.bytes)
		if p.mark&counters.MarkSYN != 0 {
			add(SYN, p.bytes)
		}
		if p.mark&counters.MarkFrag != 0 {
			add(Frag, p.bytes)
		}
	}
	return r
}

func (r *Rates) sum(o Rates) {
	for c := range r.Packets {
		r.Packets[c] += o.Packets[c]
		r.Bits[c] += o.Bits[c]
	}
}

// scaled multiplies every class by num/den and rounds to the nearest; the total stays the sum.
func (r Rates) scaled(num, den int64, unit uint64) Rates {
	part := func(v, unit uint64) uint64 {
		n := v / unit * uint64(num)
		return (2*n + uint64(den)) / (2 * uint64(den)) * unit
	}
	r.Packets[Total], r.Bits[Total] = 0, 0
	for c := TCP; c < NumClasses; c++ {
		r.Packets[c], r.Bits[c] = part(r.Packets[c], 1), part(r.Bits[c], unit)
		if c != SYN && c != Frag {
			r.Packets[Total] += r.Packets[c]
			r.Bits[Total] += r.Bits[c]
		}
	}
	return r
}

// lastSecond sums the spans inside the second before now, and the part of the one across its
// edge. off is how many packets the true sliding second may differ by: those of that span.
func (h *twin) lastSecond(now int64) (r Rates, off int) {
	edge := now - Second
	for _, s := range h.spans {
		switch {
		case s.from >= edge:
			r.sum(twinRates(h.between(s.from, s.to)))
		case s.to > edge:
			packets := h.between(s.from, s.to)
			off = len(packets)
			// Microseconds: products of nanoseconds would not fit.
			r.sum(twinRates(packets).scaled((s.to-edge)/1000, (s.to-s.from)/1000, 8))
		}
	}
	return r, off
}

// near reports whether o is the same; where a part of a span was taken, to a packet and a byte per
// class, as halves may be rounded either way.
func (r *Rates) near(o *Rates, part bool) bool {
	slack := uint64(0)
	if part {
		slack = 1
	}
	for c := range r.Packets {
		if Class(c) == Total {
			continue
		}
		p, b := r.Packets[c]-o.Packets[c]+slack, r.Bits[c]-o.Bits[c]+8*slack
		if p > 2*slack || b > 16*slack {
			return false
		}
	}
	p, b := r.Packets[Total]-o.Packets[Total]+4*slack, r.Bits[Total]-o.Bits[Total]+32*slack
	return p <= 8*slack && b <= 64*slack && r.Flows == o.Flows && r.FlowsAtMin == o.FlowsAtMin
}

// flows counts the distinct flows since the tick, in what was flipped while it was watched.
func (h *twin) flows(tick int64) uint64 {
	var seen [5]bool
	n := uint64(0)
	if len(h.spans) == 0 {
		return 0
	}
	for _, p := range h.between(tick, h.spans[len(h.spans)-1].to) {
		if !seen[p.flow] {
			seen[p.flow] = true
			n++
		}
	}
	return n
}

// first is when a span begins for its rate: with the host's first packet in the tick, if that is
// in it.
func (h *twin) first(s twinSpan) int64 {
	packets := h.between(s.tick, s.to)
	if len(packets) == 0 || packets[0].at < s.from {
		return s.from
	}
	return packets[0].at
}

// spanRates are a span's rates from its first packet on, rounded down.
func (h *twin) spanRates(s twinSpan) Rates {
	r := twinRates(h.between(s.from, s.to))
	length := uint64(max(s.to-h.first(s), ms)) / 1000
	for c := range r.Packets {
		r.Packets[c] = r.Packets[c] * 1e6 / length
		r.Bits[c] = r.Bits[c] * 1e6 / length
	}
	return r
}

// over walks back from the newest span to where the run of spans over the limit begins.
func (h *twin) over(m Metric, limit uint64) int64 {
	if m == FPS {
		m = PPS
	}
	kept := h.spans[max(0, len(h.spans)-spanCount):]
	begin := h.first(kept[len(kept)-1])
	for i := len(kept) - 2; i >= 0; i-- {
		r := h.spanRates(kept[i])
		if kept[i].to != kept[i+1].from || r.Metric(m) <= limit {
			break
		}
		begin = h.first(kept[i])
	}
	return begin
}

// average is the rate over the current second so far and the seconds whole ones before it.
func (h *twin) average(window int64) Rates {
	ticks := int(window/Second) - 1
	from := 0
	if n := len(h.finished); n > ticks {
		from = h.finished[n-1-ticks]
	}
	var r Rates
	for _, s := range h.spans[from:] {
		r.sum(twinRates(h.between(s.from, s.to)))
	}
	return r.scaled(1, window/Second, 1)
}

// trial is a lab and its twins, in a random history.
type trial struct {
	*lab
	testing *testing.T
	r       *rand.Rand
	hosts   []*twin
	order   []*twin // watched, in order of arrival
	missed  uint64
	places  int
}

// TestWatchMatchesTwin drives a Watch through random packets, hints, early flips, punctual and
// late ticks, and compares it with its twin after every one.
func TestWatchMatchesTwin(t *testing.T) {
	seeds := uint64(6)
	if testing.Short() {
		seeds = 1
	}
	for seed := range seeds {
		const places = 6
		c := trial{
			lab:     newLab(t, places, "10.0.0.0/24", "2001:db8::/32"),
			testing: t, r: rand.New(rand.NewPCG(seed, 1)), places: places,
		}
		for _, name := range []string{"10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8:7::1"} {
			c.hosts = append(c.hosts, &twin{name: name}, &twin{name: name, outgoing: true})
		}
		for range 700 {
			c.step()
		}
		if c.missed == 0 {
			t.Error("no host ever found the Watch full")
		}
	}
}

// step is the way to the next flip, and the tick if it is time.
func (c *trial) step() {
	now := min(c.last+(1+c.r.Int64N(20))*10*ms, c.tick+Second)
	if c.r.IntN(40) == 0 {
		now = c.tick + Second + c.r.Int64N(80)*10*ms // late
		now = max(now, c.last+10*ms)
	}
	c.traffic(now)
	if c.r.IntN(3) == 0 {
		c.hint()
	}
	tick := now >= c.tick+Second
	c.flip(now)
	for _, h := range c.order {
		c.span(h)
	}
	if tick {
		c.judge()
	}
	if c.r.IntN(10) == 0 {
		c.hint() // one that comes between the flip and the end of the second
	}
	c.compare()
	if tick {
		c.endSecond()
		c.age()
		c.compare()
	}
}

// traffic counts packets of all hosts from the last flip to now.
func (c *trial) traffic(now int64) {
	for _, h := range c.hosts {
		n := c.r.IntN(20)
		if c.r.IntN(4) == 0 {
			n = 0
		}
		for range n {
			s := sample{
				at: c.last + c.r.Int64N((now-c.last)/1000)*1000, class: counters.Class(c.r.IntN(4)),
				mark: uint8(c.r.IntN(4)), bytes: c.r.Uint64N(1500), flow: c.r.IntN(5),
			}
			h.packets = append(h.packets, s)
		}
		slices.SortStableFunc(h.packets, func(a, b sample) int { return cmp.Compare(a.at, b.at) })
		for _, p := range h.between(c.last, now) {
			c.packet(h.name, h.outgoing, p)
		}
		h.packets = slices.Clone(h.between(now-20*Second, now))
	}
}

// hint watches some host from the next flip on.
func (c *trial) hint() { c.watchHost(c.hosts[c.r.IntN(len(c.hosts))]) }

func (c *trial) watchHost(h *twin) *Host {
	got := c.add(h.name, h.outgoing)
	switch {
	case h.watched:
		h.idle = 0
	case len(c.order) == c.places:
		c.missed++
		if got != nil {
			c.testing.Fatal("watched in a Watch that is full")
		}
		return nil
	default:
		*h = twin{name: h.name, outgoing: h.outgoing, packets: h.packets, watched: true}
		c.order = append(c.order, h)
	}
	return got
}

// span notes that h was flipped at c.last.
func (c *trial) span(h *twin) {
	s := twinSpan{from: c.tick, to: c.last, tick: c.tick}
	if n := len(h.spans); n > 0 {
		s.from = h.spans[n-1].to
	}
	h.spans = append(h.spans, s)
}

// judge watches warm hosts at a tick, the way the loop does.
func (c *trial) judge() {
	for _, h := range c.hosts {
		if c.r.IntN(12) > 0 {
			continue
		}
		known := h.watched
		if got := c.watchHost(h); got != nil && !known {
			got.Flip(c.merger, c.tick, c.last)
			c.span(h)
		}
	}
}

// age ends the second for the twins.
func (c *trial) age() {
	c.order = slices.DeleteFunc(c.order, func(h *twin) bool {
		h.ticks++
		h.idle++
		h.finished = append(h.finished, len(h.spans))
		h.watched = h.idle <= idleTicks
		return !h.watched
	})
}

func (c *trial) compare() {
	t := c.testing
	t.Helper()
	if c.watch.Len() != len(c.order) || c.watch.Missed != c.missed {
		t.Fatalf("%d watched, %d missed; want %d and %d", c.watch.Len(), c.watch.Missed,
			len(c.order), c.missed)
	}
	for i, h := range c.order {
		got := c.watch.At(i)
		if got != c.watch.Get(keyOf(h.name), h.outgoing) || got.Key != keyOf(h.name) ||
			got.Outgoing != h.outgoing || got.Steady() != (h.ticks > 0) {
			t.Fatalf("place %d: %+v, want %s", i, got.Key.Addr(), h.name)
		}
		c.compareHost(got, h)
	}
	for _, h := range c.hosts {
		if !h.watched && c.watch.Get(keyOf(h.name), h.outgoing) != nil {
			t.Fatalf("%s is watched still", h.name)
		}
	}
}

func (c *trial) compareHost(got *Host, h *twin) {
	t := c.testing
	t.Helper()
	now := c.last
	want, off := h.lastSecond(now)
	want.Flows = h.flows(c.tick)
	have := got.LastSecond(now)
	if !have.near(&want, off > 0) {
		t.Fatalf("%s, last second:\n got %+v\nwant %+v", h.name, have, want)
	}
	if len(h.spans) == 0 {
		return
	}
	// The promise in other words: what came in the second, but for one sub-epoch.
	true1 := len(h.between(max(now-Second, h.spans[0].from), now))
	if d := int(have.Packets[Total]) - true1; d > off+2 || d < -off-2 {
		t.Fatalf("%s: %d packets, %d in the second; off by more than %d", h.name,
			have.Packets[Total], true1, off)
	}
	latest := got.Latest()
	if want := h.spanRates(h.spans[len(h.spans)-1]); latest != want {
		t.Fatalf("%s, latest:\n got %+v\nwant %+v", h.name, latest, want)
	}
	m, limit := Metric(c.r.IntN(int(NumMetrics))), 1+c.r.Uint64N(150)
	if m.IsBits() {
		limit *= 6000
	}
	if got, want := got.Over(m, limit), h.over(m, limit); got != want {
		t.Fatalf("%s: %v over %d since %d ms, want %d", h.name, m, limit, (got-epoch)/ms,
			(want-epoch)/ms)
	}
	for i, a := range got.Averages() {
		if want := h.average(Windows[i]); a != want {
			t.Fatalf("%s over %d s:\n got %+v\nwant %+v", h.name, Windows[i]/Second, a, want)
		}
	}
}
