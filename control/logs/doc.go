// Package logs makes the daemon's slog.Logger, which no fault and no attacker can make flood: a
// cause is logged once in a while, with a count of the lines in between that were hidden.
//
// The daemon makes one logger at its start; any goroutine may log.
package logs

import (
	"log/slog"
	"time"
)

// Options say what is logged and how. The zero value is what the daemon uses on a terminal.
type Options struct {
	Level slog.Leveler // the lowest that is logged; nil: Info
	JSON  bool         // else key=value

	// Every is how long a cause waits for its next line, beyond Burst that it may have at once;
	// 0: 30 s and 1.
	Every time.Duration
	Burst int

	Clock func() time.Time // nil: time.Now
}

// Bounds, whatever is logged.
const (
	maxCauses = 1024 // told apart; further ones share one per level
	maxRate   = 100  // lines a second, all causes together
	maxValue  = 1024 // bytes of a message, or of a value; what is longer is cut
	maxKey    = 128  // bytes of a message, and of a cause, by which causes are told apart
)

func (o *Options) withDefaults() {
	if o.Level == nil {
		o.Level = slog.LevelInfo
	}
	if o.Every <= 0 {
		o.Every = 30 * time.Second
	}
	if o.Burst <= 0 {
		o.Burst = 1
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
}
