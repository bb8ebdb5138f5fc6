package fastpath

import (
	"errors"
	"io"
	"sync/atomic"

	"weir/counters"
	"weir/ring"
)

// Epoch is what a worker counts by and into until the next one. It is published as one value, so
// that a table is only ever written under its own layout.
type Epoch struct {
	Seq       uint64 // 1, 2, 3, …
	Policy    *Policy
	Table     *counters.Table
	Directory *counters.Directory // of the table's layout; nil where that needs none
}

// Queue sizes between a worker and control.
const (
	sampleQueue = 4096
	hintQueue   = 4096
)

// base is what workers of every kind have in common: a source, an epoch, queues to control.
type base struct {
	want  atomic.Pointer[Epoch] // written by control
	acked atomic.Uint64         // Seq of the epoch in force

	// Samples and Hints leave the packet path; control drains them.
	Samples *ring.SPSC[ring.Sample]
	Hints   *ring.SPSC[ring.Hint]

	source ring.Source
	number uint16
	dir    *counters.Directory
	seed   uint64
	random uint64
	epoch  *Epoch
	last   int64  // the source's clock after the last Poll
	worked bool   // which had frames
	least  uint32 // mean number of frames or records between two baseline samples, at least …
	gap    uint32 // … and in this epoch
	shed   shedder
	batch  ring.Batch
}

// init makes w take one of so many frames or records as a baseline sample, unless they are many.
func (w *base) init(c *Config, baseline uint32) {
	first := c.First
	w.least, w.gap = baseline, baseline
	w.Samples = ring.NewSPSC[ring.Sample](sampleQueue)
	w.Hints = ring.NewSPSC[ring.Hint](hintQueue)
	w.source, w.number, w.dir = c.Source, uint16(c.Number), first.Directory
	w.seed, w.random = c.Seed*2+1, c.Seed^0x9e3779b97f4a7c15|1
	w.epoch = &first
	w.want.Store(&first)
	w.acked.Store(first.Seq)
}

// Publish asks the worker to move to e at its next burst edge. Control calls it.
func (w *base) Publish(e *Epoch) { w.want.Store(e) }

// Acked returns the Seq of the epoch in force. Once it is e.Seq the tables of earlier epochs
// belong to the caller, with plain loads and stores.
func (w *base) Acked() uint64 { return w.acked.Load() }

// Now returns the source's clock as of the last Step, nanoseconds since 1970 UTC.
func (w *base) Now() int64 { return w.batch.Now }

// Number returns the number given in Config.
func (w *base) Number() int { return int(w.number) }

// Queues returns Samples and Hints.
func (w *base) Queues() (*ring.SPSC[ring.Sample], *ring.SPSC[ring.Hint]) {
	return w.Samples, w.Hints
}

// run calls step until the source ends, an error comes, or stop is set.
func run(step func() (int, error), stop *atomic.Bool) error {
	for !stop.Load() {
		if _, err := step(); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
	return nil
}

// poll takes a burst from the source, and accounts for it.
func (w *base) poll() (int, error) {
	n, err := w.source.Poll(&w.batch)
	last, worked := w.last, w.worked
	w.last, w.worked = w.batch.Now, n > 0
	if n == 0 {
		return 0, err
	}
	s := &w.epoch.Table.Stats
	if last != 0 {
		gap := uint64(w.batch.Now - last)
		s.Gap = max(s.Gap, gap)
		if worked {
			s.Busy += gap
		}
	}
	n = min(n, ring.BurstSize)
	s.Received += uint64(n)
	s.Fill = max(s.Fill, w.batch.Fill)
	w.shed.observe(w.batch.Fill)
	return n, err
}

// move goes to the wanted epoch if that is a new one, and leaves the table to control.
func (w *base) move() {
	e := w.want.Load()
	if e == w.epoch {
		return
	}
	now := w.batch.Now
	w.epoch.Table.End = now
	w.pace(w.epoch.Table)
	e.Table.Start, e.Table.Epoch = now, e.Seq
	w.epoch, w.dir = e, e.Directory
	w.acked.Store(e.Seq)
}

// mostBaseline is how many baseline samples a worker takes in a second, about: more would push one
// another out of control's store before a verdict can ask for them.
const mostBaseline = 2048

// shortEpoch is how many nanoseconds of an epoch say too little of a rate.
const shortEpoch = 1e6

// pace sets the gap of the next epoch's baseline samples by the rate of t.
func (w *base) pace(t *counters.Table) {
	took := t.End - t.Start
	if took < shortEpoch {
		return
	}
	perSecond := float64(t.Stats.Received+t.Stats.Exports.Records) * 1e9 / float64(took)
	w.gap = max(w.least, uint32(min(perSecond/mostBaseline, 1<<30)))
}

// rand returns the next number of a xorshift generator: a secret choice, not a strong one.
func (w *base) rand() uint64 {
	w.random ^= w.random << 13
	w.random ^= w.random >> 7
	w.random ^= w.random << 17
	return w.random
}

// below returns a random number in [0, n).
func (w *base) below(n uint64) uint64 { return w.rand() >> 11 % max(1, n) }

// gapOf draws the distance to the next sample: uniform with the mean gap, at least 1.
func (w *base) gapOf(gap uint32) uint32 { return 1 + uint32(w.below(uint64(2*gap-1))) }
