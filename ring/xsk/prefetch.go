package xsk

import "weir/ring"

// prefetch asks for the first frames of the burst that Poll is about to lend out of waiting ones,
// as ring.Batch.Prefetch does for the others, and of the burst behind it: by the next Poll they
// have come.
func (q *Queue) prefetch(waiting uint32) {
	if q.asked != q.rxNext {
		q.ask(q.rxNext, waiting)
	}
	if waiting > ring.BurstSize {
		q.asked = q.rxNext + ring.BurstSize
		q.ask(q.asked, waiting-ring.BurstSize)
	}
}

// ask asks for the frames of the first ring.Ahead of n descriptors from a cursor on, up to the end
// of the ring's memory.
func (q *Queue) ask(from, n uint32) {
	size := uint32(len(q.rx))
	first := from & (size - 1)
	prefetchFrames(&q.umem[0], &q.rx[first], int(min(n, ring.Ahead, size-first)))
}
