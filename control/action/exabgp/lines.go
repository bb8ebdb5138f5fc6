package exabgp

import (
	"fmt"
	"runtime"
	"strings"

	"weir/control/ban"
	"weir/control/governor"
)

// route is what ExaBGP is told of a prefix.
type route struct{ announce, withdraw string }

// maxLine returns how long a line may be that reaches the reader whole or not at all, whoever
// else writes.
func maxLine() int {
	if runtime.GOOS == "linux" {
		return 4096
	}
	return 512
}

// lines returns what ExaBGP is told of a.
func lines(a *governor.Approved) route {
	what := fmt.Sprintf("route %s next-hop %s", a.Prefix(), a.NextHop())
	return route{
		announce: "announce " + what + communities(a.Communities()) + "\n",
		withdraw: "withdraw " + what + "\n",
	}
}

// communities returns the clauses of all: a single standard one as FastNetMon writes it, without
// brackets, and by number, which every version of ExaBGP reads.
func communities(all []ban.Community) string {
	var standard, large []string
	for _, c := range all {
		if c.Large {
			large = append(large, fmt.Sprintf("%d:%d:%d", c.A, c.B, c.C))
		} else {
			standard = append(standard, fmt.Sprintf("%d:%d", c.A, c.B))
		}
	}
	text := ""
	switch {
	case len(standard) == 1:
		text = " community " + standard[0]
	case len(standard) > 1:
		text = " community [ " + strings.Join(standard, " ") + " ]"
	}
	if len(large) > 0 {
		text += " large-community [ " + strings.Join(large, " ") + " ]"
	}
	return text
}
