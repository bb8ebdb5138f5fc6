package control

import (
	"sync/atomic"

	"weir/counters"
)

// worthSharing is from how many words of a table's bitmap on, of up to 64 hosts each, other cores
// help to merge it: a millisecond of one core.
const worthSharing = 1 << 10

// sharesPerLane is how many shares each core takes, one after the other: hosts crowd in some.
const sharesPerLane = 64

// lanes merge large tables on other cores beside the loop's, so that a second of a million hosts
// on every worker takes the loop no longer than its own part of them. Merging is the same without
// any.
//
// Concurrency: the loop's goroutine calls merge and close.
type lanes struct {
	n    int // beside the loop's
	job  job
	next atomic.Int32 // share of job
	work chan struct{}
	done chan struct{}
}

// job is one table to be merged.
type job struct {
	merger *counters.Merger
	table  *counters.Table
	scale  float64
}

// newLanes starts n lanes.
func newLanes(n int) *lanes {
	l := &lanes{n: n, work: make(chan struct{}), done: make(chan struct{})}
	for range n {
		go func() {
			for range l.work {
				l.share()
				l.done <- struct{}{}
			}
		}()
	}
	return l
}

// merge adds t to g, and clears it.
func (l *lanes) merge(g *counters.Merger, t *counters.Table, scale float64) {
	if l != nil && l.n > 0 && t.Busy() >= worthSharing {
		g.Reserve(t)
		l.job = job{g, t, scale}
		l.next.Store(0)
		for range l.n {
			l.work <- struct{}{}
		}
		l.share()
		for range l.n {
			<-l.done
		}
	}
	g.Add(t, scale)
}

// share adds shares of the job until all are taken.
func (l *lanes) share() {
	shares := (l.n + 1) * sharesPerLane
	for i := int(l.next.Add(1)) - 1; i < shares; i = int(l.next.Add(1)) - 1 {
		l.job.merger.AddShare(l.job.table, l.job.scale, i, shares)
	}
}

// close ends the goroutines; to close what is closed does nothing.
func (l *lanes) close() {
	if l != nil && l.work != nil {
		close(l.work)
		l.work, l.n = nil, 0
	}
}
