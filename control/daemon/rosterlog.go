package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"weir/decode"
)

// linesPerLook bounds what one look at all exporters says; the rest waits for the next one.
const linesPerLook = 20

// Part of what an exporter sent that is lost before us: above the first it is told, and told again
// once it has been below the second.
const (
	lossTold  = 0.01
	lossOver  = 0.005
	rateAgain = time.Minute // then twice as long, and so on, while a sampling rate keeps changing
)

// said is what was logged of an exporter.
type said struct {
	new, missing, lost, silent bool

	restarts uint64
	rate     uint32
	from     decode.RateSource
	rates    int   // times that a rate was logged
	rateAt   int64 // when it may be next
}

// tell logs what has changed about an exporter. What cannot be logged now is when it can be, if it
// is still true.
func (r *roster) tell(m *member, now int64) {
	s := &m.said
	if m.Records.Load() > 0 && !s.new {
		s.new = r.say(m, slog.LevelInfo, "new flow exporter", "protocol", protoOf(m.Exporter))
		s.restarts = m.Restarts.Load()
	}
	r.tellRate(m, now)
	if missing := m.missing > 0; missing != s.missing {
		if missing {
			s.missing = r.say(m, slog.LevelWarn, "flow exporter sends data without its template",
				"sets", m.missing)
		} else {
			s.missing = !r.say(m, slog.LevelInfo, "templates of flow exporter have come")
		}
	}
	switch {
	case m.lostShare > lossTold && !s.lost:
		s.lost = r.say(m, slog.LevelWarn, "flow exports were lost on their way",
			"lost", fmt.Sprintf("%.2g %%", 100*m.lostShare), "all", m.Lost.Load(),
			"unit", protoOf(m.Exporter).LostUnit())
	case m.lostShare < lossOver:
		s.lost = false
	}
	if n := m.Restarts.Load(); s.new && n > s.restarts {
		if r.say(m, slog.LevelWarn, "flow exporter began anew", "times", n) {
			s.restarts = n
		}
	}
	if silent := m.silent && s.new; silent != s.silent {
		if silent {
			s.silent = r.say(m, slog.LevelWarn, "flow exporter is silent", "for",
				time.Duration(now-m.Last.Load()).Round(time.Second))
		} else {
			s.silent = !r.say(m, slog.LevelInfo, "flow exporter is back")
		}
	}
}

// tellRate logs a sampling rate that was learned or has changed. One exporter may have several, and
// the last one used is seen here: changes are told ever more seldom.
func (r *roster) tellRate(m *member, now int64) {
	s, n, from := &m.said, m.Rate.Load(), rateSourceOf(m.Exporter)
	if n == 0 || n == s.rate && from == s.from || s.rates > 0 && now < s.rateAt {
		return
	}
	more := []any{"rate", fmt.Sprint("1:", n), "from", from}
	if s.rate != 0 {
		more = append(more, "before", fmt.Sprint("1:", s.rate))
	}
	if !r.say(m, slog.LevelInfo, "sampling rate of flow exporter", more...) {
		return
	}
	s.rate, s.from = n, from
	s.rateAt = now + int64(rateAgain)<<min(s.rates, 10)
	s.rates++
}

// say logs one line, and reports whether it could: there may have been too many in this look.
func (r *roster) say(m *member, level slog.Level, text string, more ...any) bool {
	if r.lines == 0 {
		r.untold++
		return false
	}
	r.lines--
	attrs := append([]any{"cause", m.address, "exporter", m.address}, more...)
	r.log.Log(context.Background(), level, text, attrs...)
	return true
}
