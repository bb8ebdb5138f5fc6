package announce

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"weir/control/ban"
	"weir/control/ban/journal"
	"weir/control/governor"
)

// Speaker makes routers know routes: a BGP speaker, or what stands for one. None of its methods
// waits, and all may be called from any goroutine.
type Speaker interface {
	// Set makes routes all that is announced.
	Set(routes []governor.Approved)
	// Stands reports whether the route for p has arrived where it is announced to.
	Stands(p netip.Prefix) bool
	// Changed receives after Stands may answer otherwise.
	Changed() <-chan struct{}
}

// Journal is where a route is written down before it is announced; *journal.Journal is one.
type Journal interface {
	Intent(ctx context.Context, r journal.Route) error
	Announced(p netip.Prefix) bool
	Renew(p netip.Prefix, lease time.Duration) bool
	Withdrawn(p netip.Prefix) bool
}

// Announcer implements control.Actor.
//
// Concurrency: Announce, Renew, Withdraw and Results are the control loop's; none waits. Run is
// called once. State is for any goroutine.
type Announcer struct {
	journal  Journal
	speakers []Speaker
	clock    func() int64
	log      *slog.Logger

	wake chan struct{} // there is something to do
	push chan struct{} // the speakers' set has changed

	mu      sync.Mutex
	wanted  map[netip.Prefix]*order
	asked   []*order // not yet written down, in order
	results []result
	counts  Counts
}

// order is a route on its way.
type order struct {
	route  governor.Approved
	seq    uint64
	known  bool // the journal has it already
	spoken bool // the speakers were told
	stood  bool // the loop was told that it stands
	gone   bool // withdrawn before it was written down
}

// result is what the loop is to be told.
type result struct {
	prefix netip.Prefix
	seq    uint64
	became ban.EventKind
	reason string
}

// Counts are totals since the start, and what there is now.
type Counts struct {
	Wanted    int    // routes now, on their way or announced
	Standing  int    // of them, seen to stand
	Announced uint64 // routes that the speakers were told
	Refused   uint64 // that could not be written down
	Withdrawn uint64
}

// New returns an Announcer of nothing. clock is the control loop's. Without speakers a route that
// is written down counts as standing.
func New(j Journal, speakers []Speaker, clock func() int64, log *slog.Logger) *Announcer {
	return &Announcer{
		journal: j, speakers: speakers, clock: clock, log: log,
		wake: make(chan struct{}, 1), push: make(chan struct{}, 1),
		wanted: map[netip.Prefix]*order{},
	}
}

// Announce implements control.Actor.
func (n *Announcer) Announce(a governor.Approved, seq uint64) {
	n.add(&order{route: a, seq: seq})
}

// Resume implements control.Actor.
func (n *Announcer) Resume(a governor.Approved, seq uint64) {
	n.add(&order{route: a, seq: seq, known: true})
}

func (n *Announcer) add(o *order) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.wanted[o.route.Prefix()] = o
	n.asked = append(n.asked, o)
	signal(n.wake)
}

// Renew implements control.Actor.
func (n *Announcer) Renew(a governor.Approved) {
	n.mu.Lock()
	o := n.wanted[a.Prefix()]
	if o != nil {
		o.route = a
	}
	n.mu.Unlock()
	if o != nil {
		n.journal.Renew(a.Prefix(), n.left(&a))
		signal(n.push)
	}
}

// Withdraw implements control.Actor.
func (n *Announcer) Withdraw(p netip.Prefix) {
	n.mu.Lock()
	o := n.wanted[p]
	if o != nil {
		o.gone = true
		delete(n.wanted, p)
		n.counts.Withdrawn++
	}
	n.mu.Unlock()
	if o != nil {
		n.journal.Withdrawn(p)
		signal(n.push)
	}
}

// Results implements control.Actor.
func (n *Announcer) Results(
	f func(p netip.Prefix, seq uint64, became ban.EventKind, reason string),
) {
	n.mu.Lock()
	results := n.results
	n.results = nil
	n.mu.Unlock()
	for _, r := range results {
		f(r.prefix, r.seq, r.became, r.reason)
	}
}

// State returns the counts.
func (n *Announcer) State() Counts {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.counts
	c.Wanted = len(n.wanted)
	for _, o := range n.wanted {
		if o.stood {
			c.Standing++
		}
	}
	return c
}

// left returns what is left of a route's lease.
func (n *Announcer) left(a *governor.Approved) time.Duration {
	return time.Duration(a.Lease() - n.clock())
}

// signal wakes who waits for c; one signal is as good as several.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
