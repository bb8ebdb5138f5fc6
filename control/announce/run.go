package announce

import (
	"context"
	"errors"
	"slices"
	"sync"

	"weir/control/ban"
	"weir/control/ban/journal"
	"weir/control/governor"
)

// writers is how many routes wait for the journal at the same time: it writes several down at once,
// so that a slow disk delays a burst of them once only.
const writers = 64

// Run carries routes until ctx ends.
func (n *Announcer) Run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	n.resume()
	if len(n.speakers) == 0 {
		n.settle()
	}
	running.Go(func() { n.speak(ctx) })
	for _, s := range n.speakers {
		running.Go(func() { n.watch(ctx, s) })
	}
	for range writers {
		running.Go(func() { n.write(ctx) })
	}
}

// resume lets what stood before a restart be announced, all at once and before anything else: by a
// first set without it, routers would be told that it is gone.
func (n *Announcer) resume() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = slices.DeleteFunc(n.asked, func(o *order) bool {
		if o.known && !o.gone {
			n.told(o)
		}
		return o.known
	})
	signal(n.push)
}

// told notes that the speakers may be told of o.
func (n *Announcer) told(o *order) {
	o.spoken = true
	n.counts.Announced++
	n.results = append(n.results, result{
		prefix: o.route.Prefix(), seq: o.seq, became: ban.Asked,
	})
}

// write writes routes down, each before it is announced.
func (n *Announcer) write(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		}
		for o := n.next(); o != nil; o = n.next() {
			n.intend(ctx, o)
		}
	}
}

// next takes the route that has waited longest, and wakes another writer when there are more.
func (n *Announcer) next() *order {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.asked) > 0 {
		o := n.asked[0]
		n.asked = n.asked[1:]
		if len(n.asked) > 0 {
			signal(n.wake)
		}
		if !o.gone {
			return o
		}
	}
	return nil
}

// intend writes o down, and lets it be announced, or has it refused.
func (n *Announcer) intend(ctx context.Context, o *order) {
	a := &o.route
	var err error
	if !o.known {
		err = n.journal.Intent(ctx, n.entry(a))
	}
	n.mu.Lock()
	switch p := a.Prefix(); {
	case o.gone:
		if err == nil && n.wanted[p] == nil {
			n.journal.Withdrawn(p) // it may have been written after the withdrawal
		}
	case err != nil:
		delete(n.wanted, p)
		n.counts.Refused++
		n.results = append(n.results, result{p, o.seq, ban.Refused, refusal(err)})
		n.journal.Withdrawn(p) // an older intent of the prefix may have been written
	default:
		n.told(o)
	}
	n.mu.Unlock()
	if err != nil {
		n.log.Error("a route is not announced: it cannot be written down", "cause", "journal",
			"prefix", a.Prefix(), "error", err)
		return
	}
	signal(n.push)
	if len(n.speakers) == 0 {
		n.settle()
	}
}

// entry is a route as the journal knows it.
func (n *Announcer) entry(a *governor.Approved) journal.Route {
	r := journal.Route{
		Prefix: a.Prefix(), NextHop: a.NextHop(), ID: a.ID(), Manual: a.Manual(),
		Asked: n.clock(), Lease: n.left(a),
	}
	for _, c := range a.Communities() {
		r.Communities = append(r.Communities, c.String())
	}
	return r
}

// refusal names why the journal refused.
func refusal(err error) string {
	switch {
	case errors.Is(err, journal.ErrSlow):
		return "journal_slow"
	case errors.Is(err, journal.ErrFull):
		return "journal_full"
	}
	return "journal_failed"
}

// speak tells the speakers what is wanted, whenever that changes.
func (n *Announcer) speak(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.push:
		}
		routes := n.routes()
		for _, s := range n.speakers {
			s.Set(routes)
		}
	}
}

// routes returns what is to be announced, in order.
func (n *Announcer) routes() []governor.Approved {
	n.mu.Lock()
	defer n.mu.Unlock()
	routes := make([]governor.Approved, 0, len(n.wanted))
	for _, o := range n.wanted {
		if o.spoken {
			routes = append(routes, o.route)
		}
	}
	slices.SortFunc(routes, func(a, b governor.Approved) int {
		return a.Prefix().Compare(b.Prefix())
	})
	return routes
}

// watch looks at what stands whenever s says that it may have changed.
func (n *Announcer) watch(ctx context.Context, s Speaker) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.Changed():
			n.settle()
		}
	}
}

// settle notes the routes that have come to stand.
func (n *Announcer) settle() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for p, o := range n.wanted {
		if !o.spoken || o.stood || !n.stands(o) {
			continue
		}
		o.stood = true
		n.results = append(n.results, result{prefix: p, seq: o.seq, became: ban.Announced})
		n.journal.Announced(p)
	}
}

// stands reports whether o stands with some speaker, or there is none.
func (n *Announcer) stands(o *order) bool {
	return len(n.speakers) == 0 || slices.ContainsFunc(n.speakers, func(s Speaker) bool {
		return s.Stands(o.route.Prefix())
	})
}
