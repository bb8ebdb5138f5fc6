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
	Communities []Community   // of a blackhole route
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

// The events, in the order of their life. Refused is told again when the reason changes. Asked is
// told of a route that was written down and is on its way, Announced when it stands; of one that a
// dry run would have announced, Announced alone.
const (
	Started EventKind = iota
	Refused
	Asked
	Announced
	Withdrawn
	Ended
)

// String returns the kind in lower case.
func (k EventKind) String() string {
	return [...]string{"started", "refused", "asked", "announced", "withdrawn", "ended"}[k]
}

// Event is one change in the life of an incident. Incident is valid until the next call of a
// method of Book; Action is set for all but Started and Ended. A Withdrawn may come after Ended,
// when the lease outlasts the attack: its Incident has no timeline any more.
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
	texts  []string // of config.Communities
	seq    uint64   // of the latest route
}

// incident is an open Incident with what decides its end.
type incident struct {
	Incident
	lastOver int64
	blind    int64 // nanoseconds since lastOver in which nothing could be seen
	hidden   bool  // its last second may have been hidden by our own blackhole
	spared   bool  // a person has said that it is not to be mitigated
	refusals int   // recorded
	refused  string
	stride   int // seconds per point of the timeline
	pending  int // seconds merged into its last point
}

// NewBook returns an empty book.
func NewBook(c Config) *Book {
	b := &Book{open: map[netip.Addr]*incident{}, routes: map[netip.Prefix]*route{}}
	b.Configure(c)
	return b
}

// Configure makes c hold for what is opened, renewed and judged quiet from now on; leases that
// run keep their end.
func (b *Book) Configure(c Config) {
	b.config, b.texts = c, nil
	for _, community := range c.Communities {
		b.texts = append(b.texts, community.String())
	}
}

// Open returns the number of open incidents.
func (b *Book) Open() int { return len(b.order) }

// Has reports whether target has an open incident.
func (b *Book) Has(target netip.Addr) bool { return b.open[target] != nil }

// Each calls f with every open incident in order of address.
func (b *Book) Each(f func(*Incident)) {
	for _, a := range b.order {
		f(&b.open[a].Incident)
	}
}

// Report opens an incident for v; Mitigate then asks for its route. A target that has an incident
// keeps it. Events are appended to events.
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
		ID:        b.id(v.Target, v.Begin),
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
	if r := b.routes[in.Target]; r != nil && !v.Allowed {
		r.adopt(in, v.Now+int64(b.config.Time))
	}
	return append(events, Event{Kind: Started, Time: v.Now, Incident: &in.Incident})
}

// id names an incident: the same capture under the same policy gives the same name.
func (b *Book) id(target netip.Addr, begin int64) string {
	h := fnv.New64a()
	a := target.As16()
	h.Write(a[:])
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(begin)))
	h.Write(binary.BigEndian.AppendUint64(nil, b.config.Policy))
	return hex.EncodeToString(h.Sum(nil))
}

// Second notes one second of an open incident: the target's rates, and whether some limit is
// exceeded. Silence while our own blackhole stands is no calm: it may be what hides the attack.
func (b *Book) Second(target netip.Addr, now int64, rates [2]rate.Rates, over bool) {
	in := b.open[target]
	if in == nil {
		return
	}
	in.note(rates)
	r := b.routes[in.Target]
	in.hidden = r != nil && r.Event == Announced && !r.DryRun &&
		rates[in.Trigger.Direction].Packets[rate.Total] == 0
	in.point(now, max(fewPoints, min(MaxPoints, allPoints/len(b.order))))
	if over {
		b.over(in, now)
	}
}

// over starts the quiet clock anew, and wishes for a longer lease.
func (b *Book) over(in *incident, now int64) {
	in.lastOver, in.blind = now, 0
	if r := b.routes[in.Target]; r != nil {
		r.wish = max(r.wish, now+int64(b.config.Time))
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
		if in := b.open[a]; blind || in.hidden {
			in.blind += now - max(since, in.lastOver) // the quiet clock stands still
		}
	}
	events = b.release(now, blind, events)
	if blind {
		return events
	}
	return b.end(now, events)
}

// end closes incidents that have been quiet for long enough, in order of address.
func (b *Book) end(now int64, events []Event) []Event {
	kept := b.order[:0]
	for _, a := range b.order {
		in := b.open[a]
		if in.hidden || !b.quiet(in, now) {
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
