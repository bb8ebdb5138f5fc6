package daemon

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"weir/control/health"
	"weir/control/sink/prometheus"
	"weir/counters"
	"weir/decode"
	"weir/fastpath"
)

// Times of looking at exporters, nanoseconds.
const (
	rosterWindow = int64(10e9) // that what happened lately is of
	leastSilence = int64(30e9)
	firstSilence = int64(120e9) // of who has not yet paused between two datagrams
	silences     = 3            // times the longest pause so far
	usualDecay   = 64           // the longest is forgotten by such a part with every new one
)

// roster remembers of every exporter what its counters alone do not tell: how it fared lately, what
// was said of it, and whether it has a name in the metrics. It holds what fastpath.Exporters does,
// and no more.
type roster struct {
	log *slog.Logger

	mu      sync.Mutex
	members map[*fastpath.Exporter]*member
	joined  uint64 // members so far
	looks   uint64
	facts   []health.Exporter
	named   int            // members that have a label of their own
	others  exporterTotals // of those without a label that are no longer there
	lines   int            // that may be logged in this look
	untold  int            // lines that were too many in this look
}

// exporterTotals are the counts that metrics show.
type exporterTotals struct{ datagrams, records, lost, missing uint64 }

// member is one exporter, looked at once a second.
type member struct {
	*fastpath.Exporter
	address string
	look    uint64         // at which it was last there
	order   uint64         // of those there were; the least was there first
	since   int64          // when it was first looked at
	label   bool           // it has one of its own in the metrics
	shown   exporterTotals // without one, as of the last scrape
	base    exporterTotals // of those, what its label does not count
	said    said

	last      int64  // Exporter.Last at the look before
	usual     int64  // the longest pause between datagrams, ns
	silent    bool   // its pause is unusually long
	mark      int64  // when the window began
	at        window // then
	lostShare float64
	missing   uint64 // data sets without a template, in the window before and in this one
	previous  uint64 // of missing, in the window before
}

// window are the counts of an exporter at one moment.
type window struct{ datagrams, lost, got, missing uint64 }

func newRoster(log *slog.Logger) *roster {
	return &roster{log: log, members: map[*fastpath.Exporter]*member{}}
}

// follow looks at the exporters once a second until ctx ends.
func (r *roster) follow(ctx context.Context, from *fastpath.Exporters, clock func() int64) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.look(from.All(), clock())
		}
	}
}

// look compares the exporters with what was known of them.
func (r *roster) look(all []*fastpath.Exporter, now int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines, r.untold = linesPerLook, 0
	r.looks++
	for _, x := range all {
		m := r.members[x]
		if m == nil {
			r.joined++
			m = &member{
				Exporter: x, address: addressOf(x).String(), order: r.joined, since: now,
				last: x.Last.Load(), mark: now,
			}
			r.members[x] = m
		}
		m.look = r.looks
		m.follow(now)
		r.tell(m, now)
	}
	for _, m := range r.members {
		if m.look != r.looks {
			r.forget(m)
		}
	}
	r.name()
	if r.untold > 0 {
		r.log.Info("more exporters changed than are logged", "changes", r.untold)
	}
	facts := make([]health.Exporter, 0, len(r.members))
	for _, m := range r.members {
		facts = append(facts, m.fact(now))
	}
	r.facts = facts
}

// follow notes what happened since the look before.
func (m *member) follow(now int64) {
	if last := m.Last.Load(); last > m.last {
		m.usual = max(last-m.last, m.usual-m.usual/usualDecay)
		m.last, m.silent = last, false
	} else {
		pause := max(leastSilence, silences*m.usual)
		if m.usual == 0 {
			pause = firstSilence
		}
		m.silent = now-last > pause
	}
	w := m.window()
	m.missing = m.previous + w.missing - m.at.missing
	if now-m.mark < rosterWindow {
		return
	}
	lost, got := w.lost-m.at.lost, w.got-m.at.got
	m.lostShare = float64(lost) / float64(max(1, lost+got))
	if w.datagrams > m.at.datagrams { // templates that were missing are so while nothing comes
		m.previous = w.missing - m.at.missing
	}
	m.mark, m.at = now, w
}

// window returns what was lost and got by now, in the unit of the sequence numbers.
func (m *member) window() window {
	w := window{
		datagrams: m.Datagrams.Load(), lost: m.Lost.Load(), missing: m.NoTemplate.Load(),
	}
	w.got = w.datagrams
	if protoOf(m.Exporter).LostUnit() == "records" {
		w.got = m.Records.Load() + m.Options.Load() + m.Skipped.Load()
	}
	return w
}

func protoOf(x *fastpath.Exporter) decode.FlowProto {
	return min(decode.FlowProto(x.Proto.Load()), decode.NumFlowProtos-1)
}

func rateSourceOf(x *fastpath.Exporter) decode.RateSource {
	return min(decode.RateSource(x.From.Load()), decode.NumRateSources-1)
}

func addressOf(x *fastpath.Exporter) netip.Addr { return counters.Key(x.Addr).Addr() }

// fact returns what health judges.
func (m *member) fact(now int64) health.Exporter {
	p := protoOf(m.Exporter)
	f := health.Exporter{
		Address: m.address, Protocol: p.String(),
		Heard: time.Duration(now - m.since), Records: m.Records.Load(), Sampling: m.Rate.Load(),
		Told: rateSourceOf(m.Exporter) != decode.RateUnknown, Missing: m.missing,
		LostShare: m.lostShare, Lost: m.Lost.Load(), LostUnit: p.LostUnit(),
		Skew: time.Duration(m.Skew.Load()), Idle: time.Duration(max(0, now-m.Last.Load())),
		Silent: m.silent,
	}
	if m.silent { // which is worse
		f.Missing, f.LostShare = 0, 0
	}
	f.Median, f.Delay, _ = durationOf(m.Exporter)
	return f
}

// exporters returns what the last look found. Nobody changes it any more.
func (r *roster) exporters() []health.Exporter {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.facts
}

// forget ends a member. What it counted under the label that many share stays there.
func (r *roster) forget(m *member) {
	delete(r.members, m.Exporter)
	if m.label {
		r.named--
		return
	}
	r.others.add(m.totals())
}

// name gives labels of their own to those without that have been there for longest, while there is
// room. An exporter has to have delivered records: no address that somebody makes up gets one.
// What was shown of it before stays where it was, so that no sum goes down.
func (r *roster) name() {
	if r.named == prometheus.MaxExporterSeries {
		return
	}
	var waiting []*member
	for _, m := range r.members {
		if !m.label && m.Records.Load() > 0 {
			waiting = append(waiting, m)
		}
	}
	slices.SortFunc(waiting, func(a, b *member) int { return cmp.Compare(a.order, b.order) })
	for _, m := range waiting[:min(len(waiting), prometheus.MaxExporterSeries-r.named)] {
		m.label, m.base = true, m.shown
		r.others.add(m.base)
		r.named++
	}
}

func (m *member) totals() exporterTotals {
	return exporterTotals{
		datagrams: m.Datagrams.Load(), records: m.Records.Load(), lost: m.Lost.Load(),
		missing: m.NoTemplate.Load(),
	}
}

func (t *exporterTotals) add(o exporterTotals) {
	t.datagrams += o.datagrams
	t.records += o.records
	t.lost += o.lost
	t.missing += o.missing
}
