package control

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"weir/control/rate"
	"weir/counters"
	"weir/fastpath"
	"weir/fastpath/filter"
	"weir/ring"
)

// view is one way to look at the network: a mirror, or a group of exporters. What its workers
// count adds up. What two views count is the same traffic seen twice, so they are judged apart,
// and the higher one counts.
type view struct {
	name string
	plan
	watch   *rate.Watch
	spread  *rate.Spreader // of a view of flow exports; nil: of frames
	took    int64          // ns that the longest of this second's tables took; with spread
	workers []*worker
	merged  int // entries of the last tick
}

// plan is how a view counts: what a reload of the configuration changes as one.
type plan struct {
	layout *counters.Layout
	policy *fastpath.Policy
	merger *counters.Merger
	stores []store          // by worker of the view
	memory *counters.Memory // of merger and stores
}

// store is what one worker counts in.
type store struct {
	tables    [2]*counters.Table
	directory *counters.Directory
}

// counting is a worker of the data plane, of frames or of flow exports.
type counting interface {
	Publish(e *fastpath.Epoch)
	Acked() uint64
	Step() (int, error)
	Run(stop *atomic.Bool) error
	Number() int
	Queues() (*ring.SPSC[ring.Sample], *ring.SPSC[ring.Hint])
}

// scripted is a worker that may ask a script.
type scripted interface {
	Script() (filter.ScriptStats, bool)
}

// Script returns the filter's script and its totals over all workers, since it was loaded; nil:
// there is none, or nobody asks it. It is for the loop's goroutine, and for a replay's when it has
// ended.
func (e *Engine) Script() (*filter.Script, *filter.ScriptStats) {
	return e.config.Filter.Script, e.scripts()
}

// scripts returns the totals of the filter's script over all workers; nil: there is none.
func (e *Engine) scripts() (total *filter.ScriptStats) {
	for _, v := range e.views {
		for _, w := range v.workers {
			asks, ok := w.counting.(scripted)
			if !ok {
				continue
			}
			s, ok := asks.Script()
			if !ok {
				continue
			}
			if total == nil {
				total = &filter.ScriptStats{}
			}
			total.Calls += s.Calls
			total.Dropped += s.Dropped
			total.Failed += s.Failed
			total.Shed += s.Shed
			total.Bypassed += s.Bypassed
			if s.Reason != "" && (s.Disabled || !total.Disabled) {
				total.Reason = s.Reason
			}
			total.Disabled = total.Disabled || s.Disabled
		}
	}
	return total
}

// worker is a worker of the data plane, and where it is.
type worker struct {
	counting
	Samples  *ring.SPSC[ring.Sample]
	Hints    *ring.SPSC[ring.Hint]
	input    *Input
	sampling uint32
	epochs   [2]fastpath.Epoch
	epoch    *fastpath.Epoch // wanted, or in force once acknowledged; one of epochs
	moving   bool            // the table before that of epoch was not merged yet
	answered int64           // when it last acknowledged a flip in time
	second   counters.Stats  // since the last tick
	total    rate.Pipeline   // since the start
}

// PlanMemory returns the layouts that NewEngine would make for c's views, in order of name.
func PlanMemory(c *Config) ([]*counters.Layout, error) {
	names, inputs := c.views()
	layouts := make([]*counters.Layout, len(names))
	all := uint64(max(1, len(c.Inputs)))
	for i, name := range names {
		n := max(1, len(inputs[name]))
		var err error
		plan := counters.NewLayout
		if c.ofExports(inputs[name]) {
			plan = counters.NewFlowLayout
		}
		layouts[i], err = plan(c.Policy.Networks, n, c.Memory/all*uint64(n))
		if err != nil {
			return nil, fmt.Errorf("view %s: %w", name, err)
		}
	}
	return layouts, nil
}

// ofExports reports whether these inputs are of flow exports.
func (c *Config) ofExports(inputs []int) bool {
	return len(inputs) > 0 && c.Inputs[inputs[0]].Exports != nil
}

// views returns the names of the views, sorted, and the numbers of each one's inputs. Without
// inputs there is one view, for planning.
func (c *Config) views() (names []string, inputs map[string][]int) {
	inputs = map[string][]int{}
	for i := range c.Inputs {
		name := c.Inputs[i].View
		if _, known := inputs[name]; !known {
			names = append(names, name)
		}
		inputs[name] = append(inputs[name], i)
	}
	if len(names) == 0 {
		names = []string{""}
	}
	slices.Sort(names)
	return names, inputs
}

// newView makes the tables and workers of one view.
func (e *Engine) newView(name string, layout *counters.Layout, inputs []int) (*view, error) {
	size := min(watchSize, 2*layout.Hosts()) // both directions
	v := &view{name: name, watch: rate.NewWatch(int(size))}
	if layout.FlowSlots > 0 {
		v.spread = rate.NewSpreader(layout)
	}
	var err error
	if v.plan, err = newPlan(&e.config, layout, inputs); err != nil {
		return nil, err
	}
	v.merger.Reset(e.config.Start)
	for n, i := range inputs {
		v.workers = append(v.workers, e.newWorker(v, n, i))
	}
	return v, nil
}

// newPlan takes the memory that a view of these inputs counts in.
func newPlan(c *Config, layout *counters.Layout, inputs []int) (p plan, err error) {
	p = plan{layout: layout, memory: &counters.Memory{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.memory.Close())
		}
	}()
	if p.policy, err = newFastPolicy(c, layout, inputs); err != nil {
		return p, err
	}
	if p.merger, err = counters.NewMerger(p.memory, layout); err != nil {
		return p, err
	}
	for _, i := range inputs {
		near := c.Inputs[i].Near
		if near == nil {
			near = func(f func()) { f() }
		}
		near(func() { err = p.addStore(layout, workerSeed(c, i)) })
		if err != nil {
			return p, fmt.Errorf("worker %d: %w", i, err)
		}
	}
	return p, nil
}

// addStore takes the memory of one more worker.
func (p *plan) addStore(layout *counters.Layout, seed uint64) (err error) {
	var s store
	for g := range s.tables {
		if s.tables[g], err = counters.NewTable(p.memory, layout); err != nil {
			return err
		}
	}
	s.directory, err = counters.NewDirectory(p.memory, layout, seed)
	p.stores = append(p.stores, s)
	return err
}

func newFastPolicy(c *Config, l *counters.Layout, inputs []int) (*fastpath.Policy, error) {
	sampling := uint32(1)
	for _, i := range inputs { // of different rates the highest: a hint may come early
		sampling = max(sampling, c.Inputs[i].Sampling)
		if (c.Inputs[i].Exports != nil) != (l.FlowSlots > 0) {
			return nil, errors.New("a view is of frames or of flow exports, not of both")
		}
	}
	p, err := fastpath.NewPolicy(l, fastGroups(&c.Policy), c.Decoder, sampling)
	if err == nil {
		p.SetFilter(c.Filter)
	}
	return p, err
}

func workerSeed(c *Config, number int) uint64 { return c.Seed + uint64(number)<<32 }

// newWorker makes worker n of v, which receives from that input.
func (e *Engine) newWorker(v *view, n, number int) *worker {
	in := &e.config.Inputs[number]
	w := &worker{input: in, sampling: max(1, in.Sampling), answered: e.config.Start}
	s := &v.stores[n]
	s.tables[0].Start = e.config.Start
	w.epoch = &w.epochs[1]
	*w.epoch = fastpath.Epoch{
		Seq: 1, Policy: v.policy, Table: s.tables[0], Directory: s.directory,
	}
	c := fastpath.Config{
		Number: number, Source: in.Source, Sampling: w.sampling, Sides: in.Sides,
		Seed: workerSeed(&e.config, number), First: *w.epoch,
	}
	if in.Exports == nil {
		w.counting = fastpath.NewWorker(c)
	} else {
		w.counting = fastpath.NewFlowWorker(&fastpath.FlowConfig{
			Config: c, Cache: e.config.Templates, Exporters: e.config.Exporters,
			Links: e.config.Links, Rules: in.Exports, Inner: e.config.Decoder,
		})
	}
	w.Samples, w.Hints = w.Queues()
	return w
}

// publish asks worker n to move to its other table, under p. One that has not acknowledged the
// last request yet is late, and is not asked again.
func (w *worker) publish(p *plan, n int) {
	if w.moving {
		return
	}
	seq, s := w.epoch.Seq+1, &p.stores[n]
	w.epoch = &w.epochs[seq&1] // that of seq-2, which the worker has left
	*w.epoch = fastpath.Epoch{
		Seq: seq, Policy: p.policy, Table: s.tables[(seq-1)&1], Directory: s.directory,
	}
	w.moving = true
	w.Publish(w.epoch)
	if w.input.Wake != nil {
		w.input.Wake()
	}
}

// acknowledged reports whether the worker has moved where it was last asked to.
func (w *worker) acknowledged() bool { return !w.moving || w.Acked() == w.epoch.Seq }

// retired returns the table of p that worker n has left; nil while it has not acknowledged: such
// a table is never read.
func (w *worker) retired(p *plan, n int) *counters.Table {
	if !w.moving || w.Acked() != w.epoch.Seq {
		return nil
	}
	w.moving = false
	return p.stores[n].tables[w.epoch.Seq&1]
}

// scale returns what one count of t stands for: packets that sampling left out before us, frames
// that the worker shed, and nominal over true duration where the worker was late.
func (w *worker) scale(t *counters.Table, nominal int64) float64 {
	f := float64(w.sampling)
	if s := &t.Stats; s.Shed > 0 && s.Received > s.Shed {
		f *= float64(s.Received) / float64(s.Received-s.Shed)
	}
	if took := t.End - t.Start; took > nominal+Grid {
		f *= float64(nominal) / float64(took)
	}
	return f
}

// collect merges the tables that the view's workers have left, and notes what the watched hosts
// counted between two flips; of flow exports that is known at ticks only. It returns the number of
// workers that are late.
func (v *view) collect(e *Engine, from, to int64) (late int) {
	for n, w := range v.workers {
		t := w.retired(&v.plan, n)
		if t == nil {
			late++
			continue
		}
		w.answered = to
		e.take(v, w, t, to-from)
	}
	if v.spread == nil {
		v.watch.Flip(v.merger, from, to)
	}
	return late
}

// take accounts for what w counted in t, and merges it.
func (e *Engine) take(v *view, w *worker, t *counters.Table, nominal int64) {
	w.account(&t.Stats)
	unmerged := &e.Pipeline.Unmerged
	if v.spread == nil {
		e.Pipeline.Add(&t.Stats)
	} else {
		e.Exports.Add(&t.Stats)
		unmerged = &e.Exports.Unmerged
		nominal = t.End - t.Start // records are spread, and never less than they tell
		v.took = max(v.took, nominal)
	}
	e.lanes.merge(v.merger, t, w.scale(t, nominal))
	*unmerged += v.merger.Overflow
	v.merger.Overflow = 0
}

// settle turns what flow exporters told in this second into what was on the wire in it.
func (v *view) settle(from, to int64) {
	if v.spread != nil {
		v.spread.Second(v.merger, v.took)
		v.took = 0
		v.watch.Flip(v.merger, from, to)
	}
}

// account adds a table's counts to what the worker is known to have done.
func (w *worker) account(s *counters.Stats) {
	w.total.Add(s)
	w.second.Received += s.Received
	w.second.Bytes += s.Bytes
	w.second.Shed += s.Shed
	w.second.Busy += s.Busy
	w.second.Gap = max(w.second.Gap, s.Gap)
	w.second.Fill = max(w.second.Fill, s.Fill)
}

// rates returns a host's rates since the last tick in both directions.
func (v *view) rates(key counters.Key, window int64) (r [2]rate.Rates) {
	slot, direct, _ := v.layout.Slot(key.Addr())
	for d := range r {
		if en := v.merger.Find(key, slot, direct, d == int(rate.Outgoing)); en != nil {
			r[d] = rate.OfEntry(v.merger, en, window)
		}
	}
	return r
}
