package sflow

import "weir/decode"

const sourceBits = 12

// source is the recent history of a data source, an interface mostly.
type source struct {
	tag        uint64
	pool       uint64 // packets that it saw since the window began
	taken      uint32 // samples that arrived of them
	drops      uint32 // samples that it says it dropped of them
	late       uint32 // samples that came after younger ones
	lastPool   uint32
	lastDrops  uint32
	configured uint32 // sampling rate as exported
	rate       uint32 // effective
	used       uint32
}

// sources is the effective sampling rates by agent, sub-agent and source.
type sources struct {
	seed uint64
	sets [][ways]source
}

func (t *sources) init() {
	t.seed = randomSeed()
	t.sets = make([][ways]source, 1<<sourceBits/ways)
}

// find returns the entry of a source of an agent, an empty one with its tag where it is new. now is
// the number of the datagram.
func (t *sources) find(agent, id uint64, now uint32) *source {
	tag := mix(agent^t.seed, id) | 1
	set := &t.sets[tag>>(64-sourceBits+2)]
	for i := range set {
		if set[i].tag == tag {
			set[i].used = now
			return &set[i]
		}
	}
	oldest := 0
	for i := range set {
		if now-set[i].used > now-set[oldest].used {
			oldest = i
		}
	}
	set[oldest] = source{tag: tag, used: now}
	return &set[oldest]
}

// A window closes after so many samples. The skips between samples being random, the pool then
// tells the rate to within 1/√window (one standard deviation), 9 %. What lies within four of them
// of the rate that the agent tells is that rate; what was once beyond them must come within two.
const (
	window     = 128
	noise      = 36 // per cent
	worthwhile = 5  // per cent of samples dropped from which on they are made up for
	smoothing  = 8  // windows over which a rate that is not the one told is averaged
	maxLate    = 16 // samples that may be late in a window, and by how many: else all began anew

	// A pool that makes the rate greater or smaller by more than these is no evidence: 4096 is a
	// processor that samples 1:1000 of 100 Mpps and can send 25 samples a second.
	maxFactor = 4096
	minFactor = 16
)

// add counts a sample and returns the rate that it stands for.
func (s *source) add(a *agent, rate, pool, drops uint32) uint32 {
	seen, dropped := pool-s.lastPool, drops-s.lastDrops
	if s.configured != rate || s.taken >= window || int32(seen|dropped) < 0 {
		return s.turn(a, rate, pool, drops)
	}
	s.lastPool, s.lastDrops = pool, drops
	s.pool += uint64(seen)
	s.drops += dropped
	s.taken++
	return s.rate
}

// turn takes a sample that begins a window, or comes late. A window that is full is judged. One
// that ends before, because the rate is another or the counters began anew, is not: of the sample
// at hand nobody knows what it follows.
func (s *source) turn(a *agent, rate, pool, drops uint32) uint32 {
	seen, dropped := pool-s.lastPool, drops-s.lastDrops
	taken := uint32(1)
	switch {
	case s.configured != rate:
		s.configured, s.rate = rate, rate
		seen, dropped, taken = 0, 0, 0
	case int32(seen) < 0 && uint64(-seen) < maxLate*uint64(rate) && s.late < maxLate:
		s.late++
		s.taken++
		return s.rate
	case int32(seen|dropped) < 0:
		seen, dropped, taken = 0, 0, 0
	default:
		s.rate = s.effective(a.sharedPool > 0)
	}
	s.lastPool, s.lastDrops = pool, drops
	s.pool, s.drops, s.taken, s.late = uint64(seen), dropped, taken, 0
	return s.rate
}

// effective judges a window that is full, and returns the rate for the next.
func (s *source) effective(sharedPool bool) uint32 {
	told, now := uint64(s.configured), uint64(s.rate)
	seen := s.pool / window
	if sharedPool || seen*minFactor < told || seen > told*maxFactor {
		return s.configured
	}
	within := uint64(noise)
	if now != told {
		within /= 2
	}
	made := told * (window + uint64(s.drops)) / window
	switch {
	case s.drops > window*worthwhile/100 && near(seen, made, noise):
		seen = made // what the agent counts is the better measure, where the pool confirms it
	case near(seen, told, within):
		return s.configured
	}
	if now != told && near(seen, now, noise) {
		seen = (now*(smoothing-1) + seen + smoothing/2) / smoothing
	}
	return uint32(min(seen, decode.MaxSampling))
}

// near reports whether a and b differ by no more than so many per cent.
func near(a, b, within uint64) bool {
	return a*100 <= b*(100+within) && b*100 <= a*(100+within)
}

// compare learns whether the sources of an agent count in one pool, against the standard: then the
// pool goes on from a sample of one source to the next of another, and what the others' samples
// add would be taken for dropped ones. It looks at the first sample of each datagram.
func (a *agent) compare(id uint64, rate, pool uint32) {
	switch step := pool - a.pool; {
	case a.source == id:
	case uint64(step) < 256*uint64(rate):
		a.sharedPool = min(a.sharedPool+1, 64)
	default:
		a.sharedPool = max(a.sharedPool-8, -64)
	}
	a.source, a.pool = id, pool
}
