package control

import (
	"net/netip"
	"time"

	"weir/control/ban"
	"weir/control/governor"
	"weir/control/rate"
)

// Actor carries approved routes to those who change traffic. None of its methods waits.
//
// Concurrency: the control loop's goroutine.
type Actor interface {
	// Announce asks for a route; seq names it in what Results tells.
	Announce(a governor.Approved, seq uint64)
	// Resume is Announce for a route that stood before a restart.
	Resume(a governor.Approved, seq uint64)
	// Renew gives a route that was announced a later end.
	Renew(a governor.Approved)
	// Withdraw ends a route.
	Withdraw(p netip.Prefix)
	// Results calls f with what has become of routes since the last call, in order: ban.Asked is
	// written down and on its way, ban.Announced stands, ban.Refused is not announced for a reason.
	Results(f func(p netip.Prefix, seq uint64, became ban.EventKind, reason string))
}

// Mitigation is what is done about attacks, and what may be.
type Mitigation struct {
	Rules    governor.Rules
	NextHop  netip.Addr // of IPv4 routes
	NextHop6 netip.Addr
	Actor    Actor // of what is no dry run; nil: everything is one
}

// startHold is how long after a start, or after what is seen began anew, nothing is announced
// automatically: two windows of a second.
const startHold = 2 * rate.Second

// asker asks the governor for what the book wants, and tells the actor.
type asker struct {
	*Engine
	now int64
}

// asking returns the engine's asker, whose time is now.
func (e *Engine) asking(now int64) *asker {
	e.asker.now = now
	return &e.asker
}

// Ask implements ban.Asker.
func (a *asker) Ask(in *ban.Incident, lease int64, seq uint64) string {
	who := governor.Detector
	if in.Manual {
		who = governor.Person
	}
	return a.ask(in, lease, seq, who)
}

func (a *asker) ask(in *ban.Incident, lease int64, seq uint64, who governor.Who) string {
	c := &a.config
	r := governor.Route{
		Prefix: in.Target, NextHop: c.Mitigation.NextHop6, Communities: c.Ban.Communities,
		Lease: lease, ID: in.ID, Manual: in.Manual,
	}
	if in.Target.Addr().Is4() {
		r.NextHop = c.Mitigation.NextHop
	}
	approved, refusal := a.governor.Ask(r, who, a.now)
	if refusal != governor.None {
		return refusal.String()
	}
	switch {
	case c.Ban.DryRun:
		return ""
	case who == governor.Journal:
		c.Mitigation.Actor.Resume(approved, seq)
	default:
		c.Mitigation.Actor.Announce(approved, seq)
	}
	a.approved[in.Target] = approved
	return ""
}

// Renew implements ban.Asker.
func (a *asker) Renew(p netip.Prefix, lease int64, person bool) bool {
	who := governor.Detector
	if person {
		who = governor.Person
	}
	approved, ok := a.governor.Renew(a.approved[p], who, lease, a.now)
	if ok {
		a.approved[p] = approved
		a.config.Mitigation.Actor.Renew(approved)
	}
	return ok
}

// restorer asks for what stood before a restart.
type restorer struct{ *asker }

// Ask implements ban.Asker.
func (r restorer) Ask(in *ban.Incident, lease int64, seq uint64) string {
	return r.ask(in, lease, seq, governor.Journal)
}

// mitigate asks for the routes that the book wants.
func (e *Engine) mitigate(now int64) {
	e.emit(e.book.Mitigate(now, e.asking(now), e.scratch.events[:0]))
}

// released follows a route that is no longer wanted.
func (e *Engine) released(a *ban.Action) {
	e.governor.Release(a.Prefix)
	delete(e.approved, a.Prefix)
	if !a.DryRun {
		e.config.Mitigation.Actor.Withdraw(a.Prefix)
	}
}

// hearActor takes what has become of routes.
func (e *Engine) hearActor(now int64) {
	if e.config.Mitigation.Actor == nil {
		return
	}
	e.config.Mitigation.Actor.Results(
		func(p netip.Prefix, seq uint64, became ban.EventKind, reason string) {
			if became != ban.Refused {
				e.emit(e.book.Becomes(p, seq, became, now, e.scratch.events[:0]))
				return
			}
			events, known := e.book.Fails(p, seq, reason, now, e.scratch.events[:0])
			if known {
				e.governor.Release(p)
				delete(e.approved, p)
			}
			e.emit(events)
		})
}

// Hold keeps the detector from announcing for two windows: what is seen began anew.
func (e *Engine) Hold(now int64) { e.governor.Hold(now + startHold) }

// Freeze makes every new route be refused, or ends that; what stands stays until its lease ends.
func (e *Engine) Freeze(on bool) { e.governor.Freeze(on) }

// Governed returns how many routes stand, dry runs included, whether announcing is frozen, and how
// often each rule has refused.
func (e *Engine) Governed() (active int, frozen bool, refused [governor.Refusals]uint64) {
	return e.governor.Active(), e.governor.Frozen(), e.governor.Refused
}

// Standing returns all mitigations, in order of address.
func (e *Engine) Standing() []ban.Standing { return e.book.Standing() }

// Ban announces a route to target for ttl because a person wants it, or says why not.
func (e *Engine) Ban(target netip.Addr, reason string, ttl time.Duration, now int64) string {
	refusal, events := e.book.Ban(target, reason, ttl, now, e.asking(now), e.scratch.events[:0])
	e.emit(events)
	return refusal
}

// Unban withdraws target's route because a person wants it, and spares an attack on it that goes on
// from another. It reports whether there was either.
func (e *Engine) Unban(target netip.Addr, reason string, now int64) bool {
	events, found := e.book.Unban(target, reason, now, e.scratch.events[:0])
	e.emit(events)
	return found
}

// WithdrawAll ends every route.
func (e *Engine) WithdrawAll(reason string, now int64) {
	e.emit(e.book.WithdrawAll(reason, now, e.scratch.events[:0]))
}

// Restore brings back a route that stood before a restart, with what is left of its lease, or says
// why not.
func (e *Engine) Restore(in ban.Incident, lease, now int64) string {
	refusal, events := e.book.Restore(in, lease, now, restorer{e.asking(now)},
		e.scratch.events[:0])
	e.emit(events)
	return refusal
}

// govern makes c hold for what is asked for from now on, and withdraws what it forbids.
func (e *Engine) govern(c *Config, now int64) {
	if c.Ban.DryRun != e.config.Ban.DryRun {
		e.WithdrawAll("mode_changed", now) // by the mode in which it was announced
	}
	for _, p := range e.governor.Configure(c.Mitigation.Rules) {
		e.emit(e.book.Withdraw(p, "no_longer_allowed", now, e.scratch.events[:0]))
	}
}
