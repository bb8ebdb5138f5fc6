package capture

import (
	"cmp"
	"math/bits"
	"math/rand/v2"
	"slices"
	"time"
)

// DefaultSamples is the number of samples that a Store holds unless told otherwise: 16 MiB.
const DefaultSamples = 64 << 10

// Keep is how long a sample should be there for a verdict. One that is overwritten sooner is
// counted in Stats.Early.
const Keep = 10 * time.Second

// Sides says which packets of a host Select returns.
type Sides uint8

// The sides: both, those towards the host, those from it.
const (
	Both Sides = iota
	Incoming
	Outgoing
)

// Store holds the latest samples of all hosts, the oldest being overwritten, and finds those of
// one host without looking at the others. All its memory is taken by NewStore.
//
// Concurrency: for one goroutine.
type Store struct {
	samples []Sample
	added   uint64 // also the number of the next sample; sample n lies at n % len(samples)
	early   uint64
	newest  int64

	// Every sample is in two chains, by a hash of its source and of its destination. A link is
	// 2n+1 for the source side of sample n and 2n+2 for the destination's; 0 ends a chain, and
	// so does a link to a sample that was overwritten since, as all behind it are older.
	heads []uint64
	next  []uint64  // 2 per sample
	seed  [2]uint64 // addresses are an attacker's choice: the chains must not be

	found []uint64 // scratch of Select
}

// Stats are a store's totals.
type Stats struct {
	Added       uint64
	Overwritten uint64
	Early       uint64 // of Overwritten: younger than Keep
	Held        int
	Oldest      int64 // times of the samples held, nanoseconds since 1970 UTC; 0 without any
	Newest      int64
}

// NewStore returns a store of so many samples, at least 1; each takes 256 bytes and at most
// 56 of index.
func NewStore(samples int) *Store {
	if samples < 1 {
		panic("BUG: capture.NewStore: no room for a sample")
	}
	heads := 1
	for heads < 2*samples {
		heads *= 2
	}
	return &Store{
		samples: make([]Sample, samples),
		heads:   make([]uint64, heads),
		next:    make([]uint64, 2*samples),
		found:   make([]uint64, 0, samples),
		seed:    [2]uint64{rand.Uint64(), rand.Uint64()},
	}
}

// Add copies s into the store.
func (s *Store) Add(sample *Sample) {
	at := s.added % uint64(len(s.samples))
	slot := &s.samples[at]
	if s.added >= uint64(len(s.samples)) && sample.Time-slot.Time < int64(Keep) {
		s.early++
	}
	*slot = *sample
	s.newest = max(s.newest, sample.Time)
	link := 2*s.added + 1
	s.chain(link, &s.next[2*at], slot.SrcHi, slot.SrcLo)
	s.chain(link+1, &s.next[2*at+1], slot.DstHi, slot.DstLo)
	s.added++
}

// chain puts a link in front of its chain.
func (s *Store) chain(link uint64, next *uint64, hi, lo uint64) {
	head := &s.heads[s.bucket(hi, lo)]
	*next, *head = *head, link
}

// bucket hashes an address by folded 128-bit products (as in wyhash), keyed by the seed.
func (s *Store) bucket(hi, lo uint64) uint64 {
	a, b := bits.Mul64(hi^s.seed[0], lo^s.seed[1])
	a, b = bits.Mul64(a^b^s.seed[0], 0x9e3779b97f4a7c15)
	return (a ^ b) & uint64(len(s.heads)-1)
}

// Select appends to dst the samples of the host with that address, of the sides asked for, from
// time from up to but without time to (nanoseconds since 1970 UTC), in the order of their times.
// A packet from a host to itself is there once.
func (s *Store) Select(dst []Sample, hi, lo uint64, sides Sides, from, to int64) []Sample {
	s.found = s.found[:0]
	for link := s.heads[s.bucket(hi, lo)]; s.holds(link); {
		n, isDst := (link-1)/2, link%2 == 0
		sample := s.at(n)
		if sample.Time >= from && sample.Time < to && ofHost(sample, hi, lo, sides, isDst) {
			s.found = append(s.found, n)
		}
		link = s.next[(link-1)%uint64(len(s.next))]
	}
	slices.SortFunc(s.found, func(a, b uint64) int {
		return cmp.Or(compare(s.at(a), s.at(b)), cmp.Compare(a, b))
	})
	dst = slices.Grow(dst, len(s.found))
	for _, n := range s.found {
		dst = append(dst, *s.at(n))
	}
	return dst
}

// at returns sample n.
func (s *Store) at(n uint64) *Sample { return &s.samples[n%uint64(len(s.samples))] }

// holds reports whether link leads to a sample that is still there.
func (s *Store) holds(link uint64) bool {
	return link != 0 && s.added-(link-1)/2 <= uint64(len(s.samples))
}

// ofHost reports whether the side of a sample that a link stands for is the host's, and wanted.
func ofHost(s *Sample, hi, lo uint64, sides Sides, isDst bool) bool {
	if isDst {
		return sides != Outgoing && s.DstHi == hi && s.DstLo == lo
	}
	toItself := s.DstHi == hi && s.DstLo == lo && sides == Both
	return sides != Incoming && s.SrcHi == hi && s.SrcLo == lo && !toItself
}

// Stats returns the totals.
func (s *Store) Stats() Stats {
	held := min(s.added, uint64(len(s.samples)))
	st := Stats{
		Added: s.added, Overwritten: s.added - held, Early: s.early,
		Held: int(held), Newest: s.newest,
	}
	if held > 0 {
		st.Oldest = s.at(s.added - held).Time
	}
	return st
}
