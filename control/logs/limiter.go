package logs

import (
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Limiter decides which lines are let through.
//
// Concurrency: any goroutine may call its methods. None of them waits for a line to be written.
type Limiter struct {
	every time.Duration
	burst int

	hidden atomic.Uint64

	mu     sync.Mutex
	causes map[cause]*history
	shared map[slog.Level]*history // of causes beyond maxCauses
	all    allowance
	swept  time.Time
}

// cause is what makes two lines the same, whatever else they say.
type cause struct {
	level         slog.Level
	message, attr string
}

// history is what was let through of one cause, and what was not.
type history struct {
	allowance
	hidden uint64 // since the last line let through
}

func newLimiter(o *Options) *Limiter {
	return &Limiter{
		every: o.Every, burst: o.Burst,
		causes: map[cause]*history{}, shared: map[slog.Level]*history{},
	}
}

// Hidden returns how many lines were hidden since the start.
func (l *Limiter) Hidden() uint64 { return l.hidden.Load() }

// pass reports whether a line of c is let through now, and if so how many of its cause were
// hidden since the one before.
func (l *Limiter) pass(c cause, now time.Time) (hidden uint64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.history(c, now)
	if !h.has(now, l.every, l.burst) || !l.all.has(now, time.Second/maxRate, maxRate) {
		h.hidden++
		l.hidden.Add(1)
		return 0, false
	}
	h.take()
	l.all.take()
	hidden, h.hidden = h.hidden, 0
	return hidden, true
}

// history returns that of c, or where there are too many that of all others of its level.
func (l *Limiter) history(c cause, now time.Time) *history {
	if h := l.causes[c]; h != nil {
		return h
	}
	l.sweep(now)
	if len(l.causes) < maxCauses {
		// Not to keep what they were cut from, which may be long.
		c.message, c.attr = strings.Clone(c.message), strings.Clone(c.attr)
		h := &history{}
		l.causes[c] = h
		return h
	}
	return l.sharedOf(c.level)
}

func (l *Limiter) sharedOf(level slog.Level) *history {
	level = min(max(level, slog.LevelDebug), slog.LevelError) // few, whoever makes levels up
	h := l.shared[level]
	if h == nil {
		h = &history{}
		l.shared[level] = h
	}
	return h
}

// sweep forgets causes that could have their whole burst again, when there are too many. What was
// hidden of them is told by those that share a line.
func (l *Limiter) sweep(now time.Time) {
	if len(l.causes) < maxCauses || now.Sub(l.swept) < time.Second {
		return
	}
	l.swept = now
	for c, h := range l.causes {
		if h.full(now, l.every, l.burst) {
			if h.hidden > 0 {
				l.sharedOf(c.level).hidden += h.hidden
			}
			delete(l.causes, c)
		}
	}
}

// allowance lets lines through at a steady rate, or a burst of them after a pause. The zero value
// is one that has paused.
type allowance struct {
	used  int       // of the burst
	since time.Time // when the next of them to come back began to
}

// has reports whether a line may pass now, where one of a burst comes back after every.
func (a *allowance) has(now time.Time, every time.Duration, burst int) bool {
	back := min(now.Sub(a.since)/every, time.Duration(a.used))
	if back > 0 {
		a.used -= int(back)
		a.since = a.since.Add(back * every)
	}
	if a.used == 0 || now.Before(a.since) { // a clock that was put back mutes nothing for long
		a.since = now
	}
	return a.used < burst
}

// take uses one, which has said is there.
func (a *allowance) take() { a.used++ }

// full reports whether a whole burst may pass now.
func (a *allowance) full(now time.Time, every time.Duration, burst int) bool {
	a.has(now, every, burst)
	return a.used == 0
}
