package ban

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/control/rate"
)

// twin is the book the slow way: a record per target, and all of them looked at each second.
type twin struct {
	lease, quiet int64
	targets      []*twinTarget
}

// twinTarget is one host; its targets are sorted by address.
type twinTarget struct {
	addr    netip.Addr
	allowed bool

	open     bool
	calm     int64 // nanoseconds without a limit exceeded that could be seen
	seen     int64 // until when calm is counted
	lastOver int64
	peak     uint64
	points   int

	route bool
	until int64
	lease int64
}

func (w *twin) report(h *twinTarget, now int64, peak uint64) (lines []string) {
	fresh := !h.open
	if fresh {
		h.open, h.peak, h.points = true, peak, 0
		lines = append(lines, "started "+h.addr.String())
	}
	if !h.allowed && (fresh || !h.route) {
		if !h.route {
			h.route = true
			lines = append(lines, "announced "+h.addr.String())
		}
		h.until = now + w.lease
	}
	h.calm, h.seen, h.lastOver, h.lease = 0, now, now, now+w.lease
	return lines
}

func (w *twin) second(h *twinTarget, now int64, peak uint64, over bool) {
	if !h.open {
		return
	}
	h.points++
	h.peak = max(h.peak, peak)
	if over {
		h.calm, h.seen, h.lastOver, h.lease = 0, now, now, now+w.lease
	}
}

func (w *twin) tick(now int64, blind bool) (lines []string) {
	var ended []string
	for _, h := range w.targets {
		if !blind {
			h.calm += now - h.seen
		}
		h.seen = now
		over := h.calm >= w.quiet
		calm := !h.open || over && !blind
		if h.route && (now >= h.lease || now >= h.until && calm) {
			h.route = false
			lines = append(lines, "withdrawn "+h.addr.String())
		}
		if h.open && over && !blind {
			h.open = false
			ended = append(ended, fmt.Sprintf("ended %s at %d, peak %d, %d points", h.addr,
				h.lastOver-epoch, h.peak, min(h.points, MaxPoints)))
		}
	}
	return append(lines, ended...)
}

// TestBookMatchesTwin plays hours of random attacks, verdicts between ticks, late ticks and
// darkness on a handful of hosts, and holds every event to the twin's and to what must always be.
func TestBookMatchesTwin(t *testing.T) {
	addresses := []string{"10.0.0.1", "10.0.0.2", "192.0.2.255", "2001:db8::", "2001:db8::1"}
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 7))
		lease := time.Duration(1+r.IntN(30)) * time.Second
		quiet := time.Duration(1+r.IntN(8)) * time.Second
		g := game{
			t: t, r: r, now: epoch, allowed: map[string]bool{},
			book: NewBook(Config{Time: lease, Quiet: quiet, Policy: seed, DryRun: true}),
			twin: twin{lease: int64(lease), quiet: int64(quiet)},
			life: life{
				ids: map[string]bool{}, open: map[string]string{}, routes: map[string]bool{},
			},
		}
		for i, a := range addresses {
			g.twin.targets = append(g.twin.targets, &twinTarget{
				addr: netip.MustParseAddr(a), allowed: i == 1, seen: epoch,
			})
			g.allowed[a] = i == 1
		}
		for range 4000 {
			g.second()
		}
		if g.life.withdrawn < 50 || g.life.renewed == 0 && lease > 3*quiet {
			t.Errorf("lease %v, quiet %v: %d withdrawn, %d renewed: too little happened", lease,
				quiet, g.life.withdrawn, g.life.renewed)
		}
	}
}

// game is a book and its twin in the same history.
type game struct {
	t       *testing.T
	r       *rand.Rand
	now     int64
	book    *Book
	twin    twin
	allowed map[string]bool
	life    life
	mood    int // seconds that the present state of the world lasts
	attack  [5]bool
	blind   bool
}

// second is one second of the world, in the order of the control loop.
func (g *game) second() {
	if g.mood--; g.mood < 0 {
		g.mood = g.r.IntN(15)
		g.blind = g.r.IntN(5) == 0
		for i := range g.attack {
			g.attack[i] = g.r.IntN(4) == 0
		}
	}
	length := rate.Second
	if g.r.IntN(10) == 0 {
		length += g.r.Int64N(9) * 100e6
	}
	early := g.now + 50e6 + g.r.Int64N(900e6)
	for i, h := range g.twin.targets {
		if g.attack[i] && !g.blind && g.r.IntN(3) == 0 {
			g.report(h, early)
		}
	}
	g.now += length
	peaks := [5]uint64{}
	for i, h := range g.twin.targets {
		peaks[i] = g.r.Uint64N(1000)
		if g.attack[i] && !g.blind {
			g.report(h, g.now)
		}
	}
	for i, h := range g.twin.targets {
		over := g.attack[i] && !g.blind
		g.book.Second(h.addr, g.now, pps(peaks[i]), over)
		g.twin.second(h, g.now, peaks[i], over)
	}
	g.compare(g.book.Mitigate(g.now, &diary{}, nil), nil, g.now)
	g.compare(g.book.Tick(g.now, g.blind, nil), g.twin.tick(g.now, g.blind), g.now)
	g.state()
}

func (g *game) report(h *twinTarget, now int64) {
	v := verdict(h.addr.String(), now)
	v.Allowed = h.allowed
	events := g.book.Report(v, nil)
	events = g.book.Mitigate(now, &diary{}, events)
	g.compare(events, g.twin.report(h, now, 100), now)
}

// compare holds events to the twin's lines, and to the life that every incident has.
func (g *game) compare(events []Event, want []string, now int64) {
	g.t.Helper()
	var got []string
	for _, e := range events {
		in := e.Incident
		line := [...]string{"started ", "", "", "announced ", "withdrawn ", "ended "}[e.Kind] +
			in.Target.Addr().String()
		if e.Kind == Ended {
			line += fmt.Sprintf(" at %d, peak %d, %d points", in.End-epoch, in.PeakPPS,
				len(in.Timeline))
		}
		got = append(got, line)
		if e.Time != now {
			g.t.Fatalf("%s is dated %d, not %d", line, e.Time-epoch, now-epoch)
		}
	}
	if !slices.Equal(got, want) {
		g.t.Fatalf("after %v s: got\n\t%s\nwant\n\t%s", float64(now-epoch)/1e9,
			strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	g.life.check(g.t, events, g.allowed)
}

// state compares what the book says of itself.
func (g *game) state() {
	g.t.Helper()
	var open []string
	routes := 0
	for _, h := range g.twin.targets {
		if h.open {
			open = append(open, h.addr.String())
		}
		if h.route {
			routes++
		}
		if g.book.Has(h.addr) != h.open {
			g.t.Fatalf("has %s: %v", h.addr, !h.open)
		}
	}
	var each []string
	g.book.Each(func(in *Incident) {
		each = append(each, in.Target.Addr().String())
		if in.End != 0 {
			g.t.Fatalf("%s goes on, with an end at %d", in.Target, in.End-epoch)
		}
	})
	_, routed := g.book.Deadline()
	if !slices.Equal(each, open) || g.book.Open() != len(open) || routed != (routes > 0) {
		g.t.Fatalf("open %v, routes %v; want %v and %d routes", each, routed, open, routes)
	}
}

// life knows nothing of leases and times, only what may follow what.
type life struct {
	ids    map[string]bool   // ever used
	open   map[string]string // target → ID
	routes map[string]bool

	withdrawn, renewed int
}

func (l *life) check(t *testing.T, events []Event, allowed map[string]bool) {
	t.Helper()
	for i, e := range events {
		target, id := e.Incident.Target.Addr().String(), e.Incident.ID
		if i > 0 && events[i-1].Kind == e.Kind &&
			events[i-1].Incident.Target.Addr().Compare(e.Incident.Target.Addr()) >= 0 {
			t.Fatalf("%s comes after %s", target, events[i-1].Incident.Target)
		}
		ok := true
		switch e.Kind {
		case Started:
			ok = l.open[target] == "" && !l.ids[id] && e.Incident.End == 0
			l.open[target], l.ids[id] = id, true
			if l.routes[target] {
				l.renewed++
			}
		case Announced:
			ok = l.open[target] == id && !l.routes[target] && !allowed[target]
			l.routes[target] = true
		case Withdrawn:
			ok = l.routes[target] && l.ids[id]
			l.routes[target] = false
			l.withdrawn++
		case Ended:
			ok = l.open[target] == id && e.Incident.End >= e.Incident.Detected
			delete(l.open, target)
		}
		if !ok {
			t.Fatalf("event %d of %s, %s, cannot follow what was before", e.Kind, target, id)
		}
	}
}
