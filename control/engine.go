package control

import (
	"cmp"
	"fmt"
	"net/netip"

	"weir/control/ban"
	"weir/control/capture"
	"weir/control/detect"
	"weir/control/rate"
	"weir/counters"
	"weir/decode"
	"weir/fastpath"
	"weir/ring"
)

// Times of the loop, nanoseconds.
const (
	// Grid is how often the loop looks at hints: twice as often as an early flip may come.
	Grid = int64(10e6)
	// earlyGap is the least time between two early flips.
	earlyGap = int64(50e6)
)

// watchSize is how many hosts near a limit are followed between ticks; the others are judged at
// ticks only.
const watchSize = 4096

// evidenceBudget is what the evidence of all open incidents may take, in bytes.
const evidenceBudget = 32 << 20

// calmEntries is the size of a second's merge above which hosts that only became warm cause no
// early flip: the loop must keep up.
const calmEntries = 250_000

// Input is one source of frames: a queue, or a set of captures.
type Input struct {
	Source   ring.Source
	Sampling uint32 // N of 1:N; 0 is 1
}

// Config is what an Engine is made of.
type Config struct {
	Policy  detect.Policy
	Ban     ban.Config
	View    string // name of the inputs' view, shown in triggers
	Decoder *decode.Decoder
	Inputs  []Input
	Memory  uint64 // bytes that tables may take
	Seed    uint64 // of every hash and random choice
	Start   int64  // the sources' clock, nanoseconds since 1970 UTC
	Samples int    // evidence samples kept of all hosts; 0: capture.DefaultSamples

	Evidence capture.Limits // per incident; zero: capture.DefaultLimits
}

// Events are told what happens, on the loop's goroutine: they must not wait.
type Events interface {
	// Event is one change in the life of an incident, with its evidence so far. Both are valid
	// until it returns.
	Event(e *ban.Event, evidence *capture.Evidence)
}

// worker is a fastpath.Worker and its two tables.
type worker struct {
	*fastpath.Worker
	tables [2]*counters.Table
	epoch  *fastpath.Epoch // the one in force
}

// Engine detects attacks in what its inputs receive.
type Engine struct {
	Pipeline rate.Pipeline // totals since the start
	Attacks  uint64        // incidents opened

	config  Config
	memory  counters.Memory
	layout  *counters.Layout
	policy  *fastpath.Policy
	workers []*worker
	merger  *counters.Merger
	watch   *rate.Watch
	book    *ban.Book
	store   *capture.Store
	events  Events
	budget  *capture.Budget
	proofs  map[netip.Addr]*capture.Evidence // of open incidents

	seq       uint64
	tickStart int64
	lastFlip  int64
	due       int64 // when a watched host is expected over a limit; 0 is never
	hinted    bool
	heard     uint64  // Pipeline.Received at the last tick
	merged    int     // entries of the last tick
	quiet     [2]loud // below: no host needs a closer look
	scratch   scratch // reused from call to call
}

// loud are the totals from which a host may be near a limit.
type loud struct{ packets, bits, flows uint64 }

type scratch struct {
	events  []ban.Event
	samples []capture.Sample
	packets []detect.Packet
}

// PlanMemory returns the layout that NewEngine would use, without making it.
func PlanMemory(c *Config) (*counters.Layout, error) {
	return counters.NewLayout(c.Policy.Networks, max(1, len(c.Inputs)), c.Memory)
}

// NewEngine makes tables and workers for c. Close gives their memory back.
func NewEngine(c Config, events Events) (*Engine, error) {
	if c.Evidence == (capture.Limits{}) {
		c.Evidence = capture.DefaultLimits()
	}
	e := &Engine{
		config: c, events: events, watch: rate.NewWatch(watchSize), book: ban.NewBook(c.Ban),
		store:  capture.NewStore(cmp.Or(c.Samples, capture.DefaultSamples)),
		budget: capture.NewBudget(evidenceBudget), proofs: map[netip.Addr]*capture.Evidence{},
		tickStart: c.Start, lastFlip: c.Start,
	}
	for d := range e.quiet {
		q := &e.quiet[d]
		q.packets, q.bits, q.flows = c.Policy.Quiet(rate.Direction(d))
	}
	if err := e.build(); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

func (e *Engine) build() error {
	var err error
	if e.layout, err = PlanMemory(&e.config); err != nil {
		return err
	}
	groups := fastGroups(&e.config.Policy)
	if e.policy, err = fastpath.NewPolicy(e.layout, groups, e.config.Decoder); err != nil {
		return err
	}
	if e.merger, err = counters.NewMerger(&e.memory, e.layout); err != nil {
		return err
	}
	e.merger.Reset(e.config.Start)
	e.seq = 1
	for i, in := range e.config.Inputs {
		w := &worker{}
		for g := range w.tables {
			if w.tables[g], err = counters.NewTable(&e.memory, e.layout); err != nil {
				return fmt.Errorf("worker %d: %w", i, err)
			}
		}
		dir, err := counters.NewDirectory(&e.memory, e.layout, e.config.Seed+uint64(i))
		if err != nil {
			return fmt.Errorf("worker %d: %w", i, err)
		}
		w.tables[0].Start, w.tables[0].Epoch = e.config.Start, e.seq
		w.epoch = &fastpath.Epoch{Seq: e.seq, Policy: e.policy, Table: w.tables[0]}
		w.Worker = fastpath.NewWorker(fastpath.Config{
			Number: i, Source: in.Source, Sampling: in.Sampling, Directory: dir,
			Seed: e.config.Seed + uint64(i)<<32, First: *w.epoch,
		})
		e.workers = append(e.workers, w)
	}
	return nil
}

// Close frees the tables. No worker may run any more.
func (e *Engine) Close() error { return e.memory.Close() }

// Layout returns the plan of the tables.
func (e *Engine) Layout() *counters.Layout { return e.layout }

// Incidents calls f with every open incident.
func (e *Engine) Incidents(f func(*ban.Incident)) { e.book.Each(f) }

// at does what is to be done at now, a point of the Grid: a tick each second, and between ticks
// an early flip when some host is about to cross a limit. flip moves every worker to a new epoch
// and returns when all have acknowledged.
func (e *Engine) at(now int64, flip func(now int64)) {
	e.drain()
	switch {
	case now-e.tickStart >= rate.Second:
		flip(now)
		e.tick(now)
	case now-e.lastFlip < earlyGap:
	case e.hinted || e.due != 0 && now >= e.due:
		flip(now)
		e.early(now)
	}
}

// publish begins a new epoch: every worker is asked to move to its other table.
func (e *Engine) publish() {
	e.seq++
	for _, w := range e.workers {
		w.epoch = &fastpath.Epoch{Seq: e.seq, Policy: e.policy, Table: w.tables[(e.seq-1)&1]}
		w.Publish(w.epoch)
	}
}

// drain empties the workers' queues of samples and hints.
func (e *Engine) drain() {
	for _, w := range e.workers {
		for s := w.Samples.Front(); s != nil; s = w.Samples.Front() {
			e.store.Add(s)
			e.prove(s)
			w.Samples.Advance()
		}
		for h := w.Hints.Front(); h != nil; h = w.Hints.Front() {
			e.hear(h)
			w.Hints.Advance()
		}
	}
}

// hear takes one hint: the host is watched from now on, and looked at early unless it is known:
// under attack already, or as warm in the second before.
func (e *Engine) hear(h *ring.Hint) {
	key := counters.Key{Hi: h.Hi, Lo: h.Lo}
	group, ok := e.policy.Group(h.Hi, h.Lo)
	if !ok || e.book.Has(key.Addr()) {
		return
	}
	host := e.watch.Add(e.layout, key, h.Outgoing, group)
	known := host != nil && host.Steady()
	e.hinted = e.hinted || h.Over || !known && e.merged < calmEntries
}

// collect merges the tables that the workers have left at now.
func (e *Engine) collect(now int64) {
	for _, w := range e.workers {
		t := w.tables[e.seq&1] // the one before that of e.seq
		e.Pipeline.Add(&t.Stats)
		e.merger.Add(t, e.scale(w, t))
	}
	e.Pipeline.Unmerged += e.merger.Overflow
	e.merger.Overflow = 0
	e.watch.Flip(e.merger, e.lastFlip, now)
	e.lastFlip, e.hinted, e.due = now, false, 0
}

// scale returns what one count of t stands for: packets that sampling left out before us, and
// frames that the worker shed.
func (e *Engine) scale(w *worker, t *counters.Table) float64 {
	f := float64(max(1, e.config.Inputs[w.Number()].Sampling))
	if s := &t.Stats; s.Shed > 0 && s.Received > s.Shed {
		f *= float64(s.Received) / float64(s.Received-s.Shed)
	}
	return f
}
