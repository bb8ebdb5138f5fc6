package afxdp

import (
	"slices"
	"time"
)

// How long, how often and with how many frames at least a probe compares.
const (
	probeWindow = 50 * time.Millisecond
	probeRounds = 5
	probeFrames = 500 // in each window, to begin
)

// probe compares what busy polling brings with what interrupts bring, in turn, while traffic goes
// on: each has probeRounds windows, and the medians are compared. Polling that works brings as
// many frames; broken drivers were seen to bring two thirds, or none (github.com/xdp-project/bpf-
// examples issue 138).
type probe struct {
	windows [2 * probeRounds]uint64 // even: interrupts; odd: busy polling
	next    int                     // of the window that runs; -1: too little traffic
	until   int64                   // its end, on the clock
	before  uint64                  // frames at its begin
}

func newProbe(now int64, received uint64) probe {
	return probe{next: -1, until: now + int64(probeWindow), before: received}
}

// step takes the number of frames received up to now. It reports whether to busy-poll until the
// next call, and whether there is a result.
func (p *probe) step(now int64, received uint64) (busy, done bool) {
	if now < p.until {
		return p.busy(), false
	}
	n := received - p.before
	p.until, p.before = now+int64(probeWindow), received
	if p.next < 0 {
		if n >= probeFrames {
			p.next = 0
		}
		return p.busy(), false
	}
	p.windows[p.next] = n
	p.next++
	return p.busy(), p.next == len(p.windows)
}

// busy reports whether the window that runs is one of busy polling.
func (p *probe) busy() bool { return p.next >= 0 && p.next%2 == 1 }

// medians returns the frames of a middling window, by interrupts and by busy polling.
func (p *probe) medians() (interrupts, polling uint64) {
	var of [2][]uint64
	for i, n := range p.windows {
		of[i%2] = append(of[i%2], n)
	}
	for i := range of {
		slices.Sort(of[i])
	}
	return of[0][probeRounds/2], of[1][probeRounds/2]
}

// worse reports whether polling brought clearly less: under four fifths. The traffic itself
// changes from window to window.
func worse(interrupts, polling uint64) bool { return polling*5 < interrupts*4 }
