package config

import (
	"cmp"
	"net/netip"
	"slices"
)

// prefixSet is a set of addresses, as prefixes in their order with none inside another.
type prefixSet []netip.Prefix

// newPrefixSet returns the addresses of all prefixes that are valid.
func newPrefixSet(prefixes []netip.Prefix) prefixSet {
	var set prefixSet
	for _, i := range inOrder(prefixes) {
		p := prefixes[i]
		if len(set) == 0 || !set[len(set)-1].Contains(p.Addr()) {
			set = append(set, p)
		}
	}
	return set
}

// overlaps reports whether p shares an address with the set.
func (s prefixSet) overlaps(p netip.Prefix) bool {
	i, _ := slices.BinarySearchFunc(s, p.Addr(), func(q netip.Prefix, a netip.Addr) int {
		return q.Addr().Compare(a)
	})
	return i < len(s) && s[i].Overlaps(p) || i > 0 && s[i-1].Overlaps(p)
}

// inOrder returns the indices of the valid prefixes in the order of their first addresses, of
// equal ones the shortest first.
func inOrder(prefixes []netip.Prefix) []int {
	var order []int
	for i, p := range prefixes {
		if p.IsValid() {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := prefixes[i], prefixes[j]
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	return order
}

// nested calls found for each prefix that lies inside another, longer one and its outermost.
func nested(prefixes []netip.Prefix, found func(i, outer int)) {
	outer := -1
	for _, i := range inOrder(prefixes) {
		switch {
		case outer < 0 || !prefixes[outer].Contains(prefixes[i].Addr()):
			outer = i
		case prefixes[outer] != prefixes[i]:
			found(i, outer)
		}
	}
}
