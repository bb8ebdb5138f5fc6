package ring

import "sync/atomic"

// SPSC is a bounded queue from one producer to one consumer. A full queue drops the new element
// and counts it: the producer never waits.
//
// Concurrency: one goroutine calls Push, one calls Pop; Dropped and Len are for either.
type SPSC[T any] struct {
	buf  []T
	mask uint32

	_        [64]byte // producer and consumer each write a cache line of their own
	head     atomic.Uint32
	tailSeen uint32 // the producer's last look at tail
	dropped  atomic.Uint64

	_        [64]byte
	tail     atomic.Uint32
	headSeen uint32
	_        [64]byte
}

// NewSPSC returns a queue of size elements; size is a power of two.
func NewSPSC[T any](size int) *SPSC[T] {
	if size <= 0 || size&(size-1) != 0 {
		panic("BUG: ring.NewSPSC: size is not a power of two")
	}
	return &SPSC[T]{buf: make([]T, size), mask: uint32(size - 1)}
}

// Reserve returns the next free element for the producer to fill in place, or nil when the queue
// is full, which is counted. Commit makes it visible.
func (q *SPSC[T]) Reserve() *T {
	head := q.head.Load()
	if head-q.tailSeen > q.mask {
		q.tailSeen = q.tail.Load()
		if head-q.tailSeen > q.mask {
			q.dropped.Add(1)
			return nil
		}
	}
	return &q.buf[head&q.mask]
}

// Commit publishes the element that Reserve returned last.
func (q *SPSC[T]) Commit() { q.head.Store(q.head.Load() + 1) }

// Push copies v into the queue and reports whether there was room.
func (q *SPSC[T]) Push(v T) bool {
	p := q.Reserve()
	if p == nil {
		return false
	}
	*p = v
	q.Commit()
	return true
}

// Front returns the oldest element in place, or nil when the queue is empty. It is valid until
// Advance.
func (q *SPSC[T]) Front() *T {
	tail := q.tail.Load()
	if tail == q.headSeen {
		q.headSeen = q.head.Load()
		if tail == q.headSeen {
			return nil
		}
	}
	return &q.buf[tail&q.mask]
}

// Advance drops the element that Front returned.
func (q *SPSC[T]) Advance() { q.tail.Store(q.tail.Load() + 1) }

// Len returns how many elements wait.
func (q *SPSC[T]) Len() int { return int(q.head.Load() - q.tail.Load()) }

// Dropped returns how many elements found the queue full.
func (q *SPSC[T]) Dropped() uint64 { return q.dropped.Load() }
