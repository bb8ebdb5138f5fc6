package speaker

import (
	"net/netip"
	"slices"

	"weir/control/bgp/wire"
)

// maxCommunities keeps a route's UPDATE far below the longest message.
const maxCommunities = 64

// guard knows what may be announced at all. It repeats what the governor has decided before, with
// code of its own: a mistake there is not repeated here.
type guard struct {
	networks []netip.Prefix
	own      []netip.Addr // addresses that the sessions live of
}

func newGuard(s *wire.Setup) *guard {
	g := &guard{networks: s.Networks, own: []netip.Addr{s.RouterID}}
	for i := range s.Peers {
		g.own = append(g.own, s.Peers[i].Address.WithZone(""))
		if s.Peers[i].Local.IsValid() {
			g.own = append(g.own, s.Peers[i].Local.WithZone(""))
		}
	}
	return g
}

// refuse returns why a route may not be announced, or nothing.
func (g *guard) refuse(r *wire.Route) string {
	if reason := g.refusePrefix(r.Prefix); reason != "" {
		return reason
	}
	next := r.NextHop
	switch {
	case !next.IsValid() || next.BitLen() != r.Prefix.Addr().BitLen() || next.Is4In6():
		return "its next hop is not of its family"
	case next.IsUnspecified() || next.IsMulticast() || next.IsLoopback() || next.Zone() != "":
		return "its next hop is no address that a router could use"
	case next == r.Prefix.Addr():
		return "it is its own next hop"
	case r.Lease <= 0:
		return "its lease has ended"
	case len(r.Communities) > maxCommunities:
		return "it has too many communities"
	}
	for _, c := range r.Communities {
		if !c.Large && (c.A > 0xffff || c.B > 0xffff || c.C != 0) {
			return "it has a community that is none"
		}
	}
	return ""
}

// refusePrefix asks what does not change while a route is wanted. The link to a peer asks again
// for every prefix on its way out.
func (g *guard) refusePrefix(p netip.Prefix) string {
	addr := p.Addr()
	switch {
	case !p.IsValid() || addr.Is4In6():
		return "it is no prefix"
	case p.Bits() != addr.BitLen():
		return "it is no host route"
	case addr.IsUnspecified() || addr.IsLoopback() || addr.IsMulticast(),
		addr.IsLinkLocalUnicast(), addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "it is no address of a host"
	case slices.Contains(g.own, addr):
		return "it is the address of a peer, or our own"
	}
	for _, n := range g.networks {
		if n.Bits() > 0 && n.Contains(addr) {
			return ""
		}
	}
	return "it is in none of the networks"
}
