package xsk

import (
	"fmt"
	"math"
	"sync/atomic"

	"weir/ring"
)

// linkEthernet is the link type of everything that an AF_XDP socket receives.
const linkEthernet = 1

// Config is what a Queue receives with.
type Config struct {
	UMEM      []byte // frames side by side, at most 4 GiB
	FrameSize int    // bytes; a power of two, since the kernel runs in aligned mode
	Frames    int    // the first so many frames are for receiving; at most the fill ring's size
	RX        Ring[Desc]
	Fill      Ring[uint64]

	// Clock gives nanoseconds since 1970 UTC; called once per Poll.
	Clock func() int64
	// Wake makes the system call that wakes the kernel; called when it has asked for that. Nil
	// when nothing ever sleeps.
	Wake func()
	// Drops gives the kernel's drop counters for Stats. Nil when there are none.
	Drops func() map[string]uint64
}

// Queue receives from one AF_XDP socket. Every receive frame is at any time in exactly one place:
// the fill ring, the kernel's hands, the rx ring, or lent by Poll. There are no more of them than
// the fill ring has slots, so that Release always finds room without looking at the kernel's
// cursor, which it moves lazily.
//
// Concurrency: one goroutine calls Poll and Release; Stats may be called from any.
type Queue struct {
	umem      []byte
	frameMask uint64 // within a frame
	rx        []Desc
	fill      []uint64
	rxNext    uint32 // first descriptor that is not lent or released; the kernel's sight of it
	asked     uint32 // cursor of a burst whose first frames were prefetched
	lent      uint32 // descriptors from rxNext on that Poll lent
	fillNext  uint32
	now       int64
	rxRing    Ring[Desc]
	fillRing  Ring[uint64]
	clock     func() int64
	wake      func()
	drops     func() map[string]uint64

	receivedSoFar, bytesSoFar uint64 // of the owner, published once per burst

	_        [64]byte // readers of Stats do not disturb the owner's line
	received atomic.Uint64
	bytes    atomic.Uint64
}

var _ ring.Source = (*Queue)(nil)

// NewQueue puts every receive frame into the fill ring: it is to be called before the socket is
// bound, since drivers exist that wedge on a bind with an empty fill ring.
func NewQueue(c Config) (*Queue, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	q := &Queue{
		umem: c.UMEM, frameMask: uint64(c.FrameSize - 1),
		rx: c.RX.Entries, fill: c.Fill.Entries,
		rxNext:   c.RX.Consumer.Load(),
		fillNext: c.Fill.Producer.Load(),
		rxRing:   c.RX, fillRing: c.Fill,
		clock: c.Clock, wake: c.Wake, drops: c.Drops,
	}
	mask := uint32(len(q.fill) - 1)
	for i := range c.Frames {
		q.fill[q.fillNext&mask] = uint64(i) * uint64(c.FrameSize)
		q.fillNext++
	}
	q.fillRing.Producer.Store(q.fillNext)
	return q, nil
}

func (c *Config) check() error {
	frames := 0
	if c.FrameSize > 0 {
		frames = len(c.UMEM) / c.FrameSize
	}
	switch {
	case c.FrameSize <= 0 || c.FrameSize&(c.FrameSize-1) != 0:
		return fmt.Errorf("frames of %d bytes: not a power of two", c.FrameSize)
	case uint64(len(c.UMEM)) > math.MaxUint32:
		return fmt.Errorf("UMEM of %d bytes is over 4 GiB", len(c.UMEM))
	case c.Frames <= 0 || c.Frames > frames:
		return fmt.Errorf("%d receive frames of %d in the UMEM", c.Frames, frames)
	case len(c.RX.Entries) == 0 || len(c.Fill.Entries) == 0:
		return fmt.Errorf("rx or fill ring is missing")
	case c.Frames > len(c.Fill.Entries):
		return fmt.Errorf("%d receive frames, the fill ring holds %d",
			c.Frames, len(c.Fill.Entries))
	case c.Clock == nil:
		return fmt.Errorf("no clock")
	}
	return nil
}

// Poll implements ring.Source, without sleeping. A packet of several buffers becomes one frame:
// Cap counts the first buffer's bytes, Wire those of all. The error says that the ring's cursors
// contradict each other; it is final.
func (q *Queue) Poll(b *ring.Batch) (int, error) {
	if q.lent != 0 {
		panic("BUG: xsk: Poll before Release")
	}
	q.now = max(q.now, q.clock())
	b.Mem, b.Now, b.N = q.umem, q.now, 0
	waiting := q.rxRing.Producer.Load() - q.rxNext
	size := uint32(len(q.rx))
	if waiting > size {
		return 0, fmt.Errorf("poll rx ring: %d descriptors wait in a ring of %d", waiting, size)
	}
	b.Fill = uint8(uint64(waiting) * 100 / uint64(size))
	if waiting == 0 {
		q.wakeKernel() // it may have run out of frames after the last Release
		return 0, nil
	}
	q.prefetch(waiting)
	q.lend(b, waiting)
	if b.N == 0 && waiting == size {
		return 0, fmt.Errorf("poll rx ring: a packet of more than %d buffers", size)
	}
	return b.N, nil
}

// lend fills b from the descriptors that wait, and writes down what Release will give back: the
// slots behind the fill ring's producer are free for that.
func (q *Queue) lend(b *ring.Batch, waiting uint32) {
	used, bytes, chained := q.lendSingles(b, waiting)
	if chained {
		singles := b.N
		used = q.lendChains(b, used, waiting)
		for i := range b.Frames[singles:b.N] {
			bytes += uint64(b.Frames[singles+i].Wire)
		}
	}
	q.lent = used
	q.receivedSoFar += uint64(b.N)
	q.bytesSoFar += bytes
}

// lendSingles lends packets of one buffer, up to the first packet of several or the end of either
// ring's memory, and returns the number of descriptors, the packets' bytes, and whether it was the
// former.
func (q *Queue) lendSingles(
	b *ring.Batch, waiting uint32,
) (used uint32, bytes uint64, chained bool) {
	first, to := q.rxNext&uint32(len(q.rx)-1), q.fillNext&uint32(len(q.fill)-1)
	n := min(waiting, ring.BurstSize)
	run := q.rx[first:min(first+n, uint32(len(q.rx)))]
	back := q.fill[to:min(to+uint32(len(run)), uint32(len(q.fill)))]
	run = run[:len(back)]
	frames, now, within := b.Frames[:len(run)], q.now, q.frameMask
	for i := range run {
		d := &run[i]
		if d.Options&PktContd != 0 {
			b.N = i
			return uint32(i), bytes, true
		}
		back[i] = d.Addr &^ within
		bytes += uint64(d.Len)
		// Field by field: a literal is built on the stack first, which costs a stall.
		f := &frames[i]
		f.Time, f.Link = now, linkEthernet
		f.Off, f.Cap, f.Wire = uint32(d.Addr), d.Len, d.Len
	}
	b.N = len(run)
	return uint32(len(run)), bytes, false
}

// lendChains goes on after the used descriptors that lendSingles has lent, with packets of any
// number of buffers. Those of a packet whose end is not there yet stay for the next Poll.
func (q *Queue) lendChains(b *ring.Batch, used, waiting uint32) uint32 {
	at, end := q.rxNext+used, q.rxNext+waiting
	from := at
	for b.N < ring.BurstSize && at != end {
		wire, next, whole := q.chain(at, end)
		if !whole {
			break
		}
		d := &q.rx[at&uint32(len(q.rx)-1)]
		b.Frames[b.N] = ring.Frame{
			Time: q.now, Off: uint32(d.Addr), Cap: d.Len, Wire: wire, Link: linkEthernet,
		}
		b.N++
		at = next
	}
	to := q.fillNext + used
	for ; from != at; from++ {
		q.fill[to&uint32(len(q.fill)-1)] = q.rx[from&uint32(len(q.rx)-1)].Addr &^ q.frameMask
		to++
	}
	return at - q.rxNext
}

// chain adds up the buffers of the packet at cursor at: their bytes, the cursor behind them, and
// whether the last of them lies before end.
func (q *Queue) chain(at, end uint32) (wire, next uint32, whole bool) {
	mask := uint32(len(q.rx) - 1)
	for ; at != end; at++ {
		d := &q.rx[at&mask]
		wire += d.Len
		if d.Options&PktContd == 0 {
			return wire, at + 1, true
		}
	}
	return 0, 0, false
}

// Release implements ring.Source: the frames go back to the kernel by way of the fill ring, where
// lend has written them.
func (q *Queue) Release(b *ring.Batch) {
	if q.lent == 0 {
		return
	}
	q.rxNext, q.fillNext, q.lent = q.rxNext+q.lent, q.fillNext+q.lent, 0
	b.N = 0
	q.fillRing.Producer.Store(q.fillNext)
	// Together, so that others see a frame in the ring or among the received, and not in both.
	q.received.Store(q.receivedSoFar)
	q.bytes.Store(q.bytesSoFar)
	q.rxRing.Consumer.Store(q.rxNext)
	q.wakeKernel()
}

func (q *Queue) wakeKernel() {
	if q.fillRing.Flags.Load()&NeedWakeup != 0 && q.wake != nil {
		q.wake()
	}
}

// Stats implements ring.Source.
func (q *Queue) Stats() ring.Stats {
	s := ring.Stats{Received: q.received.Load(), Bytes: q.bytes.Load()}
	if q.drops != nil {
		s.Dropped = q.drops()
	}
	return s
}

// Received returns the number of frames that Release has given back so far.
func (q *Queue) Received() uint64 { return q.received.Load() }

// Close implements ring.Source. It does nothing: the memory belongs to whoever gave it.
func (q *Queue) Close() error { return nil }
