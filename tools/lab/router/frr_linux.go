package router

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/user"
	"strconv"
	"strings"
	"testing"

	"weir/tools/lab"
)

// FRR starts the BGP daemon of Debian's FRR, without zebra.
func FRR(t testing.TB, n lab.Namespace, o Options) *Router {
	t.Helper()
	return start(t, n, &frr, o)
}

const frrDaemon = "/usr/lib/frr/bgpd"

var frr = kind{
	name:     "frr",
	programs: []string{frrDaemon, "vtysh"},
	config: func(o *Options) string {
		peer := "neighbor " + o.Neighbour.String()
		return spaced(
			fmt.Sprintf("router bgp %d", o.AS),
			"bgp router-id 10.255.0.2",
			"no bgp ebgp-requires-policy",
			"no bgp default ipv4-unicast",
			when(o.Restart > 0, "bgp graceful-restart"),
			fmt.Sprintf("%s remote-as %d", peer, o.RemoteAS),
			when(!o.Dial, peer+" passive"),
			peer+" timers connect 1",
			when(o.Password != "", peer+" password "+o.Password),
			peer+" disable-connected-check",
			"address-family ipv4 unicast", peer+" activate", "exit-address-family",
			"address-family ipv6 unicast", peer+" activate", "exit-address-family")
	},
	prepare: func(r *Router) error {
		owner, err := user.Lookup("frr")
		if err != nil {
			return err
		}
		uid, _ := strconv.Atoi(owner.Uid)
		gid, _ := strconv.Atoi(owner.Gid)
		for _, path := range []string{r.dir, r.file("conf")} {
			if err := os.Chown(path, uid, gid); err != nil {
				return err
			}
		}
		return nil
	},
	run: func(r *Router) []string {
		return []string{frrDaemon, "-f", r.file("conf"), "-l", r.options.Local.String(), "-Z", "-S",
			"-i", r.file("pid"), "--vty_socket", r.dir, "-P", "0", "-u", "frr", "-g", "frr"}
	},
	routes: func(r *Router) (all []Route, err error) {
		for _, family := range []string{"ipv4", "ipv6"} {
			some, err := r.frrRoutes(family)
			if err != nil {
				return nil, err
			}
			all = append(all, some...)
		}
		return all, nil
	},
}

// frrPath is a path of `show bgp … detail json`.
type frrPath struct {
	Community struct {
		List []string `json:"list"`
	} `json:"community"`
	Large struct {
		List []string `json:"list"`
	} `json:"largeCommunity"`
	NextHops []struct {
		IP    string `json:"ip"`
		Scope string `json:"scope"`
	} `json:"nexthops"`
}

func (r *Router) frrRoutes(family string) (all []Route, err error) {
	show := func(what string, v any) error {
		out, err := r.ask("vtysh", "--vty_socket", r.dir, "-d", "bgpd", "-c", what)
		if err != nil {
			return err
		}
		return json.Unmarshal(out, v)
	}
	var table struct {
		Routes map[string]json.RawMessage `json:"routes"`
	}
	if err := show(fmt.Sprintf("show bgp %s unicast json", family), &table); err != nil {
		return nil, err
	}
	for text := range table.Routes {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, err
		}
		var detail struct {
			Paths []frrPath `json:"paths"`
		}
		err = show(fmt.Sprintf("show bgp %s unicast %s json", family, text), &detail)
		if err != nil || len(detail.Paths) == 0 {
			continue // gone meanwhile
		}
		all = append(all, frrRoute(p, &detail.Paths[0]))
	}
	return all, nil
}

// frrRoute gives well-known communities their numbers.
func frrRoute(p netip.Prefix, path *frrPath) Route {
	numbers := strings.NewReplacer("blackhole", "65535:666", "noExport", "65535:65281",
		"no-export", "65535:65281")
	r := Route{Prefix: p}
	for _, c := range append(path.Community.List, path.Large.List...) {
		r.Communities = append(r.Communities, numbers.Replace(c))
	}
	for _, hop := range path.NextHops {
		if hop.Scope != "link-local" {
			r.NextHop, _ = netip.ParseAddr(hop.IP)
		}
	}
	return r
}
