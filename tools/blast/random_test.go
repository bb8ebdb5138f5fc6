package blast

import (
	"math"
	"slices"
	"testing"
)

// Every number comes once in each round, and rounds are in different, random orders.
func TestShuffle(t *testing.T) {
	sizes := []uint32{1, 2, 3, 4, 5, 7, 8, 255, 256, 257, 1000, 1 << 16, 1_000_003}
	if !testing.Short() {
		sizes = append(sizes, 10e6)
	}
	for _, n := range sizes {
		s := newShuffle(n)
		var first []uint32
		for round := range 2 {
			order := make([]uint32, n)
			for i := range order {
				order[i] = s.next()
			}
			inOrder(t, n, order)
			if round == 0 {
				first = order
			} else if n > 8 && slices.Equal(order, first) {
				t.Errorf("%d: the same order twice", n)
			}
		}
	}
}

// inOrder fails unless order has all numbers below n, and rises as often as random ones do.
func inOrder(t *testing.T, n uint32, order []uint32) {
	t.Helper()
	seen := make([]bool, n)
	rises := 0.0
	for i, x := range order {
		if x >= n || seen[x] {
			t.Fatalf("%d of %d comes twice", x, n)
		}
		seen[x] = true
		if i > 0 && x > order[i-1] {
			rises++
		}
	}
	mean, deviation := float64(n-1)/2, math.Sqrt(float64(n+1)/12)
	if n > 8 && math.Abs(rises-mean) > 5*deviation {
		t.Errorf("%d: rises %v times, want %v ± %v", n, rises, mean, deviation)
	}
}

func TestBelow(t *testing.T) {
	r := newRandom(1, 2)
	for _, n := range []uint32{1, 2, 3, 10, math.MaxUint32} {
		const draws = 30_000
		high := 0
		for range draws {
			x := r.below(n)
			if x >= n {
				t.Fatalf("%d is not below %d", x, n)
			}
			if x >= n-n/3 {
				high++
			}
		}
		share(t, "upper third", high, draws, float64(n/3)/float64(n))
	}
}

func TestStreams(t *testing.T) {
	a, b, again := newRandom(1, 2), newRandom(2, 1), newRandom(1, 2)
	same := 0
	for range 1000 {
		x := a.u64()
		if x == b.u64() {
			same++
		}
		if x != again.u64() {
			t.Fatal("one seed, two streams")
		}
	}
	if same > 0 {
		t.Errorf("two seeds have %d numbers in common", same)
	}
}
