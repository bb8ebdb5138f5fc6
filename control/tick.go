package control

import (
	"net/netip"

	"weir/control/ban"
	"weir/control/capture"
	"weir/control/detect"
	"weir/control/rate"
	"weir/counters"
)

// early judges the watched hosts on the last second between two ticks.
func (e *Engine) early(now int64) {
	for _, v := range e.views {
		if v.spread != nil {
			continue
		}
		for i := range v.watch.Len() {
			e.judgeWatched(v, v.watch.At(i), now)
		}
	}
	e.mitigate(now)
}

// judgeWatched reports h if its last second is over a limit; else it notes when it may be.
func (e *Engine) judgeWatched(v *view, h *rate.Host, now int64) {
	if e.book.Has(h.Key.Addr()) {
		return
	}
	d := direction(h.Outgoing)
	r := h.LastSecond(now)
	if t, over := e.config.Policy.Judge(h.Group, d, &r); over {
		e.report(v, h.Key, &t, h.Over(t.Metric, t.Limit), now, r)
		return
	}
	latest := h.Latest()
	if in, ok := e.config.Policy.Crossing(h.Group, d, &r, &latest); ok {
		if at := now + in; e.due == 0 || at < e.due {
			e.due = at
		}
	}
}

// tick judges every host on the second that ends now, and lets the book age.
func (e *Engine) tick(now int64) {
	window := now - e.tickStart
	survey, several := e.board.begin(now, window), len(e.views) > 1
	for _, v := range e.views {
		v.settle(e.tickStart, now)
		v.merger.Sort()
		v.merged = v.merger.Len()
		survey.enter(v)
		for i := range v.merged {
			en := v.merger.Entry(i)
			if !several {
				survey.note(en)
			}
			if v.above(en, &e.quiet[direction(en.Outgoing())]) {
				e.judgeEntry(v, en, now, window)
			}
		}
	}
	if several {
		survey.fuse(e.views)
	} else {
		survey.total()
	}
	e.followIncidents(now, window)
	e.mitigate(now)
	heard := e.Pipeline.Received + e.Exports.Received
	blind := heard == e.heard
	e.heard = heard
	e.emit(e.book.Tick(now, blind, e.scratch.events[:0]))
	e.board.end(e, survey)
	for _, v := range e.views {
		v.watch.Tick()
		v.merger.Reset(now)
	}
	e.tickStart = now
}

// above reports whether en may be near a limit.
func (v *view) above(en *counters.Entry, q *loud) bool {
	if en.Aggregate() {
		return false
	}
	packets, bytes := en.Total()
	if packets > q.packets || bytes*8 > q.bits {
		return true
	}
	if packets <= q.flows { // every flow has a packet
		return false
	}
	flows, _ := v.merger.Flows(en)
	return flows > q.flows
}

// judgeEntry looks closely at one host's second.
func (e *Engine) judgeEntry(v *view, en *counters.Entry, now, window int64) {
	group, ok := v.policy.Group(en.Key.Hi, en.Key.Lo)
	if !ok {
		return
	}
	d := direction(en.Outgoing())
	r := rate.OfEntry(v.merger, en, window)
	if !e.config.Policy.Warm(group, d, &r) {
		return
	}
	h := v.watch.Add(v.layout, en.Key, en.Outgoing(), group)
	if h != nil && h.Fresh() {
		h.Flip(v.merger, e.tickStart, now)
	}
	t, over := e.config.Policy.Judge(group, d, &r)
	switch {
	case over && h != nil:
		e.report(v, en.Key, &t, h.Over(t.Metric, t.Limit), now, r)
	case over:
		e.report(v, en.Key, &t, v.merger.First(en), now, r)
	case h != nil && v.spread != nil:
		e.judgeWindows(v, h, now)
	case h != nil:
		e.judgeWatched(v, h, now)
	}
}

// judgeWindows reports a host that flow exports tell of if one of its windows is over a limit: what
// a second of sampled packets does not prove, several may.
func (e *Engine) judgeWindows(v *view, h *rate.Host, now int64) {
	d := direction(h.Outgoing)
	for _, r := range h.Averages() {
		if t, over := e.config.Policy.Judge(h.Group, d, &r); over {
			e.report(v, h.Key, &t, h.Over(t.Metric, t.Limit), now, r)
			return
		}
	}
}

// followIncidents gives the book this second of every open incident: of each direction the view
// that saw most.
func (e *Engine) followIncidents(now, window int64) {
	e.book.Each(func(in *ban.Incident) {
		key := counters.KeyOf(in.Target.Addr())
		var most [2]rate.Rates
		over := false
		for _, v := range e.views {
			group, _ := v.policy.Group(key.Hi, key.Lo)
			rates := v.rates(key, window)
			for d := range rates {
				rates[d].PacketUnit, rates[d].BitUnit = 0, 0 // likely over is not calm
				_, o := e.config.Policy.Judge(group, rate.Direction(d), &rates[d])
				over = over || o
				if rates[d].Packets[rate.Total] > most[d].Packets[rate.Total] {
					most[d] = rates[d]
				}
			}
		}
		e.book.Second(in.Target.Addr(), now, most, over)
	})
}

// report hands a host over a limit to the book, with what the evidence says of it.
func (e *Engine) report(
	v *view, key counters.Key, t *detect.Trigger, begin, now int64, r rate.Rates,
) {
	a := key.Addr()
	if !e.book.Has(a) {
		e.drain() // the latest samples are evidence too
	}
	t.View = v.name
	verdict := ban.Verdict{
		Target: a, Trigger: *t, Begin: begin, Now: now,
		Allowed: e.config.Policy.Allowed(a),
		Rates:   v.rates(key, now-e.tickStart),
	}
	verdict.Rates[t.Direction] = r
	if h := v.watch.Get(key, t.Direction == rate.Outgoing); h != nil {
		verdict.Averages = h.Averages()
	}
	if !e.book.Has(a) {
		verdict.Vectors = e.classify(a, t.Direction, now, &r)
	}
	e.emit(e.book.Report(&verdict, e.scratch.events[:0]))
}

// evidenceBack is how long before the verdict packets count for the attack's family.
const evidenceBack = 2 * rate.Second

// classify names the families of the packets towards or from a.
func (e *Engine) classify(
	a netip.Addr, d rate.Direction, now int64, r *rate.Rates,
) []detect.Vector {
	hi, lo := keyHalves(a)
	sides := capture.Incoming
	if d == rate.Outgoing {
		sides = capture.Outgoing
	}
	samples := e.store.Select(e.scratch.samples[:0], hi, lo, sides, now-evidenceBack, now)
	pkts := e.scratch.packets[:0]
	for i := range samples {
		pkts = append(pkts, packetOf(&samples[i]))
	}
	e.scratch.packets, e.scratch.samples = pkts, samples
	return detect.Classify(pkts, d, r)
}

// emit tells the events.
func (e *Engine) emit(events []ban.Event) {
	for i := range events {
		ev := &events[i]
		target := ev.Incident.Target.Addr()
		if ev.Kind == ban.Started {
			e.Attacks++
			e.openProof(target, ev)
		}
		if ev.Kind == ban.Withdrawn {
			e.released(&ev.Action)
		}
		e.events.Event(ev, e.proofs[target])
		if ev.Kind == ban.Ended {
			e.closeProof(target)
		}
	}
	clear(events)
	e.scratch.events = events[:0]
}

func direction(outgoing bool) rate.Direction {
	if outgoing {
		return rate.Outgoing
	}
	return rate.Incoming
}

func keyHalves(a netip.Addr) (hi, lo uint64) {
	k := counters.KeyOf(a)
	return k.Hi, k.Lo
}
