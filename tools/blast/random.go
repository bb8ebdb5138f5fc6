package blast

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// golden is 2^64 divided by the golden ratio, an odd number: multiples of it are spread evenly.
const golden = 0x9e3779b97f4a7c15

// random is a stream of random numbers. It is not rand.Rand, whose methods may draw differently
// in another version of Go, and which calls its source through an interface.
type random struct{ pcg rand.PCG }

func newRandom(seed, stream uint64) (r random) {
	r.pcg.Seed(mix(seed), mix(stream))
	return r
}

func (r *random) u64() uint64 { return r.pcg.Uint64() }

func (r *random) u32() uint32 { return uint32(r.pcg.Uint64() >> 32) }

// below returns a number in [0, n), whose distribution is even to one part in 2^32.
func (r *random) below(n uint32) uint32 { return uint32(r.pcg.Uint64() >> 32 * uint64(n) >> 32) }

// mix is a bijection that spreads each bit over all (the finaliser of SplitMix64).
func mix(x uint64) uint64 {
	x += golden
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// shuffle deals the numbers below n in random order, each once, then again in another order, and
// so on: a uniform choice of which every number gets its share in n draws already.
type shuffle struct {
	n, mask uint32 // mask+1 is the power of two that holds n
	shift   int
	at      uint32 // in this round
	key     uint32 // of this round
}

func newShuffle(n uint32) shuffle {
	width := bits.Len32(n - 1)
	return shuffle{n: n, mask: 1<<width - 1, shift: (width + 1) / 2}
}

func (s *shuffle) next() uint32 {
	for {
		x := s.permute(s.at)
		s.at = (s.at + 1) & s.mask
		if s.at == 0 {
			s.key += golden & math.MaxUint32
		}
		if x < s.n {
			return x
		}
	}
}

// permute is a bijection of the numbers up to mask: each step is one.
func (s *shuffle) permute(x uint32) uint32 {
	x = (x + s.key) & s.mask
	x = (x ^ x>>s.shift) * 0x85ebca6b & s.mask
	x = (x ^ x>>s.shift) * 0xc2b2ae35 & s.mask
	x = (x ^ x>>s.shift) * 0x27d4eb2f & s.mask
	return x ^ x>>s.shift
}

// zipf returns the cumulative distribution of n ranks of which rank k, from 1, has a weight of
// k^-exponent, in units of 2^-32.
func zipf(n int, exponent float64) []uint32 {
	total := 0.0
	for k := range n {
		total += math.Pow(float64(k+1), -exponent)
	}
	cumulative := make([]uint32, n)
	sum := 0.0
	for k := range cumulative {
		sum += math.Pow(float64(k+1), -exponent)
		cumulative[k] = uint32(min(sum/total*(1<<32), math.MaxUint32))
	}
	cumulative[n-1] = math.MaxUint32
	return cumulative
}

// rank draws from a cumulative distribution; 0 is the most popular.
func (r *random) rank(cumulative []uint32) int {
	k, _ := slices.BinarySearch(cumulative, r.u32())
	return k
}
