package prometheus

import (
	"slices"
	"sort"
	"time"
)

// Histogram counts durations by size.
//
// Concurrency: one goroutine at a time. A Snapshot takes a Clone.
type Histogram struct {
	bounds []float64 // seconds, ascending: the highest that a bucket takes
	counts []uint64  // of the buckets, and of what is longer than the last
	sum    float64
}

// NewTickHistogram returns an empty histogram for what the loop's tick takes. Beyond one second
// the loop is too slow.
func NewTickHistogram() *Histogram {
	return newHistogram(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5)
}

// NewLatencyHistogram returns an empty histogram for the time to a verdict.
func NewLatencyHistogram() *Histogram {
	return newHistogram(.01, .025, .05, .1, .25, .5, .75, 1, 1.5, 2, 3, 5, 10)
}

func newHistogram(bounds ...float64) *Histogram {
	return &Histogram{bounds: bounds, counts: make([]uint64, len(bounds)+1)}
}

// Observe counts one duration. Below zero is zero, so that the sum never goes down.
func (h *Histogram) Observe(d time.Duration) {
	seconds := max(0, d).Seconds()
	h.counts[sort.SearchFloat64s(h.bounds, seconds)]++
	h.sum += seconds
}

// Clone returns a copy that later calls of Observe leave alone.
func (h *Histogram) Clone() *Histogram {
	return &Histogram{bounds: h.bounds, counts: slices.Clone(h.counts), sum: h.sum}
}

// cumulative returns the count of all, and by bound the count of what is not longer.
func (h *Histogram) cumulative() (all uint64, buckets map[float64]uint64) {
	buckets = make(map[float64]uint64, len(h.bounds))
	for i, n := range h.counts {
		all += n
		if i < len(h.bounds) {
			buckets[h.bounds[i]] = all
		}
	}
	return all, buckets
}
