package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"weir/control/rate"
	"weir/ring/replay"
)

// Replay runs an engine over captures in lock-step with their own clock: one worker for the frames
// and one for each port of flow exports, batches cut at the points of the Grid, so that the same
// captures and configuration give the same events, whatever the machine does.
type Replay struct {
	*Engine
	source  *replay.Source
	worker  *worker   // of the frames
	exports []*worker // of flow exports
	now     int64
	// Pace is called with every point in time that is reached, when set; `--speed 1x` waits in it.
	Pace func(now int64)
}

// Streamed returns how many TCP segments began with an IPFIX message to a port of flow exports,
// none of which was read.
func (r *Replay) Streamed() uint64 { return r.source.Streamed() }

// mirrorView is the view of the frames.
const mirrorView = "mirror"

// NewReplay returns a Replay of source. c.Inputs are those of source.Exports; c.Start is its own.
func NewReplay(c Config, source *replay.Source, events Events) (*Replay, error) {
	first, ok := source.NextTime()
	if !ok {
		first = 0
	}
	c.Start = first - first%rate.Second
	c.Inputs = slices.Insert(slices.Clone(c.Inputs), 0, Input{
		Source: source, View: mirrorView, Sampling: source.Sampling(),
	})
	e, err := NewEngine(c, events)
	if err != nil {
		return nil, err
	}
	r := &Replay{Engine: e, source: source, now: c.Start}
	for _, v := range e.views {
		if v.name == mirrorView {
			r.worker = v.workers[0]
		} else {
			r.exports = append(r.exports, v.workers...)
		}
	}
	return r, nil
}

// Run plays the captures to their end, and the clock to the end of the last second. An error is
// the source's; what happened before it has been told.
func (r *Replay) Run(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("replay stopped at %s: %w", time.Unix(0, r.now).UTC(), err)
		}
		edge := r.next()
		r.source.SetEdge(edge)
		err := r.until(edge)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		r.now = edge
		if r.Pace != nil {
			r.Pace(edge)
		}
		r.at(edge, r.step)
		if err != nil && edge == r.tickStart { // the last second was judged
			return nil
		}
	}
}

// until delivers every frame before edge.
func (r *Replay) until(edge int64) error {
	for {
		n, err := r.worker.Step()
		if exported := r.export(); exported != nil {
			return exported
		}
		if err != nil || n == 0 {
			return err
		}
		if r.worker.Samples.Len() > sampleBatch {
			r.drain()
		}
	}
}

// export delivers the export datagrams of the frames that were delivered last.
func (r *Replay) export() error {
	for _, w := range r.exports {
		for {
			n, err := w.Step()
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			if n == 0 {
				break
			}
		}
		if w.Samples.Len() > sampleBatch {
			r.drain()
		}
	}
	return nil
}

// sampleBatch keeps the queue of samples from filling up between two points of the Grid.
const sampleBatch = 1024

// next returns the next point in time at which something may be decided: of the Grid, or the end
// of the second when nothing comes before it, or, when nothing is going on at all, the second
// before the next frame.
func (r *Replay) next() int64 {
	grid := r.now - r.now%Grid + Grid
	tick := r.tickStart + rate.Second
	frame, more := r.source.NextTime()
	switch {
	case more && frame < tick || r.due != 0 || r.hinted:
		return min(grid, tick)
	case !more || frame < tick+rate.Second || !r.idle():
		return tick
	}
	second := frame - frame%rate.Second
	if deadline, ok := r.book.Deadline(); ok {
		second = min(second, deadline-deadline%rate.Second)
	}
	if second <= r.now {
		return tick
	}
	r.skip(second)
	return r.next()
}

// idle reports whether the second before held nothing, and nothing but incidents is open: they
// wait in the dark, and years of it may pass in a damaged capture.
func (r *Replay) idle() bool {
	for _, v := range r.views {
		if v.merged > 0 || v.watch.Len() > 0 || v.spread != nil && v.spread.Held() > 0 {
			return false
		}
	}
	return r.now == r.tickStart
}

// skip moves an idle engine's clock to a later second; nothing could be seen until then.
func (r *Replay) skip(second int64) {
	r.source.SetEdge(second)
	if err := r.until(second); err != nil {
		return // Run meets it again
	}
	r.now, r.tickStart, r.lastFlip = second, second, second
	for _, v := range r.views {
		v.merger.Reset(second)
	}
	r.flip(second, r.step)
	r.emit(r.book.Tick(second, true, r.scratch.events[:0]))
}

// step lets the workers take their new epochs; without a clock of their own, both sides are here.
func (r *Replay) step() {
	for _, v := range r.views {
		for _, w := range v.workers {
			if _, err := w.Step(); w.Acked() != w.epoch.Seq {
				panic(fmt.Sprintf("BUG: control.Replay: worker did not flip: %v", err))
			}
		}
	}
}
