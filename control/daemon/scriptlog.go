package daemon

import (
	"log/slog"
	"time"

	"weir/fastpath/filter"
)

// shedAgain is how long a script must have kept to its budget before it is told again that it does
// not.
const shedAgain = time.Minute

// scriptLog tells what becomes of the filter's script: once that it was given up, and now and then
// that it is over its budget.
//
// Concurrency: look is the loop's.
type scriptLog struct {
	log    *slog.Logger
	of     *filter.Script
	gone   bool   // it was told that it was given up
	shed   uint64 // records
	shedAt int64  // when that rose, nanoseconds; 0: never
}

// look takes the script and its totals, which are nil where there is none.
func (l *scriptLog) look(of *filter.Script, t *filter.ScriptStats, now int64) {
	if of != l.of {
		*l = scriptLog{log: l.log, of: of}
	}
	if of == nil || t == nil {
		return
	}
	if t.Disabled && !l.gone {
		l.gone = true
		l.log.Warn("the filter's script failed too often and is given up: every flow record counts",
			"script", of.Name(), "reason", t.Reason, "failed", t.Failed, "calls", t.Calls,
			"try", "weir reload")
	}
	if t.Shed == l.shed {
		return
	}
	if l.shedAt == 0 || now-l.shedAt >= int64(shedAgain) {
		l.log.Warn("the filter's script is over its budget: flow records count without it",
			"script", of.Name(), "records", t.Shed-min(l.shed, t.Shed), "calls", t.Calls,
			"try", "a larger filter.lua_budget, or less work in the script")
	}
	l.shed, l.shedAt = t.Shed, now
}
