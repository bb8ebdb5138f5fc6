package fastpath

import (
	"sync/atomic"
	"time"

	"weir/fastpath/filter"
)

// script is a worker's state of the script of its policy. A worker makes it anew when the policy
// has another script: loading one takes a moment, and happens at a reload alone.
type script struct {
	of     *filter.Script
	budget time.Duration
	state  *filter.State                // nil: none, or it could not be loaded
	shown  atomic.Pointer[filter.State] // the same, for other goroutines
}

// follow has the state be of p's script.
func (s *script) follow(p *Policy) {
	f := &p.filter
	if f.Script == s.of && f.Budget == s.budget {
		return
	}
	if s.state != nil {
		s.shown.Store(nil)
		s.state.Close()
		s.state = nil
	}
	s.of, s.budget = f.Script, f.Budget
	if f.Script == nil {
		return
	}
	// Control has loaded it once before it was published: it fails here for want of memory alone.
	state, err := f.Script.NewState(filter.StateConfig{Budget: f.Budget, Clock: f.clock()})
	if err == nil {
		s.state = state
		s.shown.Store(state)
	}
}

// clock returns the clock that calls of the script are timed by; nil: they are not.
func (f *Filter) clock() func() int64 {
	if f.Budget == 0 {
		return nil
	}
	start := time.Now()
	return func() int64 { return int64(time.Since(start)) }
}

// burst tells the script's budget the time.
func (s *script) burst(now int64) {
	if s.state != nil {
		s.state.Burst(now)
	}
}

// Script returns the totals of the script of this worker; false: there is none.
func (w *FlowWorker) Script() (filter.ScriptStats, bool) {
	if state := w.script.shown.Load(); state != nil {
		return state.Stats(), true
	}
	return filter.ScriptStats{}, false
}
