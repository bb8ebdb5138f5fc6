package ban

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"weir/control/rate"
)

// route is a mitigation in force, or in a dry run one that would be.
type route struct {
	Action
	seq      uint64
	until    int64     // not withdrawn before, unless the lease ends
	lease    int64     // withdrawn then, whatever can be seen
	wish     int64     // what fresh evidence would have the lease be
	incident *incident // the latest that asked for it
}

// Bounds of how often a lease is renewed, which is written down and told to routers' neighbours.
const (
	renewShare = 10               // once a tenth of its length has passed, …
	renewEvery = 10 * time.Second // … or this, whatever comes first
)

// maxRefusals is how many refusals an incident records.
const maxRefusals = 16

// Asker decides about what the book wants. Its methods do not wait.
type Asker interface {
	// Ask says whether a route for in may be announced, with a lease until then; refusal says why
	// not. seq names the route in what Becomes and Fails are told later.
	Ask(in *Incident, lease int64, seq uint64) (refusal string)
	// Renew says whether the route for p may stay until lease; person, that somebody wants it.
	Renew(p netip.Prefix, lease int64, person bool) bool
}

// Routes returns the number of mitigations in force, dry runs included.
func (b *Book) Routes() int { return len(b.routes) }

// Standing is a mitigation in force, on its way, or in a dry run one that would be.
type Standing struct {
	Action
	Lease  int64 // its end, nanoseconds since 1970 UTC
	ID     string
	Manual bool
}

// Standing returns all mitigations, in order of address.
func (b *Book) Standing() []Standing {
	all := make([]Standing, 0, len(b.routes))
	for _, r := range b.routes {
		all = append(all, Standing{r.Action, r.lease, r.incident.ID, r.incident.Manual})
	}
	slices.SortFunc(all, func(x, y Standing) int { return x.Prefix.Compare(y.Prefix) })
	return all
}

// Deadline returns the earliest time at which a Tick has something to do even if nothing can be
// seen: the end of a lease, or of the time of a route whose incident is over.
func (b *Book) Deadline() (at int64, ok bool) {
	for p, r := range b.routes {
		end := r.lease
		if b.open[p.Addr()] == nil {
			end = min(end, r.until)
		}
		if !ok || end < at {
			at, ok = end, true
		}
	}
	return at, ok
}

// Mitigate asks for a host route for every open incident that has none, the most harmful first,
// and for the longer leases that fresh evidence gives reason for.
func (b *Book) Mitigate(now int64, asker Asker, events []Event) []Event {
	b.renew(now, asker)
	for _, in := range b.wanting(now) {
		events = b.announce(in, now, asker, events)
	}
	return events
}

// wanting returns the incidents that want a route and have none, the most harmful first. Only
// evidence of this very moment asks: after the end of a lease, or a refusal, too.
func (b *Book) wanting(now int64) (all []*incident) {
	for _, a := range b.order {
		in := b.open[a]
		if in.lastOver == now && !in.Allowed && !in.spared && b.routes[in.Target] == nil {
			all = append(all, in)
		}
	}
	slices.SortStableFunc(all, func(x, y *incident) int { return cmp.Compare(y.harm(), x.harm()) })
	return all
}

// frameBits is what a packet takes of an Ethernet link beside its IP packet: header, check
// sequence, preamble and gap.
const frameBits = (14 + 4 + 8 + 12) * 8

// harm is what an attack takes of a link, bits per second: small packets count for more than their
// IP length.
func (in *incident) harm() uint64 {
	r := &in.Last[in.Trigger.Direction]
	return r.Bits[rate.Total] + frameBits*r.Packets[rate.Total]
}

// announce asks for the host route of in.
func (b *Book) announce(in *incident, now int64, asker Asker, events []Event) []Event {
	if len(b.routes) >= MaxRoutes {
		if in.refused == "" {
			b.Unrouted++
		}
		return b.refuse(in, "no_room", now, events)
	}
	until := now + int64(b.config.Time)
	if refusal := asker.Ask(&in.Incident, until, b.seq+1); refusal != "" {
		return b.refuse(in, refusal, now, events)
	}
	return b.route(in, until, "", now, events)
}

// route notes that the route of in was asked for, or would have been.
func (b *Book) route(
	in *incident, until int64, reason string, now int64, events []Event,
) []Event {
	b.seq++
	r := &route{
		seq: b.seq, until: until, lease: until, wish: until, incident: in, Action: Action{
			Time: now, Kind: "blackhole", Prefix: in.Target, Communities: b.texts, Reason: reason,
			DryRun: b.config.DryRun,
		},
	}
	b.routes[in.Target] = r
	if r.DryRun {
		return r.become(Announced, now, events)
	}
	return events
}

// become notes that r is on its way, or in force.
func (r *route) become(kind EventKind, now int64, events []Event) []Event {
	r.Event, r.Time = kind, now
	r.incident.refused = ""
	r.incident.Actions = append(r.incident.Actions, r.Action)
	return append(events, Event{kind, now, &r.incident.Incident, r.Action})
}

// refuse records why in has no route, unless that is known.
func (b *Book) refuse(in *incident, reason string, now int64, events []Event) []Event {
	if in.refused == reason || in.refusals >= maxRefusals {
		return events
	}
	in.refused = reason
	in.refusals++
	a := Action{
		Time: now, Event: Refused, Kind: "blackhole", Prefix: in.Target, Reason: reason,
		DryRun: b.config.DryRun,
	}
	in.Actions = append(in.Actions, a)
	return append(events, Event{Refused, now, &in.Incident, a})
}

// Becomes notes that route seq for p is Asked, on its way, or then Announced, in force.
func (b *Book) Becomes(
	p netip.Prefix, seq uint64, kind EventKind, now int64, events []Event,
) []Event {
	if r := b.routes[p]; r != nil && r.seq == seq && r.Event < kind {
		return r.become(kind, now, events)
	}
	return events
}

// Fails notes that route seq for p was not announced and will not be. Whether it was known.
func (b *Book) Fails(
	p netip.Prefix, seq uint64, reason string, now int64, events []Event,
) ([]Event, bool) {
	r := b.routes[p]
	if r == nil || r.seq != seq {
		return events, false
	}
	delete(b.routes, p)
	return b.refuse(r.incident, reason, now, events), true
}

// adopt makes a route that stands already that of in.
func (r *route) adopt(in *incident, until int64) {
	if !r.incident.Manual {
		r.until = until
	}
	r.wish, r.incident = max(r.wish, until), in
}

// renew gives leases their longer ends.
func (b *Book) renew(now int64, asker Asker) {
	step := min(int64(b.config.Time)/renewShare, int64(renewEvery))
	for p, r := range b.routes {
		switch {
		case r.wish <= r.lease:
		case r.DryRun:
			r.lease = r.wish
		case r.wish-r.lease >= step && asker.Renew(p, r.wish, false):
			r.lease = r.wish
		}
	}
}

// release withdraws routes, in order of address: at the end of their time when the target is
// quiet, and at the end of their lease.
func (b *Book) release(now int64, blind bool, events []Event) []Event {
	var due []netip.Prefix
	for p, r := range b.routes {
		in := b.open[p.Addr()]
		over := in == nil || !blind && !in.hidden && b.quiet(in, now)
		if now >= r.lease || now >= r.until && over {
			due = append(due, p)
		}
	}
	slices.SortFunc(due, netip.Prefix.Compare)
	for _, p := range due {
		reason := "attack_over"
		if in := b.open[p.Addr()]; b.routes[p].incident.Manual ||
			in != nil && (in.hidden || !b.quiet(in, now)) {
			reason = "lease_ended"
		}
		events = b.withdraw(p, reason, now, events)
	}
	return events
}

// withdraw ends a route.
func (b *Book) withdraw(p netip.Prefix, reason string, now int64, events []Event) []Event {
	r := b.routes[p]
	delete(b.routes, p)
	a := r.Action
	a.Time, a.Event, a.Reason = now, Withdrawn, reason
	in := r.incident
	in.Actions = append(in.Actions, a)
	return append(events, Event{Withdrawn, now, &in.Incident, a})
}
