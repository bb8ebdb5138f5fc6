package router

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"weir/tools/lab"
)

// BIRD starts Debian's BIRD 2.
func BIRD(t testing.TB, n lab.Namespace, o Options) *Router {
	t.Helper()
	return start(t, n, &bird, o)
}

var bird = kind{
	name:     "bird",
	programs: []string{"bird", "birdc"},
	config: func(o *Options) string {
		return spaced(
			"router id 10.255.0.1;",
			"protocol device {}",
			"protocol bgp weir {",
			fmt.Sprintf("local %s as %d;", o.Local, o.AS),
			fmt.Sprintf("neighbor %s as %d;", o.Neighbour, o.RemoteAS),
			"strict bind on; connect delay time 1; connect retry time 1; error wait time 1, 2;",
			when(!o.Dial, "passive on;"),
			when(o.Password != "", fmt.Sprintf("password %q;", o.Password)),
			when(o.Restart > 0, fmt.Sprintf("graceful restart on; graceful restart time %d;",
				o.Restart)),
			when(o.Restart == 0, "graceful restart off;"),
			"ipv4 { gateway recursive; import all; export none; };",
			"ipv6 { gateway recursive; import all; export none; };",
			"}")
	},
	run: func(r *Router) []string {
		return []string{"bird", "-f", "-c", r.file("conf"), "-s", r.file("ctl")}
	},
	routes: func(r *Router) ([]Route, error) {
		out, err := r.ask("birdc", "-s", r.file("ctl"), "show route all protocol weir")
		if err != nil {
			return nil, err
		}
		return birdRoutes(string(out))
	},
}

// birdCommunity is one in BIRD's output: (65535,666) or (4200000001, 1, 666).
var birdCommunity = regexp.MustCompile(`\(([0-9, ]+)\)`)

func birdRoutes(text string) (all []Route, err error) {
	for line := range strings.Lines(text) {
		first, _, _ := strings.Cut(line, " ")
		if p, err := netip.ParsePrefix(first); err == nil {
			all = append(all, Route{Prefix: p})
			continue
		}
		key, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || len(all) == 0 {
			continue
		}
		r := &all[len(all)-1]
		switch key {
		case "BGP.next_hop":
			hop, _, _ := strings.Cut(value, " ")
			if r.NextHop, err = netip.ParseAddr(hop); err != nil {
				return nil, fmt.Errorf("next hop %q: %w", value, err)
			}
		case "BGP.community", "BGP.large_community":
			for _, m := range birdCommunity.FindAllStringSubmatch(value, -1) {
				text := strings.ReplaceAll(m[1], " ", "")
				r.Communities = append(r.Communities, strings.ReplaceAll(text, ",", ":"))
			}
		}
	}
	return all, nil
}
