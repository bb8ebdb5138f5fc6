package fastpath

import (
	"weir/counters"
	"weir/ring"
)

// baselineGap is the mean number of frames between two baseline samples, at least.
const baselineGap = 1024

// expire deals with the slot of rest[0], whose fuse burnt down: its first packet of the epoch, a
// limit to look at, or a sample to take. rest are the ops of the burst from there on; all of them
// are counted already.
func (w *Worker) expire(rest []counters.Op) {
	op := &rest[0]
	t := w.epoch.Table
	s := t.Slot(op.Line)
	now := w.batch.Frames[op.Frame].Time
	first := t.Touch(op.Line, now)
	if slot := counters.SlotOf(op.Line); first && slot >= t.Layout.DirBase {
		entry := (slot - t.Layout.DirBase) / 2
		t.Name(entry, w.dir.Key(entry))
	}
	if op.Mark&counters.MarkNoFlow != 0 {
		s.Arm(1 << 30)
		return
	}
	sh := &w.epoch.Policy.shares[op.Group][op.Side()]
	if first && sh.cold > maxOps { // whatever the burst held, it cannot be warm
		s.Arm(sh.cold - maxOps)
		return
	}
	at, next := sh.judge(s)
	if at == cold {
		s.Arm(uint32(next))
		return
	}
	w.heat(op, s, at, now)
	s.Arm(min(w.sampleBurst(rest, s.Gap()), uint32(next)))
}

// sampleBurst takes rest[0] as a sample, and of the later ops of its slot in the burst each with
// probability 1/gap. It returns after how many more packets the next is due.
func (w *Worker) sampleBurst(rest []counters.Op, gap uint32) (due uint32) {
	line, outgoing := rest[0].Line, rest[0].Side() != 0
	w.sample(int(rest[0].Frame), ring.Warm, outgoing, gap)
	due = w.gapOf(gap)
	for i := 1; i < len(rest); i++ {
		if rest[i].Line != line {
			continue
		}
		if due--; due == 0 {
			w.sample(int(rest[i].Frame), ring.Warm, outgoing, gap)
			due = w.gapOf(gap)
		}
	}
	return due
}

// samplesPerLimit is how many samples a slot's share of a limit is worth.
const samplesPerLimit = 64

// heat notes that s reached a level, once per level and epoch: control is told, the directory
// keeps the host, samples are taken.
func (w *Worker) heat(op *counters.Op, s *counters.Slot, at level, now int64) {
	if !s.Has(counters.FlagWarm) {
		s.Set(counters.FlagWarm)
		packets, _ := s.Total()
		s.SetGap(uint32(max(1, packets*warmPart/samplesPerLimit)))
		w.hint(op, now, false)
		if base, slot := w.epoch.Table.Layout.DirBase, counters.SlotOf(op.Line); slot >= base {
			w.dir.Pin((slot-base)/2, uint32(w.epoch.Seq))
		}
	}
	if at == over && !s.Has(counters.FlagOver) {
		s.Set(counters.FlagOver)
		s.SetGap(4 * s.Gap()) // the verdict has its evidence; keep some budget for other targets
		w.hint(op, now, true)
	}
}

func (w *Worker) hint(op *counters.Op, now int64, isOver bool) {
	r := &w.records[op.Frame]
	host, outgoing := r.Dst, op.Side() != 0
	if outgoing {
		host = r.Src
	}
	h := ring.Hint{Time: now, Hi: host.Hi, Lo: host.Lo, Outgoing: outgoing, Over: isOver}
	if !w.Hints.Push(h) {
		w.epoch.Table.Stats.LostHints++
	}
}

// sampleBaseline takes one frame of the burst at random.
func (w *Worker) sampleBaseline(n int) {
	w.baseline = int(w.gapOf(w.gap))
	if i := int(w.below(uint64(n))); w.records[i].Version != 0 {
		w.sample(i, ring.Baseline, false, w.gap)
	}
}

// sample copies the head of frame i to control.
func (w *Worker) sample(i int, stream ring.Stream, outgoing bool, gap uint32) {
	s := w.Samples.Reserve()
	if s == nil {
		w.epoch.Table.Stats.LostSamples++
		return
	}
	f, r := &w.batch.Frames[i], &w.records[i]
	s.Time, s.Wire, s.Link = f.Time, f.Wire, f.Link
	s.SrcHi, s.SrcLo, s.DstHi, s.DstLo = r.Src.Hi, r.Src.Lo, r.Dst.Hi, r.Dst.Lo
	s.SrcPort, s.DstPort, s.Proto, s.TCPFlags = r.SrcPort, r.DstPort, r.Proto, r.TCPFlags
	s.TTL, s.Fragment, s.IPLen = r.TTL, uint8(r.Fragment), uint32(r.Bytes)
	s.Gap, s.Sampling = gap, w.sampling
	s.Stream, s.Outgoing, s.Worker = stream, outgoing, w.number
	s.Cap, s.Forwarding = uint8(copy(s.Data[:], w.batch.Data(i))), 0
	clear(s.Data[s.Cap:])
	w.Samples.Commit()
}
