package fastpath

import (
	"sync/atomic"

	"weir/counters"
	"weir/counters/prefix"
	"weir/decode"
	"weir/ring"
)

// Sides are the directions that a source mirrors: packets count for no other side of their hosts.
type Sides uint8

// A tap that carries both directions is BothSides; one per direction of a link OnlyIncoming and
// OnlyOutgoing.
const (
	BothSides Sides = iota
	OnlyIncoming
	OnlyOutgoing
)

// masks returns what the lookups of destination and source are masked with.
func (s Sides) masks() (dst, src prefix.Value) {
	dst, src = ^prefix.Value(0), ^prefix.Value(0)
	switch s {
	case OnlyIncoming:
		src = 0
	case OnlyOutgoing:
		dst = 0
	}
	return dst, src
}

// Config is what a Worker is made of.
type Config struct {
	Number   int // shown in samples
	Source   ring.Source
	Sampling uint32 // N of the source's 1:N; 0 is 1
	Sides    Sides
	Seed     uint64 // of hashes and of random sampling
	First    Epoch
}

// Worker counts the frames that one Source receives.
type Worker struct {
	base
	sampling uint32
	dstMask  prefix.Value
	srcMask  prefix.Value
	baseline int // frames until the next baseline sample

	hash    uint32 // of the record at hand
	made    int    // ops of the burst so far
	listed  int    // of those, in unknown
	records [ring.BurstSize]decode.Record
	ops     [maxOps]counters.Op
	unknown [maxOps]counters.Sought
	expired [maxOps]uint8
}

// maxOps is the most counts that a burst makes: all frames internal.
const maxOps = 2 * ring.BurstSize

// NewWorker returns a worker that is ready for Step.
func NewWorker(c Config) *Worker {
	w := &Worker{sampling: max(1, c.Sampling), baseline: baselineGap}
	w.base.init(&c, baselineGap)
	w.dstMask, w.srcMask = c.Sides.masks()
	for i := range w.records {
		w.records[i].Packets, w.records[i].Sampling = 1, w.sampling
	}
	return w
}

// Run calls Step until the source ends, an error comes, or stop is set.
func (w *Worker) Run(stop *atomic.Bool) error { return run(w.Step, stop) }

// Step takes one burst from the source and counts it, then moves to the wanted epoch if there is a
// new one. It returns the number of frames and the source's error.
func (w *Worker) Step() (int, error) {
	n, err := w.poll()
	if n > 0 {
		w.burst()
		w.source.Release(&w.batch)
	}
	w.move()
	return n, err
}

// stride is the number of frames after which the lines of what was read are asked for: early
// enough for the first to arrive while the others are read.
const stride = 16

// burst counts the frames of the batch, a stride after the other through the stages: read, find
// the host in the directory, ask for the slot, for the flow bitmap, count. Between two stages of a
// stride come others' of its neighbours, so that cache misses overlap with work and with one
// another.
func (w *Worker) burst() {
	n := min(w.batch.N, ring.BurstSize)
	t := w.epoch.Table
	w.made, w.listed = 0, 0
	found := 0                       // of unknown
	slots, flows, counted := 0, 0, 0 // ops that these stages are done with
	expired := w.expired[:0]
	for at := 0; at < n || counted < w.made; at += stride {
		placed, sought := w.made, w.listed
		if at < n {
			w.batch.Prefetch(at+ring.Ahead, at+ring.Ahead+stride)
			w.read(at, min(at+stride, n))
		}
		if w.dir == nil {
			placed = w.made
		} else {
			w.dir.Prefetch(w.unknown[sought:w.listed])
			w.list(w.unknown[found:sought])
			found = sought
		}
		t.Prefetch(w.ops[slots:placed])
		t.PrefetchBitmaps(w.ops[flows:slots])
		expired = t.Count(w.ops[:flows], counted, expired)
		counted, flows, slots = flows, slots, placed
	}
	for _, i := range expired {
		w.expire(w.ops[i:w.made])
	}
	if w.baseline -= n; w.baseline < 0 {
		w.sampleBaseline(n)
	}
}

// read decodes frames from up to to, and appends the counts to be made to ops; those of hosts that
// may be in the directory are noted in unknown.
func (w *Worker) read(from, to int) {
	policy, stats := w.epoch.Policy, &w.epoch.Table.Stats
	var bytes, processed uint64
	for i := from; i < to; i++ {
		f := &w.batch.Frames[i&(ring.BurstSize-1)]
		bytes += uint64(f.Wire)
		if w.shed.mask != 0 && w.rand()&w.shed.mask != 0 {
			stats.Shed++
			continue
		}
		r := &w.records[i&(ring.BurstSize-1)]
		status := policy.decoder.Decode(r, decode.Link(f.Link), w.batch.Data(i), f.Wire)
		if status != decode.OK || r.Version == 0 {
			if r.Version == 0 {
				stats.Dropped[dropReason(status)]++
				continue
			}
			stats.Damaged[status]++
		}
		processed++
		var dst, src prefix.Value
		if !policy.lookup.Foreign(r.Dst.Hi, r.Dst.Lo) {
			dst = policy.lookup.Lookup(r.Dst.Hi, r.Dst.Lo) & w.dstMask
		}
		if !policy.lookup.Foreign(r.Src.Hi, r.Src.Lo) {
			src = policy.lookup.Lookup(r.Src.Hi, r.Src.Lo) & w.srcMask
		}
		if dst|src == 0 {
			stats.Foreign++
			continue
		}
		if policy.filter.Rules != nil && policy.filter.Rules.Match(r, decode.Addr{}) >= 0 {
			stats.Ignored++
			continue
		}
		w.hash = flowHash(r, w.seed)
		if dst != 0 {
			w.place(uint8(i), r, &policy.places[dst-1], r.Dst, 0)
		}
		if src != 0 {
			w.place(uint8(i), r, &policy.places[src-1], r.Src, 1)
			if dst != 0 {
				stats.Internal++
			}
		}
	}
	stats.Bytes += bytes
	stats.Processed += processed
}

// dropReason names a frame without addresses: an encapsulation that stays closed is no IP to us.
func dropReason(s decode.Status) decode.Status {
	if s == decode.OK {
		return decode.NotIP
	}
	return s
}

// place appends the op for the side of r that has address a: side 0 is incoming, 1 outgoing.
func (w *Worker) place(frame uint8, r *decode.Record, pl *place, a decode.Addr, side uint32) {
	op := &w.ops[w.made&(maxOps-1)]
	op.Line = counters.Line(pl.slot(a.Hi, a.Lo) + side)
	op.Hash = w.hash
	op.Bytes = uint32(r.Bytes)
	op.Group = pl.group
	op.Class = classes[r.Proto]
	op.Mark = mark(r)
	op.Frame = frame
	if !pl.direct {
		key := counters.Key(a)
		w.unknown[w.listed&(maxOps-1)] = w.dir.Seek(key, uint8(w.made))
		w.listed++
	}
	w.made++
}

// list gives ops to hosts of the directory their slots. Hosts that are not listed stay with their
// aggregate, without a flow estimate.
func (w *Worker) list(unknown []counters.Sought) {
	t, epoch := w.epoch.Table, uint32(w.epoch.Seq)
	shares, dir := w.epoch.Policy.shares, w.dir
	for i := range unknown {
		u := &unknown[i]
		op := &w.ops[u.Op&(maxOps-1)]
		side := op.Side()
		entry, ok := dir.Find(u.Key, u.Hash)
		if ok {
			dir.Use(entry, epoch)
		} else {
			need := shares[op.Group][side].admit
			var full bool
			if entry, ok, full = dir.Admit(u.Key, u.Hash, need, epoch); !ok {
				op.Mark |= counters.MarkNoFlow
				t.Stats.NotListed(full)
				continue
			}
		}
		op.Line = counters.Line(t.Layout.DirBase + 2*entry + side)
	}
}
