package fastpath

import (
	"encoding/binary"
	"math"
	"math/bits"
	"sync/atomic"

	"weir/counters"
	"weir/counters/prefix"
	"weir/decode"
	"weir/decode/netflow"
	"weir/decode/sflow"
	"weir/ring"
)

// FlowConfig is what a FlowWorker is made of: its source is one of datagrams.
type FlowConfig struct {
	Config
	Cache     *netflow.Cache // templates and sampling state, shared by all workers
	Exporters *Exporters     // shared by all workers
	Links     *Interfaces    // the same; nil: nobody looks at them
	Rules     *ExportRules
	Inner     *decode.Decoder // of sampled packets' headers
}

// FlowWorker counts the records in the export datagrams that one Source receives.
type FlowWorker struct {
	base
	exporters *Exporters
	links     *Interfaces
	rules     *ExportRules
	netflow   *netflow.Decoder
	sflow     *sflow.Decoder
	arrival   decode.Arrival
	made      int  // ops so far
	filled    int  // records so far
	turn      uint // which record of a datagram tells how long flows take
	baseline  int  // records until the next baseline sample
	script    script

	records [ring.BurstSize]decode.Record
	ops     [maxOps]counters.FlowOp
	from    [ring.BurstSize]decode.FlowProto // of records
	agents  [ring.BurstSize]decode.Addr      // exporters of records
	sent    [ring.BurstSize]int64            // when, by the exporter's clock; 0: not told
}

// NewFlowWorker returns a worker that is ready for Step.
func NewFlowWorker(c *FlowConfig) *FlowWorker {
	w := &FlowWorker{
		exporters: c.Exporters, links: c.Links, rules: c.Rules,
		netflow: netflow.NewDecoder(c.Cache, netflow.All, c.Inner),
		sflow:   sflow.NewDecoder(sflow.Filtered, c.Inner),
	}
	if w.links == nil {
		w.links = NewInterfaces(0)
	}
	w.base.init(&c.Config, everyRecord)
	w.script.follow(w.epoch.Policy)
	w.arrival.Default, w.baseline = c.Rules.unknown, everyRecord
	return w
}

// Run calls Step until the source ends, an error comes, or stop is set.
func (w *FlowWorker) Run(stop *atomic.Bool) error { return run(w.Step, stop) }

// Step takes one burst from the source and counts it, then moves to the wanted epoch if there is a
// new one. It returns the number of datagrams and the source's error.
func (w *FlowWorker) Step() (int, error) {
	n, err := w.poll()
	if n > 0 {
		w.script.burst(w.batch.Now)
		for i := range n {
			w.datagram(i)
		}
		w.count()
		w.source.Release(&w.batch)
	}
	w.move()
	w.script.follow(w.epoch.Policy)
	return n, err
}

// datagram reads one datagram; its records wait to be counted, or are counted meanwhile.
func (w *FlowWorker) datagram(i int) {
	stats := &w.epoch.Table.Stats
	frame := w.batch.Data(i)
	if len(frame) < ring.SenderLen {
		stats.Exports.Invalid++
		return
	}
	stats.Bytes += uint64(len(frame) - ring.SenderLen)
	if w.shed.mask != 0 && w.rand()&w.shed.mask != 0 {
		stats.Shed++
		return
	}
	a := &w.arrival
	a.Source.Hi, a.Source.Lo, a.Port = ring.Sender(frame)
	if !w.rules.hears(a.Source) {
		stats.Exports.Denied++
		return
	}
	a.Payload = frame[ring.SenderLen:]
	a.Time = w.batch.Frames[i&(ring.BurstSize-1)].Time
	a.Sampling = w.rules.rate(a.Source)
	switch kindOf(a.Payload) {
	case kindNetFlow:
		w.netflow.Begin(a)
		first, n := w.filled, 0
		for {
			if w.filled == len(w.records) {
				w.count()
				first = 0
			}
			if n = w.netflow.Next(w.records[w.filled:]); n == 0 {
				break
			}
			w.fill(n, w.netflow.Datagram())
		}
		w.close(w.netflow.Datagram(), first)
	case kindSFlow:
		w.sflow.Begin(a)
		if n := w.rules.rate(w.sflow.Datagram().Exporter); n != 0 { // the agent behind the sender
			w.sflow.Override(n)
		}
		first, n := w.filled, 0
		for {
			if w.filled == len(w.records) {
				w.count()
				first = 0
			}
			if n = w.sflow.Next(w.records[w.filled:]); n == 0 {
				break
			}
			w.fill(n, w.sflow.Datagram())
		}
		w.close(w.sflow.Datagram(), first)
		if links := w.sflow.Interfaces(); len(links) > 0 {
			w.links.note(w.sflow.Datagram().Exporter, links, a.Time)
		}
	default:
		stats.Exports.Invalid++
	}
}

// The protocols by their first bytes: NetFlow and IPFIX have a version of 16 bits, sFlow one of 32.
const (
	kindNone = iota
	kindNetFlow
	kindSFlow
)

func kindOf(b []byte) int {
	if len(b) < 4 {
		return kindNone
	}
	switch v := binary.BigEndian.Uint32(b); {
	case v == 2 || v == 4 || v == 5:
		return kindSFlow
	case v>>16 == 5 || v>>16 == 9 || v>>16 == 10:
		return kindNetFlow
	}
	return kindNone
}

// fill notes that the decoder has filled n records more.
func (w *FlowWorker) fill(n int, d *decode.Datagram) {
	for i := w.filled; i < w.filled+n; i++ {
		w.from[i], w.agents[i], w.sent[i] = d.Proto, d.Exporter, d.Exported
	}
	w.filled += n
}

// close accounts for a datagram, whose records from first on have not been counted yet.
func (w *FlowWorker) close(d *decode.Datagram, first int) {
	x := &w.epoch.Table.Stats.Exports
	if !d.Valid {
		x.Invalid++
		x.Faults[decode.ShortDatagram] += uint64(d.Faults[decode.ShortDatagram])
		return
	}
	w.epoch.Table.Stats.Processed++
	for s, n := range d.Skipped {
		x.Skipped[s] += uint64(n)
	}
	for f, n := range d.Faults {
		x.Faults[f] += uint64(n)
	}
	e := w.exporters.find(d.Exporter, w.arrival.Time)
	if e == nil {
		w.exporters.Unlisted.Add(1)
		return
	}
	var sample *decode.Record
	if n := w.filled - first; n > 0 {
		w.turn++
		sample = &w.records[first+int(w.turn%uint(n))]
	}
	e.note(d, sample, w.arrival.Time)
}

// count counts the records that are waiting, a stride after the other through the stages, as
// Worker.burst does.
func (w *FlowWorker) count() {
	t := w.epoch.Table
	w.made = 0
	slots, counted := 0, 0 // ops that these stages are done with
	for at := 0; at < w.filled || counted < w.made; at += stride {
		placed := w.made
		w.read(at, min(at+stride, w.filled))
		t.PrefetchFlowIndex(w.ops[placed:w.made])
		t.PrefetchFlowSlots(w.ops[slots:placed])
		t.CountFlows(w.ops[counted:slots], w.batch.Now)
		counted, slots = slots, placed
	}
	w.prove(w.ops[:w.made])
	w.filled = 0
}

// read appends the counts to be made of records from up to to.
func (w *FlowWorker) read(from, to int) {
	policy, t := w.epoch.Policy, w.epoch.Table
	filtered := policy.filter.Rules != nil || w.script.state != nil
	for i := from; i < to; i++ {
		r := &w.records[i]
		if r.Packets > mostCounted || r.Bytes > mostCounted {
			t.Stats.Exports.Faults[decode.BadField]++
			continue
		}
		t.Stats.Exports.Records++
		var dst, src prefix.Value
		if !policy.lookup.Foreign(r.Dst.Hi, r.Dst.Lo) {
			dst = policy.lookup.Lookup(r.Dst.Hi, r.Dst.Lo)
		}
		if !policy.lookup.Foreign(r.Src.Hi, r.Src.Lo) {
			src = policy.lookup.Lookup(r.Src.Hi, r.Src.Lo)
		}
		if dst|src == 0 {
			t.Stats.Foreign++
			continue
		}
		if filtered && !w.keep(i) {
			t.Stats.Ignored++
			continue
		}
		if dst != 0 {
			w.place(i, &policy.places[dst-1], r.Dst, 0)
		}
		if src != 0 {
			w.place(i, &policy.places[src-1], r.Src, 1)
			if dst != 0 {
				t.Stats.Internal++
			}
		}
	}
}

// keep reports whether record i is to be counted.
func (w *FlowWorker) keep(i int) bool {
	r, agent := &w.records[i], w.agents[i]
	rules := w.epoch.Policy.filter.Rules
	if rules != nil && rules.Match(r, agent) >= 0 {
		return false
	}
	return w.script.state == nil || w.script.state.Keep(r, w.from[i], agent)
}

// mostCounted is the most packets or bytes of one record that are believed: a terabyte.
const mostCounted = 1 << 40

// bytesPerPacket is what packets are taken to have whose number is not told.
const bytesPerPacket = 1500

// place appends the op for the side of record i that has address a: side 0 is incoming, 1 outgoing.
func (w *FlowWorker) place(i int, pl *place, a decode.Addr, side uint32) {
	r, op := &w.records[i], &w.ops[w.made&(maxOps-1)]
	w.made++
	samples := r.Packets
	if samples == 0 {
		samples = max(1, r.Bytes/bytesPerPacket)
	}
	op.Samples, op.Rate = samples, r.Sampling
	op.Packets, op.Bytes = times(samples, r.Sampling), times(r.Bytes, r.Sampling)
	op.Milli, op.Age = milliseconds(r.Flow.Start, r.Flow.End), 0
	if r.Flow.End != 0 {
		op.Age = milliseconds(r.Flow.End, w.sent[i])
	}
	op.Slot = pl.slot(a.Hi, a.Lo) + side
	op.Group, op.Class, op.Record = pl.group, classes[r.Proto], uint8(i)
	if op.Mark = flowMark(r, w.from[i]); op.Mark&counters.MarkSample != 0 {
		op.Hash = flowHash(r, w.seed)
	}
	if !pl.direct {
		w.list(op, counters.Key(a))
	}
}

// milliseconds returns the time from one moment to another in nanoseconds; 0 if it went back.
func milliseconds(from, to int64) uint32 {
	return uint32(min(uint64(max(0, to-from))/1e6, math.MaxUint32))
}

// flowMark returns the classes that count r again. The flags of a flow are those of all its
// packets: a handshake alone is all SYN, a connection began with one.
func flowMark(r *decode.Record, p decode.FlowProto) (m uint8) {
	switch {
	case r.Proto != protoTCP || r.TCPFlags&flagSYN == 0:
	case r.TCPFlags&(flagFIN|flagRST|flagPSH|flagURG) == 0:
		m = counters.MarkSYN
	default:
		m = counters.MarkFirstSYN
	}
	if r.Fragment != decode.NotFragment {
		m |= counters.MarkFrag
	}
	if p >= decode.SFlow4 || r.Flow.End == 0 && r.Packets == 1 && r.Sampling > 1 {
		m |= counters.MarkSample
	}
	return m
}

// list gives op of a host of the directory its slot. Hosts that are not listed stay with their
// aggregate.
func (w *FlowWorker) list(op *counters.FlowOp, key counters.Key) {
	t, epoch, dir := w.epoch.Table, uint32(w.epoch.Seq), op.Slot&1
	hash := w.dir.Hash(key)
	entry, ok := w.dir.Find(key, hash)
	if !ok {
		need := w.epoch.Policy.shares[op.Group][dir].admit
		if op.Packets >= uint64(need) {
			need = 1 // the record alone is enough
		}
		var full bool
		if entry, ok, full = w.dir.Admit(key, hash, need, epoch); !ok {
			t.Stats.NotListed(full)
			return
		}
	}
	op.Slot = t.Layout.DirBase + 2*entry + dir
	if !t.Seen(op.Slot) {
		t.Name(entry, key)
		w.dir.Use(entry, epoch)
	}
}

// times multiplies, and saturates.
func times(v uint64, n uint32) uint64 {
	hi, lo := bits.Mul64(v, uint64(n))
	if hi != 0 {
		return math.MaxUint64
	}
	return lo
}
