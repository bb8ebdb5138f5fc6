package xsk

import "weir/ring"

// prefetch asks for the frames that the next Poll will lend, and for those of this one that the
// last did not ask for, while waiting descriptors are there. A frame that a network card wrote is
// in no near cache: asked for a burst ahead, it is there when it is read.
func (q *Queue) prefetch(waiting uint32) {
	from, to := q.rxNext, q.rxNext+min(waiting, 2*ring.BurstSize)
	if known := q.asked - q.rxNext; known <= to-from {
		from = q.asked
	}
	q.asked = to
	mask := uint32(len(q.rx) - 1)
	for from != to {
		first := from & mask
		n := min(to-from, mask+1-first)
		prefetchFrames(&q.umem[0], &q.rx[first], int(n))
		from += n
	}
}
