package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"
)

// Options are the journal's bounds; a zero value takes the default.
type Options struct {
	Patience     time.Duration // of an Intent with the disk; 500 ms
	Retry        time.Duration // pause after the disk refused; 1 s
	Lazy         time.Duration // a Renew is written after so long at the latest; 5 s
	CompactBytes int64         // a smaller file is left alone; 256 KiB
	KeepBad      int           // damaged files that are kept, the newest; 5
}

func (o Options) orDefault() Options {
	return Options{
		Patience:     cmp.Or(o.Patience, 500*time.Millisecond),
		Retry:        cmp.Or(o.Retry, time.Second),
		Lazy:         cmp.Or(o.Lazy, 5*time.Second),
		CompactBytes: cmp.Or(o.CompactBytes, 256<<10),
		KeepBad:      cmp.Or(o.KeepBad, 5),
	}
}

// What an Intent may meet, beside an ErrRoute and what the disk says.
var (
	ErrSlow   = errors.New("the disk is too slow")
	ErrFull   = errors.New("the journal holds all the routes that it can")
	ErrClosed = errors.New("the journal is closed")
)

// Journal is an open journal.
//
// Concurrency: all methods may be called from any goroutine; none but Intent and Close waits, and
// none touches the disk: a goroutine of the journal's own does. It keeps the live set as it should
// be and the prefixes whose state the file does not know yet, so that what waits for a broken disk
// is bounded and nothing of it is lost.
type Journal struct {
	options Options
	clock   Clock
	gen     uint64

	wake   chan struct{} // something urgent is queued
	quit   chan struct{}
	done   chan struct{}
	writer writer // the goroutine's

	mu       sync.Mutex
	closed   bool
	live     map[netip.Prefix]entry
	dirty    map[netip.Prefix]bool // true: to be synced
	intents  []*pending            // not taken by the writer yet
	busy     int64                 // Boot at which the disk was given work; 0: idle
	state    State                 // what the writer last saw
	closeErr error
}

// pending is an Intent whose caller waits. gaveUp and answered are guarded by Journal.mu.
type pending struct {
	entry
	gaveUp   bool
	answered bool
	answer   chan error // room for one
}

// State is how a journal fares.
type State struct {
	// Err says why the journal is degraded, nil that it is healthy. Degraded, an Intent is
	// refused; what is asked for otherwise is kept. Every Options.Retry a new file is tried, for
	// which the disk needs room beside the old one; with it the journal is healthy again.
	Err error

	// Housekeeping says why the file could not be made smaller; Intents are not affected.
	Housekeeping error

	Generation  uint64
	Routes      int           // live
	Queued      int           // changes and intents that wait for the disk
	Bytes       int64         // of the file
	Records     int           // in the file
	Refused     uint64        // intents, for whatever reason
	Cancelled   uint64        // intents that became durable after their caller gave up
	Compactions uint64        // times the file was made smaller
	LastSync    time.Duration // the latest wait for the disk
}

// Generation returns the number of this opening: higher than that of every record before it.
func (j *Journal) Generation() uint64 { return j.gen }

// State returns how the journal fares now.
func (j *Journal) State() State {
	j.mu.Lock()
	defer j.mu.Unlock()
	s := j.state
	s.Generation = j.gen
	s.Routes, s.Queued = len(j.live), len(j.dirty)+len(j.intents)
	if stuck := j.stuck(); stuck != nil {
		s.Err = stuck
	}
	return s
}

// stuck returns an ErrSlow while the disk takes longer than an Intent would wait.
func (j *Journal) stuck() error {
	if j.busy == 0 {
		return nil
	}
	waited := time.Duration(j.clock.Boot() - j.busy)
	if waited <= j.options.Patience {
		return nil
	}
	return fmt.Errorf("%w: it has not answered for %v", ErrSlow, waited.Round(time.Millisecond))
}

// Intent returns nil once it is on the disk that r will be announced: r is then live, in place of
// an older route of its prefix. After any error r must not be announced. ErrSlow: the disk took
// longer than Options.Patience; ErrRoute, ErrFull, ErrClosed; what the disk said; or ctx's.
//
// An Intent that becomes durable after all is cancelled by a record that follows it. Only if weir
// or the machine dies before that (the disk hangs for as long) does Open return r, as a Survivor
// that was not announced.
func (j *Journal) Intent(ctx context.Context, r Route) error {
	e, err := newEntry(r, now(j.clock))
	if err == nil {
		err = j.intend(ctx, e)
	}
	if err == nil {
		return nil
	}
	j.mu.Lock()
	j.state.Refused++
	j.mu.Unlock()
	return fmt.Errorf("journal the route %v: %w", r.Prefix, err)
}

func (j *Journal) intend(ctx context.Context, e entry) error {
	ctx, cancel := context.WithTimeoutCause(ctx, j.options.Patience, ErrSlow)
	defer cancel()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	p := &pending{entry: e, answer: make(chan error, 1)}
	if err := j.submit(p); err != nil {
		return err
	}
	select {
	case err := <-p.answer:
		return err
	case <-ctx.Done():
		return j.giveUp(p, context.Cause(ctx))
	}
}

// submit queues p unless it is known already that it would be in vain.
func (j *Journal) submit(p *pending) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, known := j.live[p.Prefix]
	switch stuck := j.stuck(); {
	case j.closed:
		return ErrClosed
	case j.state.Err != nil:
		return j.state.Err
	case stuck != nil:
		return stuck
	case !known && len(j.live)+len(j.intents) >= MaxRoutes:
		return ErrFull
	}
	j.intents = append(j.intents, p)
	j.poke()
	return nil
}

// giveUp returns why, unless the answer came at the same moment.
func (j *Journal) giveUp(p *pending, why error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if p.answered {
		return <-p.answer
	}
	p.gaveUp = true
	for i, other := range j.intents {
		if other == p { // the writer has not seen it
			j.intents = append(j.intents[:i], j.intents[i+1:]...)
			break
		}
	}
	return why
}

// Announced notes that the route of p has been announced, and reports whether the journal knows
// it.
func (j *Journal) Announced(p netip.Prefix) bool {
	return j.change(p, false, func(e *entry) { e.op = announced })
}

// Renew gives the route of p a lease that lasts for left from now, at most MaxLease, and reports
// whether the journal knows the route. It reaches the file after Options.Lazy at the latest, so
// that it may be called every second; the loss of power may bring back a shorter lease.
func (j *Journal) Renew(p netip.Prefix, left time.Duration) bool {
	from := now(j.clock)
	return j.change(p, true, func(e *entry) {
		e.op, e.from, e.Lease = renewed, from, min(max(left, 1), MaxLease)
	})
}

func (j *Journal) change(p netip.Prefix, lazy bool, change func(*entry)) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.live[p]
	if !ok || j.closed {
		return false
	}
	change(&e)
	j.live[p] = e
	if _, ok := j.dirty[p]; !ok { // what was to be synced still is
		j.dirty[p] = false
	}
	if !lazy {
		j.poke()
	}
	return true
}

// Withdrawn notes that the route of p is gone, and reports whether the journal knew it. It is
// written and synced as soon as the disk lets it.
func (j *Journal) Withdrawn(p netip.Prefix) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.live[p]; !ok || j.closed {
		return false
	}
	delete(j.live, p)
	j.dirty[p] = true
	j.poke()
	return true
}

// poke wakes the writer.
func (j *Journal) poke() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// Close writes what is queued and ends the journal: changes after it are refused. Its error says
// what did not reach the disk; when ctx ends first the writer goes on until the disk answers. Every
// Close returns the same.
func (j *Journal) Close(ctx context.Context) error {
	j.mu.Lock()
	if !j.closed {
		j.closed = true
		close(j.quit)
	}
	j.mu.Unlock()
	select {
	case <-j.done:
	case <-ctx.Done():
		return fmt.Errorf("close the journal: %w", context.Cause(ctx))
	}
	return j.closeErr
}
