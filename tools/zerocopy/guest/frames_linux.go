package main

import (
	"bytes"
	"sync/atomic"
	"time"

	"weir/ring"
	"weir/tools/zerocopy"
)

// ledger has an entry for every frame that may come to a card.
type ledger struct {
	card    int
	first   uint32
	seen    []atomic.Uint32 // by number - first
	damaged atomic.Uint64
	strange atomic.Uint64
	fill    atomic.Int32 // of the receive ring, the highest, percent
}

func newLedger(card int, first, count uint32) *ledger {
	return &ledger{card: card, first: first, seen: make([]atomic.Uint32, count)}
}

// look enters one frame; want is room for what it should be.
func (l *ledger) look(frame []byte, wire uint32, want *[zerocopy.MaxFrame]byte) {
	n, ok := zerocopy.Number(frame)
	if !ok || n-l.first >= uint32(len(l.seen)) {
		l.strange.Add(1)
		return
	}
	size := zerocopy.PutFrame(want, l.card, n)
	if int(wire) != size || !bytes.Equal(frame, want[:size]) {
		l.damaged.Add(1)
		return
	}
	l.seen[n-l.first].Add(1)
}

// perHost returns how many frames to each host arrived as they were sent.
func (l *ledger) perHost() (want [zerocopy.Hosts]uint64) {
	for i := range l.seen {
		want[(l.first+uint32(i))%zerocopy.Hosts] += uint64(l.seen[i].Load())
	}
	return want
}

// sum returns how the frames below end arrived.
func (l *ledger) sum(end uint32) *zerocopy.Frames {
	f := &zerocopy.Frames{
		Damaged: l.damaged.Load(), Strange: l.strange.Load(), Fill: int(l.fill.Load()),
	}
	for i := range l.seen {
		n := uint64(l.seen[i].Load())
		switch {
		case n == 0:
		case l.first+uint32(i) >= end:
			f.Strange += n
		default:
			f.Once++
			f.Twice += n - 1
		}
	}
	return f
}

// looker is a source whose frames are entered into a ledger.
type looker struct {
	ring.Source
	ledger  *ledger
	stalled *atomic.Bool // frames are left where they are
	want    [zerocopy.MaxFrame]byte
}

// Poll implements ring.Source.
func (s *looker) Poll(b *ring.Batch) (int, error) {
	if s.stalled.Load() {
		time.Sleep(pause)
		b.N = 0
		return 0, nil
	}
	n, err := s.Source.Poll(b)
	for i := range n {
		s.ledger.look(b.Data(i), b.Frames[i].Wire, &s.want)
	}
	if n > 0 {
		s.ledger.fill.Store(max(s.ledger.fill.Load(), int32(b.Fill)))
	}
	return n, err
}
