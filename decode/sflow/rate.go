package sflow

import "weir/decode"

const sourceBits = 12

// source is the recent history of a data source, an interface mostly.
type source struct {
	tag        uint64
	pool       uint64 // packets that it saw since the window began
	taken      uint32 // samples that arrived of them
	drops      uint32 // samples that it says it dropped of them
	lastPool   uint32
	lastDrops  uint32
	configured uint32 // sampling rate as exported
	rate       uint32 // effective
	used       uint32
}

// sources is the effective sampling rates by agent, sub-agent and source.
type sources struct {
	seed uint64
	tick uint32
	sets [][ways]source
}

func (t *sources) init() {
	t.seed = randomSeed()
	t.sets = make([][ways]source, 1<<sourceBits/ways)
}

// find returns the entry of a source of an agent, an empty one with its tag where it is new.
func (t *sources) find(agent, id uint64) *source {
	t.tick++
	tag := mix(agent^t.seed, id) | 1
	set := &t.sets[tag>>(64-sourceBits+2)]
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
	set[oldest] = source{tag: tag, used: t.tick}
	return &set[oldest]
}

// rate returns the sampling rate of a flow sample's record, and says where it is from.
func (d *Decoder) rate(s *sample) uint32 {
	rate := d.override
	learned := decode.RateConfigured
	if rate == 0 {
		rate, learned = s.rate, decode.RateRecord
		switch {
		case rate == 0:
			rate, learned = d.fallback, decode.RateUnknown
		case d.want == Counted && d.agent != nil:
			rate = d.sources.find(d.agent.tag, s.source).add(d.agent, s)
		}
		rate = min(rate, decode.MaxSampling)
	}
	d.datagram.Learned, d.datagram.Rate = learned, rate
	return rate
}

// A window closes after so many samples. The skips between samples being random, the pool then
// tells the rate to within 1/√window (one standard deviation), 9 %; what lies within four of them
// of the rate that the agent tells, with the samples that it says it dropped, is that rate.
const (
	window     = 128
	noise      = 36 // per cent
	worthwhile = 5  // per cent of dropped samples from which on they are made up for
	maxFactor  = 4096
)

// add counts a sample and returns the rate that it stands for.
func (s *source) add(a *agent, f *sample) uint32 {
	a.compare(f)
	pool, drops := f.pool-s.lastPool, f.drops-s.lastDrops
	s.lastPool, s.lastDrops = f.pool, f.drops
	if s.configured != f.rate {
		s.configured, s.rate = f.rate, f.rate
		s.pool, s.taken, s.drops = 0, 0, 0
		return s.rate
	}
	if pool >= 1<<31 || drops >= 1<<31 { // late, or begun anew
		s.pool, s.taken, s.drops = 0, 0, 0
		return s.rate
	}
	s.pool += uint64(pool)
	s.drops += drops
	s.taken++
	if s.taken == window {
		s.rate = s.effective(a.sharedPool > 0)
		s.pool, s.taken, s.drops = 0, 0, 0
	}
	return s.rate
}

// effective judges a window that is full.
func (s *source) effective(shared bool) uint32 {
	told := uint64(s.configured)
	seen := s.pool / window
	made := told * (window + uint64(s.drops)) / window
	switch {
	case shared || seen == 0 || seen > told*maxFactor || seen < told/maxFactor:
		return s.configured // the pool is no evidence
	case s.drops > window*worthwhile/100 && near(seen, made):
		return uint32(min(made, decode.MaxSampling))
	case near(seen, told):
		return s.configured
	}
	return uint32(min(seen, decode.MaxSampling))
}

// near reports whether a and b differ by no more than noise.
func near(a, b uint64) bool {
	return a*100 <= b*(100+noise) && b*100 <= a*(100+noise)
}

// compare learns whether the sources of an agent count in one pool, as some do against the
// standard: then the pool goes on from a sample of one source to the next of another. A source's
// share of such a pool is not known.
func (a *agent) compare(f *sample) {
	if a.source != f.source {
		step := f.pool - a.pool
		switch {
		case uint64(step) < 64*uint64(f.rate):
			a.sharedPool = min(a.sharedPool+1, 64)
		default:
			a.sharedPool = max(a.sharedPool-8, -64)
		}
		a.source = f.source
	}
	a.pool = f.pool
}
