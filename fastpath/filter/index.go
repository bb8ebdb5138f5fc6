package filter

import (
	"math/bits"

	"weir/decode"
)

// kind is what rules are found by. A rule is listed by one of its fields, the one that rules out
// most records.
type kind uint8

const (
	byDestination kind = iota
	bySource
	byAgent
	byNextHop
	byNumber // of a field: key.bits says which
	byProtocol
	byNothing
)

// maxListed is the number of values up to which a rule is listed by each of them.
const maxListed = 16

// key is a value that rules are listed by.
type key struct {
	hi, lo uint64
	kind   kind
	bits   uint8 // of a prefix; or a field
}

// hash spreads keys. Whoever sends traffic chooses what is asked for, but not what is listed: the
// longest search is that of the longest run in a table that is a quarter full.
func (k key) hash() uint64 {
	h := (k.hi ^ uint64(k.kind)<<56 ^ uint64(k.bits)<<48) * 0x9e3779b97f4a7c15
	h ^= bits.RotateLeft64(h, 32) ^ k.lo
	h *= 0xd6e8feb86659fd93
	h ^= h >> 32
	h *= 0x9e3779b97f4a7c15
	return h ^ h>>29
}

// probe is a look-up that every record takes: one for each kind, length of prefixes and field.
type probe struct {
	kind   kind
	bits   uint8
	hi, lo uint64 // mask
}

// key returns what a record is looked up by, and false if it cannot be.
func (p *probe) key(r *decode.Record, exporter decode.Addr) (k key, ok bool) {
	k.kind, k.bits = p.kind, p.bits
	switch p.kind {
	case byDestination:
		k.hi, k.lo = r.Dst.Hi&p.hi, r.Dst.Lo&p.lo
	case bySource:
		k.hi, k.lo = r.Src.Hi&p.hi, r.Src.Lo&p.lo
	case byAgent:
		k.hi, k.lo = exporter.Hi, exporter.Lo
	case byNextHop:
		k.hi, k.lo = r.Flow.NextHop.Hi, r.Flow.NextHop.Lo
	case byNumber:
		n, ok := number(field(p.bits), r)
		k.lo = uint64(n)
		return k, ok
	case byProtocol:
		k.lo = uint64(r.Proto)
	}
	return k, true
}

// index finds the rules that may match a record. It is an open-addressing table.
type index struct {
	probes  []probe
	entries []entry // a power of two
}

// entry lists rules in ascending order; without any it is free.
type entry struct {
	key   key
	rules []uint16
}

// find returns the rules that are listed by k.
func (x *index) find(k key) []uint16 {
	mask := uint64(len(x.entries) - 1)
	for at := k.hash() & mask; ; at = (at + 1) & mask {
		e := &x.entries[at]
		if e.rules == nil || e.key == k {
			return e.rules
		}
	}
}

// newIndex lists each rule by its best field.
func newIndex(rules []rule) index {
	lists := map[key][]uint16{}
	var order []key // so that the same rules make the same table
	for n := range rules {
		for _, k := range rules[n].keys() {
			if lists[k] == nil {
				order = append(order, k)
			}
			lists[k] = append(lists[k], uint16(n))
		}
	}
	var x index
	x.entries = make([]entry, 1<<bits.Len(uint(4*len(order))))
	mask := uint64(len(x.entries) - 1)
	for _, k := range order {
		x.addProbe(k)
		at := k.hash() & mask
		for x.entries[at].rules != nil {
			at = (at + 1) & mask
		}
		x.entries[at] = entry{k, lists[k]}
	}
	return x
}

// addProbe has records looked up in the way that finds k.
func (x *index) addProbe(k key) {
	for i := range x.probes {
		if p := &x.probes[i]; p.kind == k.kind && p.bits == k.bits {
			return
		}
	}
	p := probe{kind: k.kind, bits: k.bits}
	p.hi, p.lo = masks(k.bits)
	x.probes = append(x.probes, p)
}

// keys returns what a rule is listed by: the values of its best field.
func (r *rule) keys() (keys []key) {
	for k := byDestination; k < byNothing; k++ {
		if keys = r.keysBy(k); keys != nil {
			return keys
		}
	}
	return []key{{kind: byNothing}}
}

// keysBy returns the values by which a rule can be listed as k says, or nil.
func (r *rule) keysBy(k kind) (keys []key) {
	switch k {
	case byDestination:
		return r.destination.keys(k)
	case bySource:
		return r.source.keys(k)
	case byAgent:
		return addrKeys(k, r.agents)
	case byNextHop:
		return addrKeys(k, r.nextHops)
	case byNumber:
		for f := range numFields {
			if keys = spanKeys(f, r.sets[f]); keys != nil && f != vlan { // a record has several
				return keys
			}
		}
		return nil
	case byProtocol:
		if !r.hasProtocol {
			return nil
		}
		for n := range 256 {
			if r.protocol[n/64]&(1<<(n%64)) != 0 {
				keys = append(keys, key{kind: k, lo: uint64(n)})
			}
		}
	}
	return keys
}

// keys returns nil for a prefix that is not given, or says little.
func (p *prefix) keys(k kind) []key {
	const little = 3 // bits
	if !p.given || p.version == 4 && p.bits < 96+little || p.bits < little {
		return nil
	}
	return []key{{hi: p.addr.Hi, lo: p.addr.Lo, kind: k, bits: p.bits}}
}

// spanKeys returns all numbers of a set, or nil if there are too many.
func spanKeys(f field, set []span) (keys []key) {
	for _, s := range set {
		if uint64(s.last)-uint64(s.first)+uint64(len(keys)) >= maxListed {
			return nil
		}
		for n := uint64(s.first); n <= uint64(s.last); n++ {
			keys = append(keys, key{kind: byNumber, bits: uint8(f), lo: n})
		}
	}
	return keys
}

// addrKeys returns a set's addresses, or nil if there are too many.
func addrKeys(k kind, set []decode.Addr) (keys []key) {
	if len(set) > maxListed {
		return nil
	}
	for _, a := range set {
		keys = append(keys, key{hi: a.Hi, lo: a.Lo, kind: k})
	}
	return keys
}
