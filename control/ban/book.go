package ban

import (
	"encoding/binary"
	"encoding/hex"
	"hash/fnv"
	"net/netip"
	"slices"
	"time"

	"weir/control/detect"
	"weir/control/rate"
)

// Config is the life of a mitigation.
type Config struct {
	Time        time.Duration // a mitigation's lease, extended while the attack goes on
	Quiet       time.Duration // an attack is over after so long below every limit
	Communities []string      // of a blackhole route
	DryRun      bool          // nothing is announced; every would-be action is recorded
	Policy      uint64        // hash of the policy in force, part of every incident's ID
}

// Bounds of what an attacker can make the book hold.
const (
	MaxOpen   = 4096 // incidents at the same time
	MaxRoutes = 4096 // mitigations at the same time; their leases outlast the incidents
	MaxPoints = 600  // of an incident's timeline; older seconds are merged pairwise

	allPoints = 1 << 16 // of all timelines together, as long as …
	fewPoints = 60      // … each incident may have these
)

// EventKind says what happened to an incident.
type EventKind uint8

// The events, in the order of their life.
const (
	Started EventKind = iota
	Announced
	Withdrawn
	Ended
)

// Event is one change in the life of an incident. Incident is valid until the next call of a
// method of Book; Action is set for Announced and Withdrawn. A Withdrawn may come after Ended, when
// the lease outlasts the attack: its Incident has no timeline any more.
type Event struct {
	Kind     EventKind
	Time     int64 // nanoseconds since 1970 UTC
	Incident *Incident
	Action   Action
}

// Verdict is a host found over a limit, with what is known at that moment.
type Verdict struct {
	Target  netip.Addr
	Trigger detect.Trigger
	Begin   int64 // first packet over the limit, nanoseconds since 1970 UTC
	Now     int64
	Allowed bool
	Vectors []detect.Vector
	Rates   [2]rate.Rates // by rate.Direction

	Averages [len(rate.Windows)]rate.Rates // in the trigger's direction
}

// Book holds the open incidents and the mitigations in force.
//
// Concurrency: the control loop's goroutine.
type Book struct {
	Refused  uint64 // verdicts that found the book full
	Unrouted uint64 // incidents whose mitigation found it full

	config Config
	ticked int64 // the last Tick
	open   map[netip.Addr]*incident
	order  []netip.Addr // targets of open, in order of address
	routes map[netip.Prefix]*route
}

// incident is an open Incident with what decides its end.
type incident struct {
	Incident
	lastOver int64
	blind    int64 // nanoseconds since lastOver in which nothing could be seen
	stride   int   // seconds per point of the timeline
	pending  int   // seconds merged into its last point
}

// route is a mitigation in force, or in a dry run one that would be.
type route struct {
	Action
	until    int64     // not withdrawn before, unless the lease ends
	lease    int64     // withdrawn then, whatever can be seen; renewed while a limit is exceeded
	incident *incident // the latest that asked for it
}

// NewBook returns an empty book.
func NewBook(c Config) *Book {
	return &Book{config: c, open: map[netip.Addr]*incident{}, routes: map[netip.Prefix]*route{}}
}

// Configure makes c hold for what is opened, renewed and judged quiet from now on; leases that
// run keep their end.
func (b *Book) Configure(c Config) { b.config = c }

// Routes returns the number of mitigations in force, dry runs included.
func (b *Book) Routes() int { return len(b.routes) }

// Open returns the number of open incidents.
func (b *Book) Open() int { return len(b.order) }

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

// Has reports whether target has an open incident.
func (b *Book) Has(target netip.Addr) bool { return b.open[target] != nil }

// Each calls f with every open incident in order of address.
func (b *Book) Each(f func(*Incident)) {
	for _, a := range b.order {
		f(&b.open[a].Incident)
	}
}

// Report opens an incident for v, and asks for its mitigation unless the target is allowed. A
// target that has an incident keeps it. Events are appended to events.
func (b *Book) Report(v *Verdict, events []Event) []Event {
	if in := b.open[v.Target]; in != nil {
		b.over(in, v.Now)
		return events
	}
	if len(b.order) >= MaxOpen {
		b.Refused++
		return events
	}
	in := &incident{lastOver: v.Now, stride: 1}
	in.Incident = Incident{
		ID:        b.id(v),
		Target:    netip.PrefixFrom(v.Target, v.Target.BitLen()),
		Trigger:   v.Trigger,
		Allowed:   v.Allowed,
		Begin:     v.Begin,
		Detected:  v.Now,
		Vectors:   v.Vectors,
		AtVerdict: v.Rates,
		Averages:  v.Averages,
	}
	in.note(v.Rates)
	b.open[v.Target] = in
	at, _ := slices.BinarySearchFunc(b.order, v.Target, netip.Addr.Compare)
	b.order = slices.Insert(b.order, at, v.Target)
	events = append(events, Event{Kind: Started, Time: v.Now, Incident: &in.Incident})
	if v.Allowed {
		return events
	}
	return b.announce(in, v.Now, events)
}

// id names an incident: the same capture under the same policy gives the same name.
func (b *Book) id(v *Verdict) string {
	h := fnv.New64a()
	a := v.Target.As16()
	h.Write(a[:])
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(v.Begin)))
	h.Write(binary.BigEndian.AppendUint64(nil, b.config.Policy))
	return hex.EncodeToString(h.Sum(nil))
}

// announce asks for a host route, or renews the one in force.
func (b *Book) announce(in *incident, now int64, events []Event) []Event {
	until := now + int64(b.config.Time)
	if r := b.routes[in.Target]; r != nil {
		r.until, r.lease, r.incident = until, until, in
		return events
	}
	if len(b.routes) >= MaxRoutes {
		b.Unrouted++
		return events
	}
	r := &route{until: until, lease: until, incident: in, Action: Action{
		Time:        now,
		Kind:        "blackhole",
		Prefix:      in.Target,
		Communities: b.config.Communities,
		DryRun:      b.config.DryRun,
	}}
	b.routes[in.Target] = r
	in.Actions = append(in.Actions, r.Action)
	return append(events, Event{Announced, now, &in.Incident, r.Action})
}

// Second notes one second of an open incident: the target's rates, and whether some limit is
// exceeded.
func (b *Book) Second(target netip.Addr, now int64, rates [2]rate.Rates, over bool) {
	in := b.open[target]
	if in == nil {
		return
	}
	in.note(rates)
	in.point(now, max(fewPoints, min(MaxPoints, allPoints/len(b.order))))
	if over {
		b.over(in, now)
	}
}

// over starts the quiet clock anew, and renews the lease.
func (b *Book) over(in *incident, now int64) {
	in.lastOver, in.blind = now, 0
	if r := b.routes[in.Target]; r != nil {
		r.lease = max(r.lease, now+int64(b.config.Time))
	}
}

// note keeps the latest rates and the peaks.
func (in *incident) note(rates [2]rate.Rates) {
	in.Last = rates
	r := &rates[in.Trigger.Direction]
	in.PeakPPS = max(in.PeakPPS, r.Packets[rate.Total])
	in.PeakBPS = max(in.PeakBPS, r.Bits[rate.Total])
	in.PeakFPS = max(in.PeakFPS, r.Flows)
}

// point appends the latest rates to the timeline, which keeps the higher of two neighbouring
// points when it has most of them.
func (in *incident) point(now int64, most int) {
	p := Point{Time: now, Rates: in.Last}
	if in.pending > 0 && in.pending < in.stride {
		last := &in.Timeline[len(in.Timeline)-1]
		*last = higher(*last, p, in.Trigger.Direction)
		in.pending++
		return
	}
	if n := len(in.Timeline); n >= most {
		for i := range n / 2 {
			in.Timeline[i] = higher(in.Timeline[2*i], in.Timeline[2*i+1], in.Trigger.Direction)
		}
		if n%2 == 1 {
			in.Timeline[n/2] = in.Timeline[n-1]
		}
		in.Timeline = in.Timeline[:(n+1)/2]
		in.stride *= 2
	}
	in.Timeline = append(in.Timeline, p)
	in.pending = 1
}

// higher returns the later point with the rates of the one with more packets in direction d.
func higher(a, b Point, d rate.Direction) Point {
	if a.Rates[d].Packets[rate.Total] > b.Rates[d].Packets[rate.Total] {
		b.Rates = a.Rates
	}
	return b
}

// Tick ends what is over at now. A blind second, without any input, is no calm: no traffic seen is
// not the end of an attack. A lease still ends.
func (b *Book) Tick(now int64, blind bool, events []Event) []Event {
	since := b.ticked
	b.ticked = now
	for _, a := range b.order {
		if in := b.open[a]; blind {
			in.blind += now - max(since, in.lastOver) // the quiet clock stands still
		}
	}
	events = b.release(now, blind, events)
	if blind {
		return events
	}
	return b.end(now, events)
}

// release withdraws routes, in order of address: at the end of their time when the target is
// quiet, and at the end of their lease.
func (b *Book) release(now int64, blind bool, events []Event) []Event {
	var due []netip.Prefix
	for p, r := range b.routes {
		in := b.open[p.Addr()]
		over := in == nil || !blind && b.quiet(in, now)
		if now >= r.lease || now >= r.until && over {
			due = append(due, p)
		}
	}
	slices.SortFunc(due, func(x, y netip.Prefix) int { return x.Addr().Compare(y.Addr()) })
	for _, p := range due {
		r := b.routes[p]
		delete(b.routes, p)
		a := r.Action
		a.Time, a.Withdrawn, a.Reason = now, true, "attack_over"
		if in := b.open[p.Addr()]; in != nil && !b.quiet(in, now) {
			a.Reason = "lease_ended"
		}
		r.incident.Actions = append(r.incident.Actions, a)
		events = append(events, Event{Withdrawn, now, &r.incident.Incident, a})
	}
	return events
}

// end closes incidents that have been quiet for long enough, in order of address.
func (b *Book) end(now int64, events []Event) []Event {
	kept := b.order[:0]
	for _, a := range b.order {
		in := b.open[a]
		if !b.quiet(in, now) {
			kept = append(kept, a)
			continue
		}
		delete(b.open, a)
		in.End = in.lastOver
		if r := b.routes[in.Target]; r != nil && r.incident == in {
			r.incident = in.withoutTimeline()
		}
		events = append(events, Event{Kind: Ended, Time: now, Incident: &in.Incident})
	}
	b.order = kept
	return events
}

// withoutTimeline returns what a lease that outlasts the incident keeps of it.
func (in *incident) withoutTimeline() *incident {
	kept := *in
	kept.Timeline = nil
	return &kept
}

func (b *Book) quiet(in *incident, now int64) bool {
	return now-in.lastOver-in.blind >= int64(b.config.Quiet)
}
