package bench

import (
	"math"
	"math/rand/v2"
	"time"
)

// FlowCache is how a simulated router exports flows: as most do, it keeps what it samples of a flow
// until the flow was silent for Inactive or lasted for Active, and looks for such flows once a
// second.
type FlowCache struct {
	Active   time.Duration // 0: flows are told only at their end
	Inactive time.Duration
	Sampling uint32 // N of 1:N packets, at random
	Aligned  bool   // all flows are told at the same moments, Active apart, whenever they began
}

// exported is a record as a router sends it.
type exported struct {
	at       int64 // ms, by the simulation's clock
	duration int64 // ms
	age      int64 // ms since its last packet
	packets  uint64
}

// cached is a flow in the router.
type cached struct {
	first, last int64 // ms
	packets     uint64
	due         int64 // the look at which it may be told
}

// router simulates a FlowCache.
type router struct {
	cache   FlowCache
	flows   map[uint64]*cached
	due     map[int64][]uint64 // flows by look
	looks   int64
	random  *rand.Rand
	skip    uint64 // packets until the next one that is sampled
	records []exported
	spare   []*cached
}

// look is how long after a collector's second begins a router looks for flows that are to be told.
const look = 370 // ms

func newRouter(c *FlowCache) *router {
	r := &router{
		cache: *c, flows: map[uint64]*cached{}, due: map[int64][]uint64{},
		random: rand.New(rand.NewPCG(seed, uint64(c.Sampling))),
	}
	r.skip = r.gap()
	return r
}

// gap draws how many packets pass before one is sampled.
func (r *router) gap() uint64 {
	if r.cache.Sampling <= 1 {
		return 0
	}
	p := 1 / float64(r.cache.Sampling)
	return uint64(math.Log(1-r.random.Float64()) / math.Log1p(-p))
}

// sample returns how many of n packets are sampled.
func (r *router) sample(n uint64) (taken uint64) {
	if r.cache.Sampling <= 1 {
		return n
	}
	for r.skip < n {
		n -= r.skip + 1
		taken++
		r.skip = r.gap()
	}
	r.skip -= n
	return taken
}

// forward takes n packets of a flow at now.
func (r *router) forward(flow, n uint64, now int64) {
	n = r.sample(n)
	if n == 0 {
		return
	}
	f := r.flows[flow]
	if f == nil {
		if last := len(r.spare) - 1; last >= 0 {
			f, r.spare = r.spare[last], r.spare[:last]
		} else {
			f = &cached{}
		}
		*f = cached{first: now, last: now}
		r.flows[flow] = f
		r.schedule(flow, f)
	}
	f.packets += n
	f.last = now
}

// schedule says when a flow is to be looked at.
func (r *router) schedule(flow uint64, f *cached) {
	at := min(f.last+r.cache.Inactive.Milliseconds(), r.ends(f))
	f.due = max(r.looks, (at-look+999)/1000)
	r.due[f.due] = append(r.due[f.due], flow)
}

// ends returns when f is told because it lasts.
func (r *router) ends(f *cached) int64 {
	active := r.cache.Active.Milliseconds()
	switch {
	case active == 0:
		return math.MaxInt64
	case r.cache.Aligned:
		return (f.first/active + 1) * active
	}
	return f.first + active
}

// age looks for flows that are to be told at now, once a second.
func (r *router) age(now int64) {
	number := r.looks
	r.looks++
	for _, flow := range r.due[number] {
		f := r.flows[flow]
		if f == nil || f.due != number {
			continue
		}
		if now < r.ends(f) && now < f.last+r.cache.Inactive.Milliseconds() {
			r.schedule(flow, f)
			continue
		}
		r.records = append(r.records, exported{
			at: now, duration: f.last - f.first, age: now - f.last, packets: f.packets,
		})
		delete(r.flows, flow)
		r.spare = append(r.spare, f)
	}
	delete(r.due, number)
}

// take returns the records since the last call, valid until age.
func (r *router) take() []exported {
	list := r.records
	r.records = r.records[:0]
	return list
}
