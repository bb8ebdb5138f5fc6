package sflow

import (
	"hash/maphash"
	"math/bits"

	"weir/decode"
)

// Agents and data sources are kept in tables of fixed size: sets of four, of which the one that
// was not heard of for the longest time makes room. A sender that invents agents drives others
// out, whose sequence begins anew and whose rate is again the configured one; nothing more.
const (
	agentBits = 10
	ways      = 4
)

// agent is what is known of an agent and sub-agent of one sender.
type agent struct {
	tag    uint64 // never 0 once used
	next   uint32 // sequence number of the datagram to come
	uptime uint32 // milliseconds, of the last
	known  bool

	used uint32 // tick of the table when it was last heard of

	// Whether the sources of the agent count in one pool: see compare.
	pool       uint32
	source     uint64
	sharedPool int8
}

type agents struct {
	seed uint64
	tick uint32
	sets [][ways]agent
}

func (t *agents) init() {
	t.seed = randomSeed()
	t.sets = make([][ways]agent, 1<<agentBits/ways)
}

// randomSeed returns a number that nobody can guess.
func randomSeed() uint64 {
	return maphash.Bytes(maphash.MakeSeed(), []byte("weir"))
}

// mix folds a value into a hash.
func mix(h, v uint64) uint64 {
	hi, lo := bits.Mul64(h^0x9e3779b97f4a7c15, v^0xd1b54a32d192ed03)
	return hi ^ lo
}

// find returns the entry of an agent, a new one where it is not known. Agents in containers and
// behind NAT may call themselves by the same address: only their senders tell them apart.
func (t *agents) find(sender, ip decode.Addr, sub uint32) *agent {
	t.tick++
	tag := mix(mix(mix(t.seed, ip.Hi), ip.Lo^t.seed), uint64(sub))
	tag = mix(mix(tag, sender.Hi), sender.Lo^t.seed) | 1
	set := &t.sets[tag>>(64-agentBits+2)]
	oldest := 0
	for i := range set {
		if set[i].tag == tag {
			set[i].used = t.tick
			return &set[i]
		}
		if t.tick-set[i].used > t.tick-set[oldest].used {
			oldest = i
		}
	}
	set[oldest] = agent{tag: tag, used: t.tick}
	return &set[oldest]
}

// mostLost is how far ahead a sequence number may be for datagrams to be lost; beyond, it is of
// another sequence.
const mostLost = 1 << 26

// reordered is how far back a sequence number may lie, in datagrams, to be late, and not the
// sequence of an agent that began anew.
const reordered = 1024

// sequence holds a datagram against the one before it.
func (a *agent) sequence(dg *decode.Datagram, sequence, uptime uint32) {
	back := a.next - sequence
	ahead := sequence - a.next
	switch {
	case !a.known:
	case ahead == 0:
		dg.Restart = uptime < a.uptime && a.uptime-uptime < 1<<31
	case back <= reordered && (uptime >= a.uptime || a.uptime-uptime < lateMillis):
		dg.Late = true
		return
	case ahead > mostLost || uptime < a.uptime && a.uptime-uptime < 1<<31:
		dg.Restart = true
	default:
		dg.Lost = ahead
	}
	a.known, a.next, a.uptime = true, sequence+1, uptime
}

// lateMillis is how far an agent's uptime may go back in a late datagram.
const lateMillis = 10_000
