package fastpath

import (
	"encoding/binary"
	"math"

	"weir/counters"
	"weir/decode"
	"weir/ring"
)

// Evidence of flow records is packets like those that they tell of: headers alone, of mean length.
const (
	everyRecord  = 64 // one of so many records, at least, is taken whatever it is of
	recordsWhole = 64 // of a warm host so many are all taken, then half of as many, and so on
	mostHalvings = 20
)

// prove takes records of ops as evidence: those of hosts above a fifth of a limit, and some at
// random.
func (w *FlowWorker) prove(ops []counters.FlowOp) {
	t, shares := w.epoch.Table, w.epoch.Policy.shares
	for i := range ops {
		op := &ops[i]
		s := t.FlowSlot(op)
		if s == nil {
			continue
		}
		packets, sh := s.Heat(op), &shares[op.Group][op.Slot&1]
		if packets > sh.warmPackets ||
			packets*float64(op.Bytes) > sh.warmBytes*float64(op.Packets) {
			w.proveWarm(op, s)
			continue
		}
		if w.baseline--; w.baseline <= 0 {
			w.baseline = int(w.gapOf(w.gap))
			w.sample(op, ring.Baseline, w.gap)
		}
	}
}

// proveWarm takes op's record, of a host above a fifth of a limit.
func (w *FlowWorker) proveWarm(op *counters.FlowOp, s *counters.FlowSlot) {
	gap := uint32(1) << min(s.Taken/recordsWhole, mostHalvings)
	if gap == 1 || w.rand()&uint64(gap-1) == 0 {
		s.Taken++
		w.sample(op, ring.Warm, gap)
	}
	if base := w.epoch.Table.Layout.DirBase; op.Slot >= base {
		w.dir.Pin((op.Slot-base)/2, uint32(w.epoch.Seq))
	}
}

// sample hands a record to control as a packet that stands for as many as it counts.
func (w *FlowWorker) sample(op *counters.FlowOp, stream ring.Stream, gap uint32) {
	s := w.Samples.Reserve()
	if s == nil {
		w.epoch.Table.Stats.LostSamples++
		return
	}
	r := &w.records[op.Record]
	length := uint32(min(r.Bytes/max(1, op.Samples), math.MaxUint16))
	s.Time = w.batch.Now
	s.SrcHi, s.SrcLo, s.DstHi, s.DstLo = r.Src.Hi, r.Src.Lo, r.Dst.Hi, r.Dst.Lo
	s.SrcPort, s.DstPort, s.Proto, s.TCPFlags = r.SrcPort, r.DstPort, r.Proto, r.TCPFlags
	s.TTL, s.Fragment, s.IPLen = r.TTL, uint8(r.Fragment), length
	s.Gap, s.Sampling = gap, uint32(min(op.Packets, math.MaxUint32))
	s.Stream, s.Outgoing, s.Worker = stream, op.Slot&1 != 0, w.number
	s.Link = uint16(decode.LinkRaw)
	n := header(s.Data[:], r, length)
	s.Cap, s.Wire = uint8(n), max(length, uint32(n))
	s.Forwarding = r.Flow.Forwarding
	clear(s.Data[n:])
	w.Samples.Commit()
}

// Lengths of headers.
const (
	lenIPv4 = 20
	lenIPv6 = 40
	lenTCP  = 20
	lenUDP  = 8
	lenICMP = 8
)

// header writes IP and transport headers as r tells them into b, for an IP packet of that length,
// and returns how many bytes they take. Checksums are left zero.
func header(b []byte, r *decode.Record, length uint32) int {
	be := binary.BigEndian
	n := lenIPv4
	if r.Version == 6 {
		n = lenIPv6
		clear(b[:n])
		b[0] = 6 << 4
		be.PutUint16(b[4:], uint16(max(length, lenIPv6)-lenIPv6))
		b[6], b[7] = r.Proto, r.TTL
		be.PutUint64(b[8:], r.Src.Hi)
		be.PutUint64(b[16:], r.Src.Lo)
		be.PutUint64(b[24:], r.Dst.Hi)
		be.PutUint64(b[32:], r.Dst.Lo)
	} else {
		clear(b[:n])
		b[0] = 4<<4 | lenIPv4/4
		be.PutUint16(b[2:], uint16(max(length, lenIPv4)))
		b[8], b[9] = r.TTL, r.Proto
		be.PutUint32(b[12:], uint32(r.Src.Lo))
		be.PutUint32(b[16:], uint32(r.Dst.Lo))
		switch r.Fragment {
		case decode.FirstFragment:
			be.PutUint16(b[6:], 1<<13) // more fragments
		case decode.LaterFragment:
			be.PutUint16(b[6:], 1) // where it lies is not told
			return n
		}
	}
	return n + transport(b[n:], r, max(int(length)-n, 0))
}

// transport writes the header that belongs to r.Proto; n is what the packet has room for.
func transport(b []byte, r *decode.Record, n int) int {
	be := binary.BigEndian
	clear(b[:lenTCP])
	switch r.Proto {
	case protoTCP:
		be.PutUint16(b, r.SrcPort)
		be.PutUint16(b[2:], r.DstPort)
		b[12], b[13] = lenTCP/4<<4, r.TCPFlags
		return min(lenTCP, n)
	case protoUDP:
		be.PutUint16(b, r.SrcPort)
		be.PutUint16(b[2:], r.DstPort)
		be.PutUint16(b[4:], uint16(n))
		return min(lenUDP, n)
	case protoICMP, protoICMPv6:
		be.PutUint16(b, r.DstPort) // type and code
		return min(lenICMP, n)
	}
	return 0
}
