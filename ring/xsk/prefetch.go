package xsk

import "weir/ring"

// prefetch asks for the frames that Poll is about to lend out of waiting ones. A frame that a
// network card wrote is in no near cache: asked for at once, those of a burst arrive together.
//
// They are asked for into the second-level cache. Frames lie a power of two apart, so that the
// headers of a burst share few sets of the first, and would push one another out of it.
func (q *Queue) prefetch(waiting uint32) {
	size := uint32(len(q.rx))
	first := q.rxNext & (size - 1)
	prefetchFrames(&q.umem[0], &q.rx[first], int(min(waiting, ring.BurstSize, size-first)))
}
