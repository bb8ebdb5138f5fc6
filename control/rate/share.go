package rate

import (
	"math"

	"weir/counters"
)

// A part's packets and bytes per second have a fraction of so many bits, and what they divide may
// have wholeBits: a host has few enough parts for their sum.
const (
	fraction  = 16
	wholeBits = 44
)

// part is what flows of one host and class had in each second up to one in which they all end.
type part struct {
	packets, bytes uint64  // per second, with a fraction
	noise, bnoise  float64 // standard deviation of each second's packets and bytes
	flows          uint32
	host           int32
	next           int32 // of those that end in the same second; -1: none
	class          counters.Class
}

// tiny is a standard deviation that is none.
const tiny = 1e-3

// steady is what all parts of one host have per second. What a host of one or two classes needs
// lies together, see held.
type steady struct {
	flows         uint64
	parts         int32
	classes       uint8 // in which something is
	noise, bnoise float64
	rates         [counters.NumClasses]classRate
}

// classRate is what one class has per second, with a fraction, and the fractions not given yet.
type classRate struct {
	packets, bytes uint64
	rest, brest    uint32
}

// add lets s give the packets and bytes of class c over so many seconds, and returns the part that
// ends takes back.
func (s *steady) add(c counters.Class, packets, bytes uint64, seconds int64) part {
	n := uint64(seconds)
	packets, bytes = packets<<fraction, bytes<<fraction
	p := part{packets: packets / n, bytes: bytes / n, class: c}
	r := &s.rates[c]
	r.packets += p.packets
	r.bytes += p.bytes
	r.rest += uint32(packets % n) // every packet is given, to the last
	r.brest += uint32(bytes % n)
	s.classes |= 1 << c
	s.parts++
	return p
}

// end takes back what p gave each second.
func (s *steady) end(p *part) {
	r := &s.rates[p.class]
	r.packets -= p.packets
	r.bytes -= p.bytes
	s.flows -= uint64(p.flows)
	s.noise -= p.noise
	s.bnoise -= p.bnoise
	if s.parts--; s.parts == 0 {
		s.classes = 0
	}
	if s.noise < tiny { // what rounding left
		s.noise = 0
	}
	if s.bnoise < tiny {
		s.bnoise = 0
	}
}

// give adds one second's share to out.
func (s *steady) give(out *counters.Second) {
	for c := range s.rates {
		if s.classes>>c&1 == 0 {
			continue
		}
		r := &s.rates[c]
		packets, bytes := r.packets+uint64(r.rest), r.bytes+uint64(r.brest)
		r.rest = uint32(packets & (1<<fraction - 1))
		r.brest = uint32(bytes & (1<<fraction - 1))
		out.Packets[c] += packets >> fraction
		out.Bytes[c] += bytes >> fraction
	}
	out.Flows += s.flows
	out.AtLeast = out.AtLeast || s.noise > 0
	out.Noise.HeldPackets += s.noise
	out.Noise.HeldBytes += s.bnoise
}

// pool is what is left of flows of many lengths: each second gives a share of it, which is what
// their rates were of their counts.
//
// What a host of TCP and UDP has in it is one cache line.
type pool struct {
	share         float64
	flows         float64
	noise, bnoise float64 // standard deviation of the next second's packets and bytes
	counts        [counters.NumClasses]struct{ packets, bytes uint64 }
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
		left += p.counts[c].packets
	}
	each := float64(left)*p.share + float64(added)/float64(seconds)
	p.share = min(1, each/max(1, float64(left+added)))
	for c := range p.counts {
		if sum.Packets[c]|sum.Bytes[c] != 0 {
			p.counts[c].packets += sum.Packets[c]
			p.counts[c].bytes += sum.Bytes[c]
		}
	}
	p.flows += float64(sum.Flows)
	p.noise = root(p.noise, sum.Noise, seconds)
	p.bnoise = root(p.bnoise, sum.BNoise, seconds)
}

// give takes one second's share out of p, and reports whether p has more.
func (p *pool) give(out *counters.Second) (more bool) {
	for c := range p.counts {
		n := &p.counts[c]
		if n.packets|n.bytes == 0 {
			continue
		}
		packets, bytes := portion(n.packets, p.share), portion(n.bytes, p.share)
		out.Packets[c] += packets
		out.Bytes[c] += bytes
		n.packets -= packets
		n.bytes -= bytes
		more = more || n.packets|n.bytes != 0
	}
	out.Flows += uint64(p.flows + 0.5)
	out.AtLeast = out.AtLeast || p.noise > 0
	out.Noise.HeldPackets += p.noise
	out.Noise.HeldBytes += p.bnoise
	rest := 1 - p.share
	p.flows, p.noise, p.bnoise = p.flows*rest, p.noise*rest, p.bnoise*rest
	if !more {
		*p = pool{}
	}
	return more
}

// portion returns that share of v, at least 1 of what is there: a pool comes to its end.
func portion(v uint64, share float64) uint64 {
	return min(v, max(1, uint64(float64(v)*share+0.5)))
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
