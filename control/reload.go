package control

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"weir/control/ban"
	"weir/control/capture"
	"weir/control/detect"
	"weir/counters"
	"weir/decode"
	"weir/fastpath"
)

// Change is what a running engine can take on: everything but its inputs, memory and seed.
type Change struct {
	Policy   detect.Policy
	Ban      ban.Config
	Decoder  *decode.Decoder
	Evidence capture.Limits
	Filter   fastpath.Filter

	Mitigation Mitigation // but for its Actor, which stays
}

// ErrLate says that a worker did not answer, so that nothing was changed.
var ErrLate = errors.New("a worker does not answer")

// reloadPatience is how often Reload tries while a worker is late.
const (
	reloadTries = 20
	reloadPause = 50 * time.Millisecond
)

// Reload makes c hold, between two packets: no counter, incident or packet is lost. Tables of
// networks that change are made first, beside the old ones, whose memory is given back at the end.
// An error has changed nothing.
func (l *Live) Reload(ctx context.Context, c Change) error {
	config := l.config // inputs, memory and seed never change
	config.Policy, config.Ban, config.Decoder = c.Policy, c.Ban, c.Decoder
	config.Evidence, config.Mitigation, config.Filter = c.Evidence, c.Mitigation, c.Filter
	config.Mitigation.Actor = l.config.Mitigation.Actor
	config.Ban.DryRun = c.Ban.DryRun || config.Mitigation.Actor == nil
	plans, err := l.prepare(&config)
	if err != nil {
		return err
	}
	for range reloadTries {
		old, err := l.tryAdopt(ctx, &config, plans)
		if err == nil {
			return discard(old)
		}
		if !errors.Is(err, ErrLate) {
			return errors.Join(err, discard(plans))
		}
		time.Sleep(reloadPause)
	}
	return errors.Join(ErrLate, discard(plans))
}

// tryAdopt adopts plans on the loop's goroutine.
func (l *Live) tryAdopt(ctx context.Context, c *Config, plans []plan) (old []plan, err error) {
	var adopted error
	err = l.Do(ctx, func() { old, adopted = l.adopt(c, plans) })
	return old, errors.Join(err, adopted)
}

// prepare makes a plan for every view. One whose layout stays has the memory that it has.
func (l *Live) prepare(c *Config) ([]plan, error) {
	layouts, err := PlanMemory(c)
	if err != nil {
		return nil, err
	}
	names, inputs := c.views()
	plans := make([]plan, 0, len(names))
	for i, v := range l.views { // in order of names, as they are
		var p plan
		if same(layouts[i], v.layout) {
			p = plan{layout: v.layout}
			p.policy, err = newFastPolicy(c, v.layout, inputs[names[i]])
		} else {
			p, err = newPlan(c, layouts[i], inputs[names[i]])
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("view %s: %w", names[i], err), discard(plans))
		}
		plans = append(plans, p)
	}
	return plans, nil
}

// same reports whether two layouts put every host at the same place.
func same(a, b *counters.Layout) bool { return reflect.DeepEqual(a, b) }

// discard gives the memory of plans back.
func discard(plans []plan) error {
	var errs []error
	for i := range plans {
		if plans[i].memory != nil {
			errs = append(errs, plans[i].memory.Close())
		}
	}
	return errors.Join(errs...)
}

// adopt moves every worker to its view's new plan. It returns what the views had and no longer
// need, or ErrLate when a worker has not answered the flip before: then nothing was changed.
func (l *Live) adopt(c *Config, plans []plan) (old []plan, err error) {
	l.flip(l.clock(), l.wait)
	if !l.idleWorkers() {
		return nil, ErrLate
	}
	l.govern(c, l.clock())
	l.config = *c
	l.hush()
	l.book.Configure(c.Ban)
	for i, v := range l.views {
		if p := &plans[i]; p.memory == nil {
			v.policy = p.policy
			l.regroup(v)
			continue
		}
		old = append(old, l.move(v, plans[i]))
	}
	l.flip(l.clock(), l.wait) // under the new policy from here on
	return old, nil
}

// idleWorkers reports whether every worker's last table was collected.
func (l *Live) idleWorkers() bool {
	for _, v := range l.views {
		for _, w := range v.workers {
			if w.moving {
				return false
			}
		}
	}
	return true
}

// move lets v count by p. Every worker has just answered: it is waited for without a bound, since
// from here on there is no way back; a worker that hangs now stops the loop's beat, which the
// watchdog hears.
func (l *Live) move(v *view, p plan) (old plan) {
	old = v.plan
	for n, w := range v.workers {
		w.publish(&p, n)
	}
	for !l.moved() {
		time.Sleep(flipPause)
	}
	took := l.clock() - l.lastFlip
	for n, w := range v.workers { // what was counted since the flip, under the old layout
		w.moving = false
		v.plan = old
		l.take(v, w, old.stores[n].tables[w.epoch.Seq&1], took)
	}
	p.merger.Take(old.merger)
	v.plan = p
	l.regroup(v)
	return old
}

// regroup gives the watched hosts of v their places and groups under the new policy.
func (l *Live) regroup(v *view) {
	if v.spread != nil {
		v.spread.Rebase(v.layout)
	}
	v.watch.Rebase(v.layout, func(k counters.Key) (int, bool) { return v.policy.Group(k.Hi, k.Lo) })
}
