package governor

import (
	"net/netip"
	"slices"
	"time"
)

// Rules are what every route is held to.
type Rules struct {
	Networks     []netip.Prefix // nothing outside them is announced
	Protected    []netip.Prefix // nothing inside them is announced
	MaxActive    int            // routes at the same time
	MaxPerMinute int            // new ones in any 60 seconds, those that a person asks for aside
	MaxShare     int            // percent of a network's addresses, one at least
	MaxLease     time.Duration  // from the moment of asking
}

// Who asks for a route.
type Who uint8

// Detector asks by itself and is held to every rule; Person is a manual ban, which need not wait
// until what is seen can be trusted; Journal brings back what stood before a restart, which may be
// more than is allowed to be new.
const (
	Detector Who = iota
	Person
	Journal
)

const minute = int64(time.Minute)

// Governor knows what stands, and says what may be added.
//
// Concurrency: the control loop's goroutine.
type Governor struct {
	Refused [Refusals]uint64 // asks, by the rule that refused them

	rules  Rules
	active map[netip.Prefix]struct{}
	recent []int64 // when the approvals of the last minute were given, in order
	hold   int64   // nothing automatic before
	frozen bool
}

// New returns a governor under which nothing stands.
func New(r Rules) *Governor { return &Governor{rules: r, active: map[netip.Prefix]struct{}{}} }

// Ask approves r, which then stands until Release, or says which rule it does not pass.
func (g *Governor) Ask(r Route, who Who, now int64) (Approved, Refusal) {
	if refusal := g.judge(&r, who, now); refusal != None {
		g.Refused[refusal]++
		return Approved{}, refusal
	}
	g.active[r.Prefix] = struct{}{}
	if who == Detector {
		g.recent = append(g.recent, now)
	}
	r.Communities = slices.Clone(r.Communities)
	return Approved{r}, None
}

// Renew gives a route that stands a later end, or refuses: fresh evidence of the detector's that is
// not trusted yet renews nothing.
func (g *Governor) Renew(a Approved, who Who, lease, now int64) (Approved, bool) {
	r := a.route
	r.Lease = max(r.Lease, lease)
	_, stands := g.active[r.Prefix]
	if !stands || g.frozen || who == Detector && now < g.hold || g.never(r.Prefix) != None ||
		g.shape(&r, now) != None {
		return a, false
	}
	return Approved{r}, true
}

// Release notes that p no longer stands.
func (g *Governor) Release(p netip.Prefix) { delete(g.active, p) }

// Active returns how many routes stand.
func (g *Governor) Active() int { return len(g.active) }

// Hold refuses what the detector asks for until then: what it sees began anew.
func (g *Governor) Hold(until int64) { g.hold = max(g.hold, until) }

// Freeze makes the governor refuse everything, or ends that.
func (g *Governor) Freeze(on bool) { g.frozen = on }

// Frozen reports whether everything is refused.
func (g *Governor) Frozen() bool { return g.frozen }

// Configure makes r hold from now on and returns what stands and must not any more, in order.
// Routes over a lowered cap stay: what is old does no new harm.
func (g *Governor) Configure(r Rules) (forbidden []netip.Prefix) {
	g.rules = r
	for p := range g.active {
		if g.never(p) != None {
			forbidden = append(forbidden, p)
		}
	}
	slices.SortFunc(forbidden, netip.Prefix.Compare)
	return forbidden
}

func (g *Governor) judge(r *Route, who Who, now int64) Refusal {
	if refusal := g.never(r.Prefix); refusal != None {
		return refusal
	}
	if refusal := g.shape(r, now); refusal != None {
		return refusal
	}
	return g.notNow(r.Prefix, who, now)
}

// never is about what p is: these rules hold for everybody and at any time.
func (g *Governor) never(p netip.Prefix) Refusal {
	a := p.Addr()
	switch {
	case !p.IsValid() || p.Bits() != a.BitLen() || a.Zone() != "" || a.Is4In6():
		return NotHostRoute
	case a.IsUnspecified() || a.IsMulticast() || a.IsLoopback() || a.IsLinkLocalUnicast() ||
		a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return NotUnicast
	case !holds(g.rules.Networks, a):
		return OutsideNetworks
	case holds(g.rules.Protected, a):
		return Protected
	}
	return None
}

// shape is about what else a route carries.
func (g *Governor) shape(r *Route, now int64) Refusal {
	switch hop := r.NextHop; {
	case !hop.IsValid() || hop.BitLen() != r.Prefix.Addr().BitLen() || hop.IsUnspecified():
		return NoNextHop
	case r.Lease <= now || r.Lease-now > int64(g.rules.MaxLease):
		return NoLease
	}
	return None
}

// notNow is about what else stands, and when.
func (g *Governor) notNow(p netip.Prefix, who Who, now int64) Refusal {
	for len(g.recent) > 0 && now-g.recent[0] >= minute {
		g.recent = g.recent[1:]
	}
	_, stands := g.active[p]
	switch {
	case g.frozen:
		return Frozen
	case who == Detector && now < g.hold:
		return Holding
	case stands:
		return Stands
	case who == Journal:
		return None
	case len(g.active) >= g.rules.MaxActive:
		return TooMany
	case who == Detector && len(g.recent) >= g.rules.MaxPerMinute:
		return TooFast
	case g.overShare(p.Addr()):
		return TooLarge
	}
	return None
}

// overShare reports whether one more route than stands in the smallest network around a would be
// more than the share of it that may be blackholed.
func (g *Governor) overShare(a netip.Addr) bool {
	home := smallest(g.rules.Networks, a)
	most := 1
	if host := a.BitLen() - home.Bits(); host >= 32 {
		return false // max_blackholes is less than any share of it
	} else if share := (1 << host) * g.rules.MaxShare / 100; share > 1 {
		most = share
	}
	stand := 0
	for p := range g.active {
		if home.Contains(p.Addr()) {
			stand++
		}
	}
	return stand >= most
}

// holds reports whether a is in one of prefixes.
func holds(prefixes []netip.Prefix, a netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// smallest returns the longest of prefixes that holds a; one does.
func smallest(prefixes []netip.Prefix, a netip.Addr) (longest netip.Prefix) {
	for _, p := range prefixes {
		if p.Contains(a) && (!longest.IsValid() || p.Bits() > longest.Bits()) {
			longest = p
		}
	}
	return longest
}
