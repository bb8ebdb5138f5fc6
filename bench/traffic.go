package bench

import (
	"math"
	"math/rand/v2"
	"time"
)

// FlowTraffic is a shape of traffic towards one host, before it comes to a router with a flow
// cache.
type FlowTraffic struct {
	Name string
	Text string
	Rate uint64 // packets per second while it lasts; the mean of one that varies

	lasts  func(c *FlowCache) time.Duration
	varies bool // Rate is a mean
	steady bool // there is a time in which every second should show Rate
	source func(t *FlowTraffic) emitter
}

// emitter hands the packets of one step to r, and returns how many.
type emitter func(r *router, now int64) uint64

// step is how finely traffic is simulated, ms.
const step = 10

// Rates of the shapes, packets per second.
const (
	floodRate    = 50_000
	portsRate    = 5000
	elephantRate = 100
)

// FlowTraffics returns the shapes, in their order.
func FlowTraffics() []FlowTraffic {
	rounds := func(c *FlowCache) time.Duration { return 3*c.Active + time.Minute }
	fixed := func(d time.Duration) func(*FlowCache) time.Duration {
		return func(*FlowCache) time.Duration { return d }
	}
	return []FlowTraffic{
		{"flood", "one flow", floodRate, rounds, false, true, oneFlow},
		{"ports", "a flow per packet: random source ports", portsRate, fixed(2 * time.Minute),
			false, true, manyFlows},
		{"pulse", "one flow of 2 s", floodRate, fixed(2 * time.Second), false, false, oneFlow},
		{"mix", "50 flows a second of 1 to 300 s (Zipf) and 1 to 50 packets a second", 0,
			func(c *FlowCache) time.Duration { return 2*c.Active + 15*time.Minute }, true, true,
			mixedFlows},
		{"elephant", "one flow of 22 hours, which ends amid an interval", elephantRate,
			fixed(22*time.Hour + 140*time.Second), false, false, oneFlow},
	}
}

func oneFlow(t *FlowTraffic) emitter {
	n := t.Rate * step / 1000
	return func(r *router, now int64) uint64 {
		r.forward(1, n, now)
		return n
	}
}

func manyFlows(t *FlowTraffic) emitter {
	n, flow := t.Rate*step/1000, uint64(0)
	return func(r *router, now int64) uint64 {
		for range n {
			flow++
			r.forward(flow, 1, now)
		}
		return n
	}
}

// mixed is a flow of everyday traffic.
type mixed struct {
	number    uint64
	next, end int64 // ms: of its next packet, and its end
	gap       int64 // ms between packets
}

const mixedArrivals = 50 // flows per second

func mixedFlows(*FlowTraffic) emitter {
	random := rand.New(rand.NewPCG(seed, 2))
	var flows []mixed
	number := uint64(0)
	return func(r *router, now int64) (n uint64) {
		if random.Uint32N(1000) < mixedArrivals*step {
			number++
			// 1 to 300 s, of which d has a weight of 1/d.
			lasts := int64(1000 * math.Exp(random.Float64()*math.Log(300)))
			gap := int64(1000 / math.Exp(random.Float64()*math.Log(50)))
			flows = append(flows, mixed{number, now, now + lasts, max(1, gap)})
		}
		for i := 0; i < len(flows); i++ {
			f := &flows[i]
			packets := uint64(0)
			for ; f.next <= now; f.next += f.gap {
				packets++
			}
			if packets > 0 {
				r.forward(f.number, packets, now)
				n += packets
			}
			if f.end <= now {
				flows[i] = flows[len(flows)-1]
				flows = flows[:len(flows)-1]
				i--
			}
		}
		return n
	}
}

// FlowTimeCase is one run of SimulateFlows.
type FlowTimeCase struct {
	Traffic FlowTraffic
	Cache   FlowCache
}

// FlowTimeCases returns what `weir bench flows --cache` runs.
func FlowTimeCases() (cases []FlowTimeCase) {
	add := func(t *FlowTraffic, aligned bool, active []time.Duration, sampling ...uint32) {
		for _, a := range active {
			for _, n := range sampling {
				cases = append(cases, FlowTimeCase{*t, FlowCache{
					Active: a, Inactive: 15 * time.Second, Sampling: n, Aligned: aligned,
				}})
			}
		}
	}
	const s = time.Second
	usual := []time.Duration{1 * s, 10 * s, 60 * s, 300 * s}
	for _, t := range FlowTraffics() {
		switch t.Name {
		case "flood":
			add(&t, false, usual, 1, 100, 1000, 10_000)
			add(&t, true, usual, 1)
		case "ports":
			add(&t, false, []time.Duration{1 * s, 60 * s}, 1, 100, 1000, 10_000)
			add(&t, true, []time.Duration{10 * s, 60 * s}, 1)
		case "pulse":
			add(&t, false, []time.Duration{1 * s, 60 * s}, 1, 100, 1000)
		case "mix":
			add(&t, false, usual, 1, 100)
		case "elephant":
			add(&t, false, []time.Duration{60 * s, 300 * s, 1800 * s, 0}, 1)
		}
	}
	return cases
}
