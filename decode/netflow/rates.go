package netflow

import (
	"sync/atomic"

	"weir/decode"
)

// A scope is what a sampling rate is told for.
type scope uint8

const (
	perSampler scope = iota + 1
	perSelector
	perInterface
)

// rates are the sampling rates that options data told for a domain. Written under the Cache's
// mutex, read by anyone.
type rates struct {
	whole      atomic.Uint32 // N for all of the domain; 0: never told
	last       atomic.Uint32 // N of the sampler or selector told last; 0: none
	interfaces atomic.Bool   // table has some
	boot       atomic.Int64  // the exporter's start, ns since 1970; 0: never told
	table      atomic.Pointer[rateTable]
}

// rateTable is a hash table, open-addressed, of a power of two entries, at most half of which are
// taken. An entry is never taken back, and its key never changes once its value is not 0.
type rateTable struct {
	entries []rateEntry
	used    int // under the Cache's mutex
}

type rateEntry struct {
	key   atomic.Uint64 // the sampler, selector or interface
	value atomic.Uint64 // scope in the upper half, N in the lower; 0: free
}

const (
	minRates = 8
	maxRates = 8192 // entries of one domain
)

// mix spreads a key over 64 bits (the finaliser of MurmurHash3).
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// find returns N for key in scope s, or 0.
func (t *rateTable) find(seed, key uint64, s scope) uint32 {
	if t == nil {
		return 0
	}
	mask := uint64(len(t.entries) - 1)
	for i := mix(key^seed) & mask; ; i = (i + 1) & mask {
		v := t.entries[i].value.Load()
		if v == 0 {
			return 0
		}
		if scope(v>>32) == s && t.entries[i].key.Load() == key {
			return uint32(v)
		}
	}
}

// set stores one rate; full is returned where it would take more than room bytes more.
func (r *rates) set(seed uint64, add rate, room int64) (changed, full bool) {
	t := r.table.Load()
	switch {
	case t == nil:
		if minRates*costRate > room {
			return false, true
		}
		t = &rateTable{entries: make([]rateEntry, minRates)}
	case 2*(t.used+1) > len(t.entries) && t.find(seed, add.key, add.scope) == 0:
		if len(t.entries) == maxRates || int64(len(t.entries))*costRate > room {
			return false, true
		}
		t = t.grown(seed)
	}
	if add.scope == perInterface {
		r.interfaces.Store(true)
	}
	changed = t.put(seed, add.key, add.scope, add.n)
	r.table.Store(t)
	return changed, false
}

func (t *rateTable) put(seed, key uint64, s scope, n uint32) (changed bool) {
	mask := uint64(len(t.entries) - 1)
	value := uint64(s)<<32 | uint64(n)
	for i := mix(key^seed) & mask; ; i = (i + 1) & mask {
		e := &t.entries[i]
		v := e.value.Load()
		if v == 0 {
			e.key.Store(key)
			t.used++
		} else if scope(v>>32) != s || e.key.Load() != key {
			continue
		}
		e.value.Store(value)
		return v != value
	}
}

func (t *rateTable) grown(seed uint64) *rateTable {
	n := &rateTable{entries: make([]rateEntry, 2*len(t.entries))}
	for i := range t.entries {
		if v := t.entries[i].value.Load(); v != 0 {
			n.put(seed, t.entries[i].key.Load(), scope(v>>32), uint32(v))
		}
	}
	return n
}

// told reports whether options data ever gave a rate.
func (r *rates) told() bool {
	return r.whole.Load() != 0 || r.table.Load() != nil
}

// rateKey is what a record says that its sampling rate may depend on.
type rateKey struct {
	sampler       uint64
	first, second uint32 // interfaces: where the record was made, and the other; 0: none
	named         bool   // the record has a sampler or selector
	scope         scope
}

// exact returns N of the interface or sampler that a record names, and which of them it is; 0 where
// r has neither.
func (r *rates) exact(seed uint64, k *rateKey) (uint32, decode.RateSource) {
	t := r.table.Load()
	if t == nil {
		return 0, decode.RateUnknown
	}
	for _, i := range [2]uint32{k.first, k.second} {
		if i == 0 {
			continue
		}
		if n := t.find(seed, uint64(i), perInterface); n != 0 {
			return n, decode.RateInterface
		}
	}
	if k.named {
		if n := t.find(seed, k.sampler, k.scope); n != 0 {
			return n, decode.RateSampler
		}
	}
	return 0, decode.RateUnknown
}

// sampler returns N of the sampler or selector that a record names, as any domain of protocol p
// was told it, the least ID first: devices tell in domain 0 what the data of the others refer to.
// Sampler 0 is another in each.
func (e *exporter) sampler(seed uint64, k *rateKey, p decode.FlowProto) uint32 {
	if !k.named || k.sampler == 0 || !e.samplers.Load() {
		return 0
	}
	for _, d := range *e.domains.Load() {
		if d.key>>32 != uint64(p) {
			continue
		}
		if n := d.rates.table.Load().find(seed, k.sampler, k.scope); n != 0 {
			return n
		}
	}
	return 0
}

// general returns N of a record that names nothing known, and where it was told; 0 where it never
// was.
func (r *rates) general(k *rateKey) (uint32, decode.RateSource) {
	if n := r.whole.Load(); n != 0 {
		return n, decode.RateOptions
	}
	// Sampler 0 is none, where others have a number: a flow that was not sampled.
	if n := r.last.Load(); n != 0 && (!k.named || k.sampler != 0) {
		return n, decode.RateOptions
	}
	return 0, decode.RateUnknown
}
