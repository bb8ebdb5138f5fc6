package exabgp

import (
	"net/netip"
	"slices"
)

// farewells is how often a withdrawal is told.
const farewells = 3

// told is what the reader was told of all prefixes. A round is a time after which all that it
// was told is in doubt.
type told struct {
	round    uint64
	prefixes map[netip.Prefix]*news
}

// news is what the reader was told of a prefix last.
type news struct {
	route route
	round uint64
	left  int // withdrawals to tell after the prefix is no longer wanted
}

// step is a line that is due.
type step struct {
	prefix   netip.Prefix
	route    route
	withdraw bool
}

func (s *step) line() string {
	if s.withdraw {
		return s.route.withdraw
	}
	return s.route.announce
}

// due returns the lines between what was told and what is wanted: first those that withdraw,
// because routers bound how many routes they take.
func (t *told) due(want map[netip.Prefix]route) []step {
	var withdraw, announce []step
	for prefix, n := range t.prefixes {
		if _, wanted := want[prefix]; !wanted && (n.left == farewells || n.round != t.round) {
			withdraw = append(withdraw, step{prefix, n.route, true})
		}
	}
	for prefix, r := range want {
		n := t.prefixes[prefix]
		if n == nil || n.route != r || n.round != t.round || n.left < farewells {
			announce = append(announce, step{prefix, r, false})
		}
	}
	inOrder := func(a, b step) int { return a.prefix.Compare(b.prefix) }
	slices.SortFunc(withdraw, inOrder)
	slices.SortFunc(announce, inOrder)
	return append(withdraw, announce...)
}

// note notes that s was told.
func (t *told) note(s *step) {
	if !s.withdraw {
		t.prefixes[s.prefix] = &news{s.route, t.round, farewells}
		return
	}
	n := t.prefixes[s.prefix]
	n.left--
	n.round = t.round
	if n.left == 0 {
		delete(t.prefixes, s.prefix)
	}
}

// suspect notes that the reader may have been told of a prefix, by somebody else.
func (t *told) suspect(prefix netip.Prefix, r route) {
	if t.prefixes[prefix] == nil {
		t.prefixes[prefix] = &news{r, t.round, farewells}
	}
}

// standing returns the routes that stand by what was told.
func (t *told) standing() map[netip.Prefix]bool {
	out := map[netip.Prefix]bool{}
	for prefix, n := range t.prefixes {
		if n.left == farewells && n.route.announce != "" {
			out[prefix] = true
		}
	}
	return out
}
