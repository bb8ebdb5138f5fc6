package ring

import (
	"math/rand/v2"
	"runtime"
	"testing"
)

// twin is SPSC as a slice: what it must do, slowly.
type twin struct {
	elements []int
	size     int
	dropped  uint64
}

func (w *twin) push(v int) bool {
	if len(w.elements) == w.size {
		w.dropped++
		return false
	}
	w.elements = append(w.elements, v)
	return true
}

// startAt moves an empty queue's cursors, to bring their wrap near.
func startAt(q *SPSC[int], at uint32) {
	q.head.Store(at)
	q.tail.Store(at)
	q.tailSeen, q.headSeen = at, at
}

func TestSPSCAgainstTwin(t *testing.T) {
	for _, size := range []int{1, 2, 8, 64} {
		for _, start := range []uint32{0, 1<<32 - 100, 1<<32 - 1} {
			compareWithTwin(t, size, start)
		}
	}
}

func compareWithTwin(t *testing.T, size int, start uint32) {
	t.Helper()
	rng := rand.New(rand.NewPCG(uint64(size), uint64(start)))
	q := NewSPSC[int](size)
	startAt(q, start)
	slow := &twin{size: size}
	for i := range 5000 {
		switch rng.IntN(5) {
		case 0, 1:
			if got, want := q.Push(i), slow.push(i); got != want {
				t.Fatalf("size %d op %d: Push is %v, want %v", size, i, got, want)
			}
		case 2: // reserved and thought better of, unless the queue is full
			p := q.Reserve()
			if (p == nil) != (len(slow.elements) == size) {
				t.Fatalf("size %d op %d: Reserve is %v", size, i, p)
			}
			if p == nil {
				slow.dropped++
			} else {
				*p = -1
			}
		default:
			p := q.Front()
			if (p == nil) != (len(slow.elements) == 0) {
				t.Fatalf("size %d op %d: Front is %v", size, i, p)
			}
			if p == nil {
				continue
			}
			if *p != slow.elements[0] {
				t.Fatalf("size %d op %d: Front is %d, want %d", size, i, *p, slow.elements[0])
			}
			q.Advance()
			slow.elements = slow.elements[1:]
		}
		if q.Len() != len(slow.elements) || q.Dropped() != slow.dropped {
			t.Fatalf("size %d op %d: Len %d, Dropped %d, want %d and %d",
				size, i, q.Len(), q.Dropped(), len(slow.elements), slow.dropped)
		}
	}
}

// Every element arrives once, in order and whole, or is counted as dropped.
func TestSPSCTwoGoroutines(t *testing.T) {
	const pushes = 200000
	q := NewSPSC[[2]uint64](64)
	done := make(chan uint64)
	go func() {
		accepted := uint64(0)
		for i := range uint64(pushes) {
			if q.Push([2]uint64{i, ^i}) {
				accepted++
			} else {
				runtime.Gosched()
			}
		}
		done <- accepted
	}()
	received, last, finished := uint64(0), int64(-1), false
	var accepted uint64
	for !finished || received < accepted {
		select {
		case accepted = <-done:
			finished = true
		default:
		}
		p := q.Front()
		if p == nil {
			runtime.Gosched()
			continue
		}
		if int64(p[0]) <= last || p[1] != ^p[0] {
			t.Fatalf("element %v after %d", *p, last)
		}
		last = int64(p[0])
		q.Advance()
		received++
	}
	if received != accepted || received+q.Dropped() != pushes || q.Len() != 0 {
		t.Errorf("%d received, %d accepted, %d dropped of %d; %d left",
			received, accepted, q.Dropped(), pushes, q.Len())
	}
}

func TestNewSPSCFailure(t *testing.T) {
	for _, size := range []int{-1, 0, 3, 100} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("NewSPSC(%d) does not panic", size)
				}
			}()
			NewSPSC[int](size)
		}()
	}
}

func TestSPSCNoAllocs(t *testing.T) {
	q := NewSPSC[Sample](4)
	var s Sample
	n := testing.AllocsPerRun(1000, func() {
		for range 6 { // two of them find the queue full
			q.Push(s)
		}
		for q.Front() != nil {
			q.Advance()
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}
