package xsk_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	"weir/ring"
	"weir/ring/ringtest"
	"weir/ring/xsk"
)

// testRing returns an empty ring of the Go heap.
func testRing[T uint64 | xsk.Desc](t testing.TB, size int, start uint32) xsk.Ring[T] {
	t.Helper()
	r, err := ringtest.NewRing[T](size, start)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func at(r uint32, size int) uint32 { return r & uint32(size-1) }

// twin is the kernel as simple as can be, and the list of packets that the queue must give.
type twin struct {
	t         *testing.T
	rng       *rand.Rand
	umem      []byte
	frameSize int
	rx        xsk.Ring[xsk.Desc]
	fill      xsk.Ring[uint64]
	held      []uint64 // frames taken from the fill ring
	inUse     map[uint64]bool
	packets   []packet // published and not yet polled; the last may lack its end
	open      bool     // the last packet lacks its end
	serial    uint64
}

type packet struct {
	addr      uint64
	cap, wire uint32
	head      []byte
	buffers   []uint64
}

// take takes a frame from the fill ring: none that user space or we still have.
func (w *twin) take() {
	if w.fill.Producer.Load() == w.fill.Consumer.Load() {
		return
	}
	at := w.fill.Consumer.Load()
	addr := w.fill.Entries[at&uint32(len(w.fill.Entries)-1)]
	if addr%uint64(w.frameSize) != 0 || addr >= uint64(len(w.umem)) || w.inUse[addr] {
		w.t.Fatalf("address %d in the fill ring, in use: %v", addr, w.inUse[addr])
	}
	w.inUse[addr] = true
	w.held = append(w.held, addr)
	w.fill.Consumer.Store(at + 1)
}

// publish adds a buffer to the last packet if that is open, or begins one.
func (w *twin) publish() {
	size := uint32(len(w.rx.Entries))
	next := w.rx.Producer.Load()
	if len(w.held) == 0 || next-w.rx.Consumer.Load() == size {
		return
	}
	pick := w.rng.IntN(len(w.held)) // a NIC fills frames in any order
	frame := w.held[pick]
	w.held = append(w.held[:pick], w.held[pick+1:]...)
	d := xsk.Desc{
		Addr: frame + uint64(w.rng.IntN(w.frameSize/2)), Len: uint32(w.rng.IntN(w.frameSize / 2)),
	}
	w.serial++
	if d.Len >= 8 {
		binary.BigEndian.PutUint64(w.umem[d.Addr:], w.serial)
	}
	if !w.open {
		w.packets = append(w.packets, packet{
			addr: d.Addr, cap: d.Len, head: bytes.Clone(w.umem[d.Addr : d.Addr+uint64(d.Len)]),
		})
	}
	last := &w.packets[len(w.packets)-1]
	last.wire += d.Len
	last.buffers = append(last.buffers, frame)
	w.open = w.rng.IntN(5) == 0 && len(last.buffers) < 5
	if w.open {
		d.Options = xsk.PktContd
	}
	w.rx.Entries[next&(size-1)] = d
	w.rx.Producer.Store(next + 1)
}

// complete returns how many packets have their end.
func (w *twin) complete() int {
	if w.open {
		return len(w.packets) - 1
	}
	return len(w.packets)
}

// check compares a batch with the oldest packets, which are then user space's.
func (w *twin) check(b *ring.Batch, n int) (lent []packet) {
	if n > w.complete() || n == 0 && w.complete() > 0 {
		w.t.Fatalf("Poll gives %d packets of %d", n, w.complete())
	}
	for i := range n {
		f, p := b.Frames[i], w.packets[i]
		if uint64(f.Off) != p.addr || f.Cap != p.cap || f.Wire != p.wire || f.Link != 1 ||
			f.Time != b.Now || !bytes.Equal(b.Data(i), p.head) {
			w.t.Fatalf("frame %d is %+v, want %+v", i, f, p)
		}
	}
	lent, w.packets = w.packets[:n], w.packets[n:]
	return lent
}

func TestQueueAgainstTwin(t *testing.T) {
	for _, start := range []uint32{0, 1<<32 - 3, 1<<32 - 200} {
		for _, frames := range []int{8, 64, 100, 256} {
			compareWithTwin(t, start, frames)
		}
	}
}

func compareWithTwin(t *testing.T, start uint32, frames int) {
	t.Helper()
	const frameSize = 64
	w := &twin{
		t: t, rng: rand.New(rand.NewPCG(uint64(start), uint64(frames))),
		umem: make([]byte, frames*frameSize), frameSize: frameSize,
		rx: testRing[xsk.Desc](t, 128, start), fill: testRing[uint64](t, 256, start+7),
		inUse: map[uint64]bool{},
	}
	clock := int64(1000)
	q, err := xsk.NewQueue(xsk.Config{
		UMEM: w.umem, FrameSize: frameSize, Frames: frames, RX: w.rx, Fill: w.fill,
		Clock: func() int64 { clock += w.rng.Int64N(9) - 3; return clock },
	})
	if err != nil {
		t.Fatal(err)
	}
	var b ring.Batch
	var total ring.Stats
	now := int64(0)
	for range 2000 {
		for range w.rng.IntN(100) {
			w.take()
		}
		for range w.rng.IntN(100) {
			w.publish()
		}
		waiting := w.rx.Producer.Load() - w.rx.Consumer.Load()
		n, err := q.Poll(&b)
		if err != nil || n != b.N || b.Now < now || uint32(b.Fill) != waiting*100/128 {
			t.Fatalf("Poll: %d, %v, batch of %d at %d after %d, fill %d %% with %d waiting",
				n, err, b.N, b.Now, now, b.Fill, waiting)
		}
		now = b.Now
		for _, p := range w.check(&b, n) {
			total.Received++
			total.Bytes += uint64(p.wire)
			for _, frame := range p.buffers {
				delete(w.inUse, frame)
			}
		}
		q.Release(&b)
		if st := q.Stats(); st.Received != total.Received || st.Bytes != total.Bytes {
			t.Fatalf("Stats %+v, want %+v", st, total)
		}
	}
	if total.Received < 10000 && frames > 8 {
		t.Errorf("%d packets only", total.Received)
	}
}

// Poll takes whole bursts, except that one ends with the ring's memory.
func TestPollBursts(t *testing.T) {
	k, err := ringtest.NewKernel(ringtest.Config{Frames: 256, Start: 1<<32 - 20})
	if err != nil {
		t.Fatal(err)
	}
	k.Place(func([]byte) int { return 60 })
	k.Burst(200)
	var b ring.Batch
	for _, want := range []int{20, 64, 64, 52, 0} {
		n, err := k.Queue().Poll(&b)
		if n != want || err != nil {
			t.Errorf("Poll gives %d and %v, want %d", n, err, want)
		}
		k.Queue().Release(&b)
	}
}

func TestWakesOnlyWhenAsked(t *testing.T) {
	rx, fill := testRing[xsk.Desc](t, 4, 0), testRing[uint64](t, 4, 0)
	woken := 0
	q, err := xsk.NewQueue(xsk.Config{
		UMEM: make([]byte, 4*64), FrameSize: 64, Frames: 4, RX: rx, Fill: fill,
		Clock: func() int64 { return 0 }, Wake: func() { woken++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	var b ring.Batch
	f := func(flags uint32, packets int, want int) {
		t.Helper()
		woken = 0
		fill.Flags.Store(flags)
		for range packets {
			at := rx.Producer.Load()
			rx.Entries[at%4] = xsk.Desc{Addr: 64 * uint64(at%4), Len: 60}
			rx.Producer.Store(at + 1)
		}
		if n, err := q.Poll(&b); n != packets || err != nil {
			t.Fatalf("Poll gives %d and %v", n, err)
		}
		q.Release(&b)
		if woken != want {
			t.Errorf("flags %d, %d packets: woken %d times, want %d", flags, packets, woken, want)
		}
	}
	f(0, 0, 0)
	f(0, 2, 0)
	f(xsk.NeedWakeup, 2, 1)
	f(xsk.NeedWakeup, 0, 1) // it may have asked after the last Release
	f(2, 1, 0)              // another flag
}

func TestPollFailure(t *testing.T) {
	f := func(want string, damage func(rx xsk.Ring[xsk.Desc])) {
		t.Helper()
		rx, fill := testRing[xsk.Desc](t, 4, 0), testRing[uint64](t, 4, 0)
		q, err := xsk.NewQueue(xsk.Config{
			UMEM: make([]byte, 4*64), FrameSize: 64, Frames: 4, RX: rx, Fill: fill,
			Clock: func() int64 { return 0 },
		})
		if err != nil {
			t.Fatal(err)
		}
		damage(rx)
		var b ring.Batch
		for range 2 {
			if n, err := q.Poll(&b); n != 0 || err == nil || err.Error() != want {
				t.Errorf("Poll gives %d and %v, want %q", n, err, want)
			}
		}
	}
	f("poll rx ring: 5 descriptors wait in a ring of 4",
		func(rx xsk.Ring[xsk.Desc]) { rx.Producer.Store(5) })
	f("poll rx ring: a packet of more than 4 buffers", func(rx xsk.Ring[xsk.Desc]) {
		for i := range rx.Entries {
			rx.Entries[i].Options = xsk.PktContd
		}
		rx.Producer.Store(4)
	})
}

func TestPollBeforeRelease(t *testing.T) {
	k, err := ringtest.NewKernel(ringtest.Config{Frames: 4})
	if err != nil {
		t.Fatal(err)
	}
	k.Deliver([]byte("packet"))
	var b ring.Batch
	if _, err := k.Queue().Poll(&b); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if text, _ := recover().(string); !strings.HasPrefix(text, "BUG: ") {
			t.Errorf("Poll without Release: %q", text)
		}
	}()
	_, _ = k.Queue().Poll(&b)
}

func TestNewQueueFailure(t *testing.T) {
	good := func() xsk.Config {
		return xsk.Config{
			UMEM: make([]byte, 8*64), FrameSize: 64, Frames: 4,
			RX: testRing[xsk.Desc](t, 4, 0), Fill: testRing[uint64](t, 4, 0),
			Clock: func() int64 { return 0 },
		}
	}
	if _, err := xsk.NewQueue(good()); err != nil {
		t.Fatal(err)
	}
	f := func(want string, damage func(*xsk.Config)) {
		t.Helper()
		c := good()
		damage(&c)
		if _, err := xsk.NewQueue(c); err == nil || err.Error() != "open queue: "+want {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f("frames of 0 bytes: not a power of two", func(c *xsk.Config) { c.FrameSize = 0 })
	f("frames of -64 bytes: not a power of two", func(c *xsk.Config) { c.FrameSize = -64 })
	f("frames of 96 bytes: not a power of two", func(c *xsk.Config) { c.FrameSize = 96 })
	f("9 receive frames of 8 in the UMEM", func(c *xsk.Config) { c.Frames = 9 })
	f("0 receive frames of 8 in the UMEM", func(c *xsk.Config) { c.Frames = 0 })
	f("5 receive frames, the fill ring holds 4", func(c *xsk.Config) { c.Frames = 5 })
	f("rx or fill ring is missing", func(c *xsk.Config) { c.RX = xsk.Ring[xsk.Desc]{} })
	f("rx or fill ring is missing", func(c *xsk.Config) { c.Fill = xsk.Ring[uint64]{} })
	f("no clock", func(c *xsk.Config) { c.Clock = nil })
}

// The fill ring is full before anything is polled: the socket is bound after that.
func TestNewQueuePrimesTheFillRing(t *testing.T) {
	fill := testRing[uint64](t, 8, 1<<32-2)
	_, err := xsk.NewQueue(xsk.Config{
		UMEM: make([]byte, 8*64), FrameSize: 64, Frames: 5,
		RX: testRing[xsk.Desc](t, 4, 0), Fill: fill, Clock: func() int64 { return 0 },
	})
	if err != nil {
		t.Fatal(err)
	}
	first, last := fill.Consumer.Load(), fill.Producer.Load()
	if last-first != 5 {
		t.Errorf("%d frames in the fill ring, want 5", last-first)
	}
	for i := range uint32(5) {
		if got := fill.Entries[at(first+i, 8)]; got != uint64(i)*64 {
			t.Errorf("address %d of frame %d", got, i)
		}
	}
}

func TestQueueNoAllocs(t *testing.T) {
	k, err := ringtest.NewKernel(ringtest.Config{Frames: 256})
	if err != nil {
		t.Fatal(err)
	}
	long := [][]byte{make([]byte, 60), make([]byte, 9000)}
	var b ring.Batch
	n := testing.AllocsPerRun(1000, func() {
		k.DeliverAll(long)
		for {
			n, err := k.Queue().Poll(&b)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				return
			}
			k.Queue().Release(&b)
		}
	})
	if n != 0 || k.Queue().Stats().Received < 2000 {
		t.Errorf("%v allocations per burst, %d packets", n, k.Queue().Stats().Received)
	}
}

// What Poll asks for ahead of time, and however rings wrap or packets chain, changes nothing that
// is lent.
func TestPrefetchAcrossTheWrap(t *testing.T) {
	k, err := ringtest.NewKernel(ringtest.Config{
		Frames: 256, FrameSize: 512, RXSize: 128, Start: 1<<32 - 200,
	})
	if err != nil {
		t.Fatal(err)
	}
	var batch ring.Batch
	next := byte(0)
	for sent := byte(0); ; {
		for n := 0; n < 70 && sent < 250; n++ {
			packet := bytes.Repeat([]byte{sent}, 60+int(sent%3)*150) // one or two frames
			if !k.Deliver(packet) {
				break
			}
			sent++
		}
		n, err := k.Queue().Poll(&batch)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if got := batch.Data(i)[0]; got != next {
				t.Fatalf("packet %d came as number %d", got, next)
			}
			next++
		}
		k.Queue().Release(&batch)
		if n == 0 {
			break
		}
	}
	if next != 250 {
		t.Errorf("%d packets came of 250", next)
	}
}
