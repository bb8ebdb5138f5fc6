package control

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"

	"weir/control/ban"
	"weir/control/capture"
	"weir/control/detect"
	"weir/control/governor"
	"weir/control/rate"
	"weir/counters"
	"weir/decode"
	"weir/decode/netflow"
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
	View     string         // inputs of one name add up; those of others see the same traffic
	Sampling uint32         // N of 1:N; 0 is 1
	Sides    fastpath.Sides // directions that the source mirrors
	Wake     func()         // ends a sleep of Source.Poll; nil where it never sleeps
	Core     int            // that a live worker is pinned to; below 0: none

	// Near calls a function whose memory is to be near the source, on its NUMA node; nil: just
	// calls it.
	Near func(func())

	// Exports is set where the source is one of flow exports: datagrams. Such inputs and those of
	// frames are in views apart.
	Exports *fastpath.ExportRules
}

// Config is what an Engine is made of.
type Config struct {
	Policy  detect.Policy
	Ban     ban.Config
	Decoder *decode.Decoder
	Inputs  []Input
	Memory  uint64 // bytes that tables may take
	Seed    uint64 // of every hash and random choice
	Start   int64  // the sources' clock, nanoseconds since 1970 UTC
	Samples int    // evidence samples kept of all hosts; 0: capture.DefaultSamples
	Mergers int    // cores that help to merge large tables, beside the loop's; 0: none

	Evidence capture.Limits // per incident; zero: capture.DefaultLimits

	Mitigation Mitigation

	Filter fastpath.Filter // what is not counted

	// Of inputs with Exports, shared by their workers; NewEngine makes what is nil.
	Templates *netflow.Cache
	Exporters *fastpath.Exporters
	Links     *fastpath.Interfaces
}

// maxExporters is how many exporters are told apart where Config leaves it open.
const (
	maxExporters = 1024
	maxLinks     = 4096 // their interfaces
)

// Events are told what happens, on the loop's goroutine: they must not wait.
type Events interface {
	// Event is one change in the life of an incident, with its evidence so far. Both are valid
	// until it returns.
	Event(e *ban.Event, evidence *capture.Evidence)
}

// Engine detects attacks in what its inputs receive.
type Engine struct {
	Pipeline rate.Pipeline // of frames: totals since the start
	Exports  rate.Exports  // of flow exports: totals since the start
	Attacks  uint64        // incidents opened
	Late     uint64        // times that a worker had not moved when a flip was collected

	config Config
	views  []*view
	lanes  *lanes
	board  board
	book   *ban.Book
	events Events
	store  *capture.Store
	budget *capture.Budget
	proofs map[netip.Addr]*capture.Evidence // of open incidents

	governor *governor.Governor
	approved map[netip.Prefix]governor.Approved // what stands and is no dry run
	asker    asker

	tickStart int64
	lastFlip  int64
	due       int64 // when a watched host is expected over a limit; 0 is never
	hinted    bool
	heard     uint64  // frames and datagrams received until the last tick
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

// NewEngine makes tables and workers for c. Close gives their memory back.
func NewEngine(c Config, events Events) (*Engine, error) {
	c.Ban.DryRun = c.Ban.DryRun || c.Mitigation.Actor == nil
	if c.Evidence == (capture.Limits{}) {
		c.Evidence = capture.DefaultLimits()
	}
	if c.Templates == nil {
		c.Templates = netflow.NewCache(netflow.Limits{})
	}
	if c.Exporters == nil {
		c.Exporters = fastpath.NewExporters(maxExporters, c.Seed)
	}
	if c.Links == nil {
		c.Links = fastpath.NewInterfaces(maxLinks)
	}
	e := &Engine{
		config: c, events: events, book: ban.NewBook(c.Ban),
		governor: governor.New(c.Mitigation.Rules),
		approved: map[netip.Prefix]governor.Approved{},
		store:    capture.NewStore(cmp.Or(c.Samples, capture.DefaultSamples)),
		budget:   capture.NewBudget(evidenceBudget), proofs: map[netip.Addr]*capture.Evidence{},
		tickStart: c.Start, lastFlip: c.Start, lanes: newLanes(c.Mergers),
	}
	e.asker.Engine = e
	e.hush()
	if err := e.build(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// hush notes from where on the policy wants a closer look.
func (e *Engine) hush() {
	for d := range e.quiet {
		q := &e.quiet[d]
		q.packets, q.bits, q.flows = e.config.Policy.Quiet(rate.Direction(d))
	}
}

func (e *Engine) build() error {
	layouts, err := PlanMemory(&e.config)
	if err != nil {
		return err
	}
	names, inputs := e.config.views()
	for i, name := range names {
		v, err := e.newView(name, layouts[i], inputs[name])
		if err != nil {
			return fmt.Errorf("view %s: %w", name, err)
		}
		e.views = append(e.views, v)
	}
	return nil
}

// Close frees the tables. No worker may run any more.
func (e *Engine) Close() error {
	var errs []error
	for _, v := range e.views {
		errs = append(errs, v.memory.Close())
	}
	e.views = nil
	e.lanes.close()
	return errors.Join(errs...)
}

// Refused returns how many verdicts found the book of incidents full, how many incidents the
// routes, and how many hosts near a limit were judged at ticks only.
func (e *Engine) Refused() (incidents, routes, watched uint64) {
	for _, v := range e.views {
		watched += v.watch.Missed
	}
	return e.book.Refused, e.book.Unrouted, watched
}

// Memory returns the bytes that all tables take.
func (e *Engine) Memory() (bytes uint64) {
	for _, v := range e.views {
		bytes += v.memory.Bytes()
	}
	return bytes
}

// at does what is to be done at now, a point of the Grid: a tick each second, and between ticks
// an early flip when some host is about to cross a limit. flip waits until the workers, which
// have been asked to, have moved to their new epochs; who has not then is late.
func (e *Engine) at(now int64, flip func()) {
	e.drain()
	e.hearActor(now)
	switch {
	case now-e.tickStart >= rate.Second:
		e.flip(now, flip)
		e.tick(now)
	case now-e.lastFlip < earlyGap:
	case e.hinted || e.due != 0 && now >= e.due:
		e.flip(now, flip)
		e.early(now)
	}
}

// flip moves all workers to new epochs and collects what they counted up to now.
func (e *Engine) flip(now int64, wait func()) {
	for _, v := range e.views {
		for n, w := range v.workers {
			w.publish(&v.plan, n)
		}
	}
	wait()
	for _, v := range e.views {
		e.Late += uint64(v.collect(e, e.lastFlip, now))
	}
	e.lastFlip, e.hinted, e.due = now, false, 0
}

// drain empties the workers' queues of samples and hints.
func (e *Engine) drain() {
	for _, v := range e.views {
		for _, w := range v.workers {
			for s := w.Samples.Front(); s != nil; s = w.Samples.Front() {
				e.store.Add(s)
				e.prove(s)
				w.Samples.Advance()
			}
			for h := w.Hints.Front(); h != nil; h = w.Hints.Front() {
				e.hear(v, h)
				w.Hints.Advance()
			}
		}
	}
}

// hear takes one hint: the host is watched from now on, and looked at early unless it is known:
// under attack already, or as warm in the second before.
func (e *Engine) hear(v *view, h *ring.Hint) {
	key := counters.Key{Hi: h.Hi, Lo: h.Lo}
	group, ok := v.policy.Group(h.Hi, h.Lo)
	if !ok || e.book.Has(key.Addr()) {
		return
	}
	host := v.watch.Add(v.layout, key, h.Outgoing, group)
	known := host != nil && host.Steady()
	e.hinted = e.hinted || h.Over || !known && v.merged < calmEntries
}
