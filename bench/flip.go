package bench

import (
	"fmt"
	"slices"
	"time"
)

// FlipFigures say what an epoch flip costs the worker, and for how long it is ever away.
type FlipFigures struct {
	Flip float64 `json:"flip_ns"` // at a burst's edge, median, wall time
	// The 10 ms after a flip against the median 10 ms, and the worst of these; absent where no
	// run had such.
	After     float64 `json:"after_flip,omitempty"`
	AfterMost float64 `json:"after_flip_worst,omitempty"`
	Gap       float64 `json:"longest_gap_us"` // from the end of a burst to the next's, wall time
}

const (
	// window is 10 ms of the stream's clock, in whole chunks.
	window     = 36 * chunk
	maxWindows = 1 << 14
	maxFlips   = 1 << 10
	// costFlips is how many flips the median of their cost is of.
	costFlips = 500
	// gapTime is for how long the longest gap is looked for.
	gapTime = time.Second
)

// flipTimes are the CPU times of the windows that a run is cut into: a flip begins one.
type flipTimes struct {
	all, first  []float64 // ns per packet: of all windows, of those that follow a flip
	used        time.Duration
	packets     int
	justFlipped bool
}

// add takes the time that n packets took. It does not allocate once flipped was called.
func (f *flipTimes) add(took time.Duration, n int) {
	f.used += took
	if f.packets += n; f.packets < window {
		return
	}
	perPacket := float64(f.used.Nanoseconds()) / float64(f.packets)
	if len(f.all) < cap(f.all) {
		f.all = append(f.all, perPacket)
	}
	if f.justFlipped && len(f.first) < cap(f.first) {
		f.first = append(f.first, perPacket)
	}
	f.used, f.packets, f.justFlipped = 0, 0, false
}

// flipped begins a window.
func (f *flipTimes) flipped() { f.used, f.packets, f.justFlipped = 0, 0, true }

// reset forgets what was measured, and makes room.
func (f *flipTimes) reset() {
	*f = flipTimes{all: make([]float64, 0, maxWindows), first: make([]float64, 0, maxFlips)}
}

// ratios returns the median and the worst window after a flip against the median of all; 0 where
// there was no flip.
func (f *flipTimes) ratios() (middle, worst float64) {
	if len(f.first) == 0 || len(f.all) == 0 {
		return 0, 0
	}
	slices.Sort(f.all)
	slices.Sort(f.first)
	usual := median(f.all)
	return median(f.first) / usual, f.first[len(f.first)-1] / usual
}

// flipFigures measures, after the runs, what they did not.
func (p *pipeline) flipFigures() (f *FlipFigures, err error) {
	f = &FlipFigures{}
	f.After, f.AfterMost = p.flips.ratios()
	if f.Flip, err = p.flipCost(); err != nil {
		return nil, err
	}
	f.Gap, err = p.longestGap()
	return f, err
}

// flipCost returns the median of what a flip adds to a poll of an empty ring, in nanoseconds: the
// caches hold what a chunk of packets left there, not the flip's own lines.
func (p *pipeline) flipCost() (float64, error) {
	costs := make([]float64, 0, costFlips)
	for range costFlips {
		if _, err := p.run(chunk); err != nil {
			return 0, err
		}
		_, next := p.next()
		times := [3]time.Duration{} // of polls: of the first, of one like it, of one that flips
		for i := range times {
			if i == 2 {
				p.Publish(next)
			}
			begin := time.Now()
			if _, err := p.Step(); err != nil {
				return 0, err
			}
			times[i] = time.Since(begin)
		}
		if p.Acked() != p.seq {
			return 0, fmt.Errorf("flip to epoch %d: acknowledged %d", p.seq, p.Acked())
		}
		costs = append(costs, float64((times[2] - times[1]).Nanoseconds()))
	}
	slices.Sort(costs)
	return max(0, median(costs)), nil
}

// longestGap returns the longest time from the end of one burst to the end of the next, in
// microseconds. What fills the ring in between does not count.
func (p *pipeline) longestGap() (float64, error) {
	longest := time.Duration(0)
	for begin := time.Now(); time.Since(begin) < gapTime; {
		if p.placed == 0 {
			p.fill()
		}
		n := p.kernel.Burst(min(chunk, p.placed))
		p.clock += packetTime * float64(n)
		p.placed -= n
		last := time.Now()
		for left := n; left > 0; {
			got, err := p.Step()
			if err != nil || got == 0 {
				return 0, fmt.Errorf("poll the ring: %d frames of %d: %w", got, left, err)
			}
			left -= got
			now := time.Now()
			longest = max(longest, now.Sub(last))
			last = now
		}
		if err := p.control(); err != nil {
			return 0, err
		}
	}
	return float64(longest.Nanoseconds()) / 1e3, nil
}
