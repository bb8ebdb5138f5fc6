package control

import (
	"fmt"
	"slices"

	"weir/control/rate"
	"weir/counters"
	"weir/fastpath"
)

// view is one way to look at the network: a mirror, or a group of exporters. What its workers
// count adds up. What two views count is the same traffic seen twice, so they are judged apart,
// and the higher one counts.
type view struct {
	name    string
	layout  *counters.Layout
	policy  *fastpath.Policy
	merger  *counters.Merger
	watch   *rate.Watch
	workers []*worker
	merged  int // entries of the last tick
}

// worker is a fastpath.Worker and its two tables.
type worker struct {
	*fastpath.Worker
	sampling uint32
	tables   [2]*counters.Table
	epochs   [2]fastpath.Epoch
	epoch    *fastpath.Epoch // wanted, or in force once acknowledged; one of epochs
	moving   bool            // the table before that of epoch was not merged yet
}

// PlanMemory returns the layouts that NewEngine would make for c's views, in order of name.
func PlanMemory(c *Config) ([]*counters.Layout, error) {
	names, inputs := c.views()
	layouts := make([]*counters.Layout, len(names))
	all := uint64(max(1, len(c.Inputs)))
	for i, name := range names {
		n := max(1, len(inputs[name]))
		var err error
		layouts[i], err = counters.NewLayout(c.Policy.Networks, n, c.Memory/all*uint64(n))
		if err != nil {
			return nil, fmt.Errorf("view %s: %w", name, err)
		}
	}
	return layouts, nil
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
	v := &view{name: name, layout: layout, watch: rate.NewWatch(int(size))}
	var err error
	groups, sampling := fastGroups(&e.config.Policy), uint32(1)
	for _, i := range inputs { // of different rates the highest: a hint may come early
		sampling = max(sampling, e.config.Inputs[i].Sampling)
	}
	v.policy, err = fastpath.NewPolicy(layout, groups, e.config.Decoder, sampling)
	if err != nil {
		return nil, err
	}
	if v.merger, err = counters.NewMerger(&e.memory, layout); err != nil {
		return nil, err
	}
	v.merger.Reset(e.config.Start)
	for _, i := range inputs {
		w, err := e.newWorker(v, i)
		if err != nil {
			return nil, fmt.Errorf("worker %d: %w", i, err)
		}
		v.workers = append(v.workers, w)
	}
	return v, nil
}

func (e *Engine) newWorker(v *view, number int) (*worker, error) {
	in := &e.config.Inputs[number]
	w := &worker{sampling: max(1, in.Sampling)}
	for g := range w.tables {
		var err error
		if w.tables[g], err = counters.NewTable(&e.memory, v.layout); err != nil {
			return nil, err
		}
	}
	seed := e.config.Seed + uint64(number)<<32
	dir, err := counters.NewDirectory(&e.memory, v.layout, seed)
	if err != nil {
		return nil, err
	}
	w.tables[0].Start = e.config.Start
	w.epoch = &w.epochs[1]
	*w.epoch = fastpath.Epoch{Seq: 1, Policy: v.policy, Table: w.tables[0]}
	w.Worker = fastpath.NewWorker(fastpath.Config{
		Number: number, Source: in.Source, Sampling: w.sampling, Sides: in.Sides,
		Directory: dir, Seed: seed, First: *w.epoch,
	})
	return w, nil
}

// publish asks the worker to move to its other table. One that has not acknowledged the last
// request yet is late, and is not asked again.
func (w *worker) publish() {
	if w.moving {
		return
	}
	seq, policy := w.epoch.Seq+1, w.epoch.Policy
	w.epoch = &w.epochs[seq&1] // that of seq-2, which the worker has left
	*w.epoch = fastpath.Epoch{Seq: seq, Policy: policy, Table: w.tables[(seq-1)&1]}
	w.moving = true
	w.Publish(w.epoch)
}

// retired returns the table that the worker has left; nil while it has not acknowledged: such a
// table is never read.
func (w *worker) retired() *counters.Table {
	if !w.moving || w.Acked() != w.epoch.Seq {
		return nil
	}
	w.moving = false
	return w.tables[w.epoch.Seq&1]
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
// counted between two flips. It returns the number of workers that are late.
func (v *view) collect(p *rate.Pipeline, from, to int64) (late int) {
	for _, w := range v.workers {
		t := w.retired()
		if t == nil {
			late++
			continue
		}
		p.Add(&t.Stats)
		v.merger.Add(t, w.scale(t, to-from))
	}
	p.Unmerged += v.merger.Overflow
	v.merger.Overflow = 0
	v.watch.Flip(v.merger, from, to)
	return late
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
