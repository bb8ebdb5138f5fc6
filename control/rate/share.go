package rate

import (
	"math"

	"weir/counters"
)

// part is what is left of flows that end in the same second.
type part struct {
	packets, bytes [counters.NumClasses]uint64
	noise, bnoise  float64 // standard deviation of each second's packets and bytes
	flows          uint64
	end            int64 // the first second that has nothing of it
	next           int32
}

// pool is what is left of flows of many lengths: each second gives a share of it, which is what
// their rates were of their counts.
type pool struct {
	packets, bytes [counters.NumClasses]uint64
	share          float64
	noise, bnoise  float64 // standard deviation of the next second's packets and bytes
	flows          float64
	some           bool
}

func (p *part) add(sum *counters.FlowSum, seconds int64) {
	for c := range p.packets {
		p.packets[c] += sum.Packets[c]
		p.bytes[c] += sum.Bytes[c]
	}
	p.flows += sum.Flows
	p.noise = root(p.noise, sum.Noise, seconds)
	p.bnoise = root(p.bnoise, sum.BNoise, seconds)
}

// root adds the variance of a count that is given in so many seconds to a standard deviation of
// each: the counts are independent of one another.
func root(deviation, variance float64, seconds int64) float64 {
	if variance == 0 {
		return deviation
	}
	n := float64(seconds)
	return math.Sqrt(deviation*deviation + variance/n/n)
}

// add makes the pool give, in the next second, what it would have and what sum had in each.
func (p *pool) add(sum *counters.FlowSum, seconds int64) {
	added, _ := sum.Total()
	var left uint64
	for c := counters.TCP; c <= counters.Other; c++ {
		left += p.packets[c]
	}
	each := float64(left)*p.share + float64(added)/float64(seconds)
	p.share = min(1, each/max(1, float64(left+added)))
	for c := range p.packets {
		p.packets[c] += sum.Packets[c]
		p.bytes[c] += sum.Bytes[c]
	}
	p.flows += float64(sum.Flows)
	p.noise = root(p.noise, sum.Noise, seconds)
	p.bnoise = root(p.bnoise, sum.BNoise, seconds)
	p.some = true
}

// give takes one second's share out of p.
func (p *pool) give(out *counters.Second) {
	p.some = false
	for c := range p.packets {
		if p.packets[c]|p.bytes[c] == 0 {
			continue
		}
		packets, bytes := portion(p.packets[c], p.share), portion(p.bytes[c], p.share)
		out.Packets[c] += packets
		out.Bytes[c] += bytes
		p.packets[c] -= packets
		p.bytes[c] -= bytes
		p.some = p.some || p.packets[c]|p.bytes[c] != 0
	}
	out.Flows += uint64(p.flows + 0.5)
	out.AtLeast = out.AtLeast || p.noise > 0
	out.Noise.HeldPackets += p.noise
	out.Noise.HeldBytes += p.bnoise
	rest := 1 - p.share
	p.flows, p.noise, p.bnoise = p.flows*rest, p.noise*rest, p.bnoise*rest
	if !p.some {
		*p = pool{}
	}
}

// portion returns that share of v, at least 1 of what is there: a pool comes to its end.
func portion(v uint64, share float64) uint64 {
	return min(v, max(1, uint64(float64(v)*share+0.5)))
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
