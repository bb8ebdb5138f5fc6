package control

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"weir/fastpath"
)

// Live runs an engine on sources that receive now: every worker on a goroutine of its own, on its
// core where it has one, and the loop on the caller's.
//
// Concurrency: Run is called once. Do, Beat, and what Engine says others may call, are for any
// goroutine.
type Live struct {
	*Engine
	clock   func() int64
	calls   chan func()
	beat    atomic.Int64
	stop    atomic.Bool
	running sync.WaitGroup
	ended   chan error // a worker's end before stop

	// Ticked is told on the loop how long each second's merge and judgement took. Nil: nobody.
	Ticked func(time.Duration)
}

// flipPatience is how long the loop waits for workers to move.
const (
	flipPatience = 100 * time.Millisecond
	flipPause    = 50 * time.Microsecond
)

// NewLive returns a Live of c, whose clock gives nanoseconds since 1970 UTC and never goes back;
// c.Start is its own.
func NewLive(c Config, clock func() int64, events Events) (*Live, error) {
	c.Start = clock()
	e, err := NewEngine(c, events)
	if err != nil {
		return nil, err
	}
	l := &Live{
		Engine: e, clock: clock, calls: make(chan func(), 16),
		ended: make(chan error, len(c.Inputs)),
	}
	l.Hold(c.Start)
	l.beat.Store(c.Start)
	return l, nil
}

// Run starts the workers and runs the loop until ctx ends, or a worker does, whose error it
// returns. When it returns no worker runs any more, and Pipeline has all that they counted.
func (l *Live) Run(ctx context.Context) error {
	for _, v := range l.views {
		for _, w := range v.workers {
			l.running.Go(func() { l.work(w) })
		}
	}
	err := l.loop(ctx)
	l.stop.Store(true)
	for _, v := range l.views {
		for _, w := range v.workers {
			if w.input.Wake != nil {
				w.input.Wake()
			}
		}
	}
	l.running.Wait()
	l.settle()
	return err
}

// work runs one worker.
func (l *Live) work(w *worker) {
	if core := w.input.Core; core >= 0 {
		if err := fastpath.Pin(core); err != nil {
			l.ended <- fmt.Errorf("worker %d: %w", w.Number(), err)
			return
		}
	}
	if err := w.Run(&l.stop); err != nil {
		l.ended <- fmt.Errorf("worker %d: %w", w.Number(), err)
	} else if !l.stop.Load() {
		l.ended <- fmt.Errorf("worker %d: its source has ended", w.Number())
	}
}

func (l *Live) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-l.ended:
			return err
		case f := <-l.calls:
			f()
		case <-timer.C:
			now := l.clock()
			l.turn(now)
			l.beat.Store(now)
			timer.Reset(time.Duration(Grid - l.clock()%Grid))
		}
	}
}

// turn does what is due at now.
func (l *Live) turn(now int64) {
	second := l.tickStart
	l.at(now, l.wait)
	if l.tickStart != second && l.Ticked != nil {
		l.Ticked(time.Duration(l.clock() - now))
	}
}

// wait waits until the workers have moved, or patience ends.
func (l *Live) wait() {
	for end := time.Now().Add(flipPatience); !l.moved(); time.Sleep(flipPause) {
		if time.Now().After(end) {
			return
		}
	}
}

// moved reports whether every worker has moved where it was asked to.
func (l *Live) moved() bool {
	for _, v := range l.views {
		for _, w := range v.workers {
			if !w.acknowledged() {
				return false
			}
		}
	}
	return true
}

// settle takes what the workers, which have ended, counted last.
func (l *Live) settle() {
	now := l.clock()
	for _, v := range l.views {
		for n, w := range v.workers {
			if w.moving && w.Acked() != w.epoch.Seq { // it ended before it moved
				w.moving = false
				w.epoch = &w.epochs[(w.epoch.Seq-1)&1]
			}
			if t := w.retired(&v.plan, n); t != nil {
				l.take(v, w, t, now-l.lastFlip)
			}
			l.take(v, w, v.stores[n].tables[(w.epoch.Seq-1)&1], now-l.lastFlip)
		}
	}
	l.drain()
	l.tick(now)
}

// ErrBusy says that too many callers wait for the loop.
var ErrBusy = errors.New("the control loop is busy")

// Do runs f on the loop's goroutine and waits for its end; f must not wait for anything. It
// returns ctx's error, or ErrBusy, when f will not run or may still run later.
func (l *Live) Do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case l.calls <- func() { f(); close(done) }:
	default:
		return ErrBusy
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Beat returns when the loop last turned, by its clock: every 10 ms, unless it hangs.
func (l *Live) Beat() int64 { return l.beat.Load() }
