package fastpath

import (
	"fmt"
	"math/bits"
	"net/netip"
	"sync"
	"sync/atomic"

	"weir/counters/prefix"
	"weir/decode"
)

// ExportRules say which exporters are heard, and what is known of them. They are immutable.
type ExportRules struct {
	allowed *prefix.Table // nil: everybody
	rates   *prefix.Table // value: index in values plus 1
	values  []uint32
	unknown uint32 // N where the exporter never tells
}

// ExporterRate overrides the sampling rate of exporters.
type ExporterRate struct {
	Prefix netip.Prefix
	Rate   uint32 // N of 1:N
}

// NewExportRules compiles rules. allowed are the exporters that are heard, by the address of the
// socket; none is everybody. unknown is N where neither rates nor the exporter tells; 0 is 1.
func NewExportRules(
	allowed []netip.Prefix, rates []ExporterRate, unknown uint32,
) (*ExportRules, error) {
	r := &ExportRules{unknown: max(1, unknown)}
	table := func(n int, of func(int) netip.Prefix) (*prefix.Table, error) {
		if n == 0 {
			return nil, nil
		}
		entries := make([]prefix.Entry, n)
		for i := range entries {
			entries[i] = prefix.Entry{Prefix: of(i), Value: prefix.Value(i + 1)}
		}
		return prefix.New(entries)
	}
	var err error
	if r.allowed, err = table(len(allowed), func(i int) netip.Prefix {
		return allowed[i]
	}); err != nil {
		return nil, fmt.Errorf("exporters allowed: %w", err)
	}
	if r.rates, err = table(len(rates), func(i int) netip.Prefix {
		r.values = append(r.values, rates[i].Rate)
		return rates[i].Prefix
	}); err != nil {
		return nil, fmt.Errorf("sampling rates of exporters: %w", err)
	}
	return r, nil
}

// hears reports whether a datagram from a is to be read.
func (r *ExportRules) hears(a decode.Addr) bool {
	return r.allowed == nil || r.allowed.Lookup(a.Hi, a.Lo) != 0
}

// rate returns the override of a's sampling rate; 0: there is none.
func (r *ExportRules) rate(a decode.Addr) uint32 {
	if r.rates == nil {
		return 0
	}
	if v := r.rates.Lookup(a.Hi, a.Lo); v != 0 {
		return r.values[v-1]
	}
	return 0
}

// Buckets of an exporter's histograms of milliseconds: bucket i counts values below 2^i.
const timeBuckets = 28

// Exporter is what is known of one exporter. Workers add, others read; every field is atomic.
type Exporter struct {
	Addr decode.Addr

	Datagrams, Records, Options, Templates, CounterSamples, Discarded,
	Lost, Late, Restarts, NoTemplate, Skipped, Faults atomic.Uint64
	Last  atomic.Int64  // time of the last datagram, nanoseconds since 1970 UTC
	Skew  atomic.Int64  // receipt minus the exporter's clock, ns, the least of late; 0: not told
	Rate  atomic.Uint32 // N of 1:N; 0 before any record
	Proto atomic.Uint32 // decode.FlowProto of the last datagram
	From  atomic.Uint32 // decode.RateSource of Rate

	durations [timeBuckets]atomic.Uint32 // of flows, of one record a datagram
	ages      [timeBuckets]atomic.Uint32 // from a flow's first packet to its export
}

// Duration returns the median duration of flows in milliseconds, and the time from first packet to
// export that 19 of 20 flows keep: the delay that the exporter adds to detection. Both are upper
// ends of buckets that double. False: nothing is known.
func (x *Exporter) Duration() (median, delay int64, ok bool) {
	median, ok = quantile(&x.durations, 0.5)
	if !ok {
		return 0, 0, false
	}
	delay, _ = quantile(&x.ages, 0.95)
	return median, delay, true
}

func quantile(h *[timeBuckets]atomic.Uint32, q float64) (ms int64, ok bool) {
	var all, sum uint64
	for i := range h {
		all += uint64(h[i].Load())
	}
	if all == 0 {
		return 0, false
	}
	for i := range h {
		if sum += uint64(h[i].Load()); float64(sum) >= q*float64(all) {
			return 1<<i - 1, true
		}
	}
	return 1<<timeBuckets - 1, true
}

// Exporters keeps a bounded number of exporters. Finding one takes no lock; a new one does, which
// is rare: who does not stay gets no place from those who do.
type Exporters struct {
	Unlisted atomic.Uint64 // datagrams of exporters that found no place

	mu    sync.Mutex
	count int
	most  int
	seed  uint64
	table []atomic.Pointer[Exporter] // open addressing
}

// Exporters that have not been heard for so long give their place to others when it is needed, ns.
const exporterIdle = int64(600e9)

// NewExporters returns room for so many exporters.
func NewExporters(most int, seed uint64) *Exporters {
	size := 1 << bits.Len(uint(4*most-1))
	return &Exporters{most: most, seed: seed, table: make([]atomic.Pointer[Exporter], size)}
}

func (e *Exporters) home(a decode.Addr) int {
	hi, lo := bits.Mul64(a.Hi^e.seed, a.Lo^0xe7037ed1a0b428db)
	return int((hi ^ lo) & uint64(len(e.table)-1))
}

// find returns the exporter with address a, listed now if there is room; nil when there is none.
func (e *Exporters) find(a decode.Addr, now int64) *Exporter {
	for i := e.home(a); ; i = (i + 1) & (len(e.table) - 1) {
		x := e.table[i].Load()
		if x == nil {
			return e.list(a, now)
		}
		if x.Addr == a {
			return x
		}
	}
}

func (e *Exporters) list(a decode.Addr, now int64) *Exporter {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := e.home(a)
	for ; e.table[at].Load() != nil; at = (at + 1) & (len(e.table) - 1) {
		if x := e.table[at].Load(); x.Addr == a {
			return x
		}
	}
	if e.count == e.most {
		return nil
	}
	x := &Exporter{Addr: a}
	x.Last.Store(now)
	e.table[at].Store(x)
	e.count++
	return x
}

// Forget makes room when three quarters of it are taken: exporters that were not heard for ten
// minutes go, and those of whom nothing but faults came. Workers never wait for it. Control calls
// it now and then.
func (e *Exporters) Forget(now int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.count < e.most*3/4 {
		return
	}
	var kept []*Exporter
	for i := range e.table {
		x := e.table[i].Load()
		if x == nil {
			continue
		}
		quiet := now - x.Last.Load()
		if quiet < exporterIdle && (x.Records.Load() > 0 || quiet < exporterIdle/10) {
			kept = append(kept, x)
		}
	}
	if len(kept) == e.count {
		return
	}
	// A reader that looks meanwhile may miss an exporter, and then waits for the lock in list.
	for i := range e.table {
		e.table[i].Store(nil)
	}
	e.count = len(kept)
	for _, x := range kept {
		at := e.home(x.Addr)
		for ; e.table[at].Load() != nil; at = (at + 1) & (len(e.table) - 1) {
		}
		e.table[at].Store(x)
	}
}

// All returns the exporters, in no order.
func (e *Exporters) All() (all []*Exporter) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range e.table {
		if x := e.table[i].Load(); x != nil {
			all = append(all, x)
		}
	}
	return all
}

// skewShare is how fast the skew follows a clock that runs ahead of ours: by a 64th of the
// difference with each datagram.
const skewShare = 64

// note adds what became of one datagram; sample is one of its records, nil when it had none.
func (x *Exporter) note(d *decode.Datagram, sample *decode.Record, now int64) {
	x.Last.Store(now)
	x.Proto.Store(uint32(d.Proto))
	x.Datagrams.Add(1)
	add := func(to *atomic.Uint64, n uint32) {
		if n > 0 {
			to.Add(uint64(n))
		}
	}
	add(&x.Records, d.Records)
	add(&x.Options, d.Options)
	add(&x.Templates, d.Templates)
	add(&x.CounterSamples, d.CounterSamples)
	add(&x.Discarded, d.Discarded)
	add(&x.Lost, d.Lost)
	add(&x.NoTemplate, d.Skipped[decode.NoTemplate])
	if d.Late {
		x.Late.Add(1)
	}
	if d.Restart {
		x.Restarts.Add(1)
	}
	for s, n := range d.Skipped {
		if decode.Skip(s) != decode.NoTemplate {
			add(&x.Skipped, n)
		}
	}
	for _, n := range d.Faults {
		add(&x.Faults, n)
	}
	if d.Rate != 0 {
		x.Rate.Store(d.Rate)
		x.From.Store(uint32(d.Learned))
	}
	if d.Exported != 0 {
		x.follow(now - d.Exported)
	}
	if sample != nil && sample.Flow.End != 0 {
		x.durations[bucket(sample.Flow.End-sample.Flow.Start)].Add(1)
		if d.Exported != 0 {
			x.ages[bucket(d.Exported-sample.Flow.Start)].Add(1)
		}
	}
}

// follow keeps the least skew of late: the network only ever adds to it.
func (x *Exporter) follow(skew int64) {
	old := x.Skew.Load()
	if old != 0 && skew > old {
		skew = old + (skew-old)/skewShare
	}
	x.Skew.Store(skew)
}

func bucket(ns int64) int {
	return min(bits.Len64(uint64(max(0, ns)/1e6)), timeBuckets-1)
}
