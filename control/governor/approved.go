package governor

import (
	"net/netip"
	"slices"

	"weir/control/ban"
)

// Route is a blackhole route that is asked for.
type Route struct {
	Prefix      netip.Prefix
	NextHop     netip.Addr // of Prefix's family
	Communities []ban.Community
	Lease       int64  // when it ends by itself, nanoseconds since 1970 UTC by the loop's clock
	ID          string // of the incident or of the manual ban that it is for
	Manual      bool   // a person asked for it
}

// Approved is a Route that passed every rule when it was asked for. The zero value is none.
type Approved struct{ route Route }

// Prefix returns what is announced: a /32 or a /128.
func (a *Approved) Prefix() netip.Prefix { return a.route.Prefix }

// NextHop returns the next hop, of the prefix's family.
func (a *Approved) NextHop() netip.Addr { return a.route.NextHop }

// Communities returns what the route carries; the caller may change it.
func (a *Approved) Communities() []ban.Community { return slices.Clone(a.route.Communities) }

// Lease returns when the route ends by itself, nanoseconds since 1970 UTC by the loop's clock.
func (a *Approved) Lease() int64 { return a.route.Lease }

// ID returns what the route is for: an incident's ID, or a manual ban's.
func (a *Approved) ID() string { return a.route.ID }

// Manual reports whether a person asked for the route.
func (a *Approved) Manual() bool { return a.route.Manual }

// Valid reports whether a is a route at all.
func (a *Approved) Valid() bool { return a.route.Prefix.IsValid() }
