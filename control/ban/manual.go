package ban

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// Ban asks for a route to target for ttl because a person wants it; a route that stands already is
// kept for so long at least. refusal says why not.
func (b *Book) Ban(
	target netip.Addr, reason string, ttl time.Duration, now int64, asker Asker, events []Event,
) (refusal string, all []Event) {
	p, until := netip.PrefixFrom(target, target.BitLen()), now+int64(ttl)
	if r := b.routes[p]; r != nil {
		if !r.DryRun && until > r.lease && !asker.Renew(p, until, true) {
			return "not_renewed", events
		}
		r.until, r.lease, r.wish = max(r.until, until), max(r.lease, until), max(r.wish, until)
		return "", events
	}
	in := &incident{Incident: Incident{
		ID: b.id(target, now), Target: p, Manual: true, Begin: now, Detected: now,
	}}
	if len(b.routes) >= MaxRoutes {
		b.Unrouted++
		return "no_room", events
	}
	if refusal := asker.Ask(&in.Incident, until, b.seq+1); refusal != "" {
		return refusal, events
	}
	return "", b.route(in, until, reason, now, events)
}

// Unban withdraws target's route because a person wants it, and spares an attack on it that goes
// on from any other. It reports whether there was either.
func (b *Book) Unban(target netip.Addr, reason string, now int64, events []Event) ([]Event, bool) {
	in := b.open[target]
	if in != nil {
		in.spared = true
	}
	p := netip.PrefixFrom(target, target.BitLen())
	if b.routes[p] == nil {
		return events, in != nil
	}
	return b.withdraw(p, reason, now, events), true
}

// Restored is the reason of a route that Restore brought back.
const Restored = "restored"

// Restore brings back a route that stood before a restart, with what is left of its lease. Its
// incident is known by name only; a fresh one of its target adopts it.
func (b *Book) Restore(in Incident, lease, now int64, asker Asker, events []Event) (
	refusal string, all []Event,
) {
	if b.routes[in.Target] != nil || len(b.routes) >= MaxRoutes {
		return "no_room", events
	}
	if refusal := asker.Ask(&in, lease, b.seq+1); refusal != "" {
		return refusal, events
	}
	return "", b.route(&incident{Incident: in}, lease, Restored, now, events)
}

// Withdraw ends the route for p, if there is one.
func (b *Book) Withdraw(p netip.Prefix, reason string, now int64, events []Event) []Event {
	if b.routes[p] == nil {
		return events
	}
	return b.withdraw(p, reason, now, events)
}

// WithdrawAll ends every route, in order of address. Attacks that go on ask for theirs again.
func (b *Book) WithdrawAll(reason string, now int64, events []Event) []Event {
	for _, p := range slices.SortedFunc(maps.Keys(b.routes), netip.Prefix.Compare) {
		events = b.withdraw(p, reason, now, events)
	}
	return events
}
