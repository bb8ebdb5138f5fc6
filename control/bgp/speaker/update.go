package speaker

import (
	"fmt"
	"net/netip"

	"github.com/osrg/gobgp/v3/pkg/packet/bgp"
)

// change is what an UPDATE does to a table.
type change struct{ announced, withdrawn []netip.Prefix }

// readUpdate reads an UPDATE that GoBGP has made. It is not for those of a peer.
func readUpdate(m message) (*change, error) {
	parsed, err := bgp.ParseBGPMessage(m)
	if err != nil {
		return nil, fmt.Errorf("read UPDATE: %w", err)
	}
	body, ok := parsed.Body.(*bgp.BGPUpdate)
	if !ok {
		return nil, fmt.Errorf("read UPDATE: it is a %T", parsed.Body)
	}
	c := &change{}
	for _, p := range body.WithdrawnRoutes {
		if err := appendPrefix(&c.withdrawn, p); err != nil {
			return nil, err
		}
	}
	for _, p := range body.NLRI {
		if err := appendPrefix(&c.announced, p); err != nil {
			return nil, err
		}
	}
	for _, a := range body.PathAttributes {
		list, prefixes := &c.announced, []bgp.AddrPrefixInterface(nil)
		switch a := a.(type) {
		case *bgp.PathAttributeMpReachNLRI:
			prefixes = a.Value
		case *bgp.PathAttributeMpUnreachNLRI:
			list, prefixes = &c.withdrawn, a.Value
		}
		for _, p := range prefixes {
			if err := appendPrefix(list, p); err != nil {
				return nil, err
			}
		}
	}
	return c, nil
}

func appendPrefix(list *[]netip.Prefix, p fmt.Stringer) error {
	prefix, err := netip.ParsePrefix(p.String())
	if err != nil {
		return fmt.Errorf("read UPDATE: %w", err)
	}
	*list = append(*list, prefix)
	return nil
}
