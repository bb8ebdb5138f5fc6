package daemon

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"weir/control/ban"
	"weir/control/capture"
	"weir/control/report"
)

// Bounds of the keeper's queue, and its patience with a disk.
const (
	keeperQueue = 64
	keeperRetry = 2 * time.Second
	keeperLast  = 5 * time.Second // for what is left at the end
)

// keeper writes the documents of incidents on a goroutine of its own: a slow disk delays nobody,
// and what a full one refuses is tried again.
type keeper struct {
	writer *report.Writer
	log    *slog.Logger
	jobs   chan job
	done   chan struct{}

	mu     sync.Mutex
	lost   uint64 // documents that found the queue full: the incident's next one has it all
	failed uint64
	err    error // of the latest try; nil after one that worked
}

// job is an incident as it was, with its evidence.
type job struct {
	incident ban.Incident
	evidence *capture.Snapshot
}

func newKeeper(w *report.Writer, log *slog.Logger) *keeper {
	return &keeper{
		writer: w, log: log, jobs: make(chan job, keeperQueue), done: make(chan struct{}),
	}
}

// keep queues the documents of an incident. It never waits; the loop's goroutine calls it.
func (k *keeper) keep(in *ban.Incident, evidence *capture.Evidence) {
	if len(k.jobs) == cap(k.jobs) {
		k.mu.Lock()
		k.lost++
		k.mu.Unlock()
		return
	}
	j := job{incident: *in, evidence: evidence.Snapshot()}
	j.incident.Timeline = slices.Clone(in.Timeline) // the loop merges its points
	k.jobs <- j                                     // there is room: only the loop fills it
}

// run writes until ctx ends, and then what is left, for a few seconds at most.
func (k *keeper) run(ctx context.Context) {
	defer close(k.done)
	for {
		select {
		case j := <-k.jobs:
			k.insist(ctx, &j)
		case <-ctx.Done():
			return
		}
	}
}

// insist tries until the job is done with, or ctx ends.
func (k *keeper) insist(ctx context.Context, j *job) {
	for !k.write(j) {
		select {
		case <-time.After(keeperRetry):
		case <-ctx.Done():
			return
		}
	}
}

// finish writes what is left when nobody adds any more.
func (k *keeper) finish() {
	<-k.done
	for end := time.Now().Add(keeperLast); time.Now().Before(end); {
		select {
		case j := <-k.jobs:
			k.write(&j)
		default:
			return
		}
	}
}

// write reports whether the job is done with.
func (k *keeper) write(j *job) bool {
	err := k.writer.Write(&j.incident, j.evidence)
	k.mu.Lock()
	k.err = err
	if err != nil {
		k.failed++
	}
	k.mu.Unlock()
	if err != nil {
		k.log.Error("write report", "cause", "report", "error", err)
	}
	return err == nil
}

// state returns the totals, and what the latest try met.
func (k *keeper) state() (failed, lost uint64, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failed, k.lost, k.err
}
