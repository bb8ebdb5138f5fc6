package router

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"

	"weir/tools/lab"
)

// GoBGP starts Debian's GoBGP daemon, which is older than the library that weir speaks with.
func GoBGP(t testing.TB, n lab.Namespace, o Options) *Router {
	t.Helper()
	return start(t, n, &goBGP, o)
}

// goBGPPort is where it answers, in a namespace of its own.
const goBGPPort = 50055

var goBGP = kind{
	name:     "gobgpd",
	programs: []string{"gobgpd", "gobgp"},
	config: func(o *Options) string {
		family := func(name string) string {
			return fmt.Sprintf("[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\n"+
				"afi-safi-name = %q", name)
		}
		return spaced(
			"[global.config]", fmt.Sprintf("as = %d", o.AS), `router-id = "10.255.0.3"`,
			fmt.Sprintf("local-address-list = [%q]", o.Local),
			"[[neighbors]]", "[neighbors.config]",
			fmt.Sprintf("neighbor-address = %q", o.Neighbour),
			fmt.Sprintf("peer-as = %d", o.RemoteAS),
			when(o.Password != "", fmt.Sprintf("auth-password = %q", o.Password)),
			"[neighbors.transport.config]", fmt.Sprintf("passive-mode = %v", !o.Dial),
			fmt.Sprintf("local-address = %q", o.Local),
			family("ipv4-unicast"), family("ipv6-unicast"))
	},
	run: func(r *Router) []string {
		return []string{"gobgpd", "-f", r.file("conf"), "-t", "toml", "--pprof-disable",
			"--api-hosts", fmt.Sprintf("127.0.0.1:%d", goBGPPort)}
	},
	routes: func(r *Router) (all []Route, err error) {
		for _, family := range []string{"ipv4", "ipv6"} {
			out, err := r.ask("gobgp", "-p", fmt.Sprint(goBGPPort), "-j", "global", "rib", "-a",
				family)
			if err != nil {
				return nil, err
			}
			some, err := goBGPRoutes(out)
			if err != nil {
				return nil, err
			}
			all = append(all, some...)
		}
		return all, nil
	},
}

// Types of path attributes in its JSON.
const (
	attrNextHop     = 3
	attrCommunities = 8
	attrReach       = 14
	attrLarge       = 32
)

func goBGPRoutes(data []byte) (all []Route, err error) {
	var table map[string][]struct {
		Attrs []struct {
			Type        int             `json:"type"`
			NextHop     string          `json:"nexthop"`
			Communities []uint32        `json:"communities"`
			Value       json.RawMessage `json:"value"`
		} `json:"attrs"`
	}
	if err := json.Unmarshal(data, &table); err != nil {
		return nil, fmt.Errorf("gobgp's table: %w", err)
	}
	for text, paths := range table {
		p, err := netip.ParsePrefix(text)
		if err != nil || len(paths) == 0 {
			return nil, fmt.Errorf("gobgp's table: %q: %d paths, %w", text, len(paths), err)
		}
		r := Route{Prefix: p}
		for _, a := range paths[0].Attrs {
			switch a.Type {
			case attrNextHop, attrReach:
				r.NextHop, _ = netip.ParseAddr(a.NextHop)
			case attrCommunities:
				for _, c := range a.Communities {
					r.Communities = append(r.Communities, fmt.Sprintf("%d:%d", c>>16, c&0xffff))
				}
			case attrLarge:
				var parts []struct{ ASN, LocalData1, LocalData2 uint32 }
				if err := json.Unmarshal(a.Value, &parts); err != nil {
					return nil, fmt.Errorf("large communities %s: %w", a.Value, err)
				}
				for _, c := range parts {
					r.Communities = append(r.Communities,
						fmt.Sprintf("%d:%d:%d", c.ASN, c.LocalData1, c.LocalData2))
				}
			}
		}
		all = append(all, r)
	}
	return all, nil
}
