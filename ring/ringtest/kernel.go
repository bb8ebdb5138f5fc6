package ringtest

import (
	"fmt"
	"math/bits"
	"sync/atomic"
	"unsafe"

	"weir/ring/xsk"
)

// Headroom is what the kernel leaves free at the start of every receive frame, in bytes
// (XDP_PACKET_HEADROOM).
const Headroom = 256

// Config says what socket a Kernel plays. The zero value has 4096 frames of 2048 bytes and
// rings to match.
type Config struct {
	Frames    int          // receive frames
	FrameSize int          // bytes, a power of two over Headroom
	RXSize    int          // rx ring, a power of two; as FillSize where 0
	FillSize  int          // fill ring, a power of two; the first that holds Frames where 0
	Start     uint32       // where all cursors begin, to bring their wrap near
	UMEM      []byte       // Frames × FrameSize bytes; from the Go heap where nil
	Clock     func() int64 // as xsk.Config.Clock; stands at 0 where nil
}

func (c Config) withDefaults() Config {
	if c.FrameSize == 0 {
		c.FrameSize = 2048
	}
	if c.Frames == 0 {
		c.Frames = 4096
	}
	if c.FillSize == 0 {
		c.FillSize = 1
		for c.FillSize < c.Frames {
			c.FillSize *= 2
		}
	}
	if c.RXSize == 0 {
		c.RXSize = c.FillSize
	}
	if c.UMEM == nil {
		c.UMEM = make([]byte, c.Frames*c.FrameSize)
	}
	if c.Clock == nil {
		c.Clock = func() int64 { return 0 }
	}
	return c
}

// Kernel plays the kernel's half of the receiving rings of an AF_XDP socket. What it cannot
// deliver is counted by reason, as XDP_STATISTICS does: at rest, Offered equals what the
// queue received and the sum of Drops. It asks to be woken when it ran out of frames.
//
// Concurrency: one goroutine calls Deliver, DeliverAll and Burst, another uses the Queue; Offered,
// Drops and Wakeups may be called from any. The rings are all that they share.
type Kernel struct {
	umem      []byte
	frameSize int
	frames    int
	lengths   []uint32 // of the packets that Place put into frames
	rx        xsk.Ring[xsk.Desc]
	fill      xsk.Ring[uint64]
	rxNext    uint32
	fillNext  uint32
	queue     *xsk.Queue

	offered   atomic.Uint64
	ringFull  atomic.Uint64
	fillEmpty atomic.Uint64
	wakeups   atomic.Uint64
}

// NewKernel returns a socket that is bound and has not received anything.
func NewKernel(c Config) (*Kernel, error) {
	c = c.withDefaults()
	if c.FrameSize <= Headroom {
		return nil, fmt.Errorf("open queue: frames of %d bytes: not over the headroom of %d",
			c.FrameSize, Headroom)
	}
	rx, err := NewRing[xsk.Desc](c.RXSize, c.Start)
	if err != nil {
		return nil, fmt.Errorf("make rx ring: %w", err)
	}
	fill, err := NewRing[uint64](c.FillSize, c.Start)
	if err != nil {
		return nil, fmt.Errorf("make fill ring: %w", err)
	}
	k := &Kernel{
		umem: c.UMEM, frameSize: c.FrameSize, frames: c.Frames,
		rx: rx, fill: fill, rxNext: c.Start, fillNext: c.Start,
	}
	k.queue, err = xsk.NewQueue(xsk.Config{
		UMEM: c.UMEM, FrameSize: c.FrameSize, Frames: c.Frames, RX: rx, Fill: fill,
		Clock: c.Clock, Wake: k.wake, Drops: k.Drops,
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// NewRing returns an empty ring in memory of the Go heap, laid out as the kernel does it, with
// both cursors at start.
func NewRing[T uint64 | xsk.Desc](size int, start uint32) (xsk.Ring[T], error) {
	const entries = 192 // the words before have a cache line each
	var entry T
	words := make([]uint64, (entries+max(size, 0)*int(unsafe.Sizeof(entry)))/8)
	// Safe: the bytes are those of words, which stays alive through the slice, and bytes have
	// neither alignment nor invalid values. Made of words, the memory is aligned to 8 bytes.
	mem := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*8)
	r, err := xsk.MapRing[T](mem, xsk.Offsets{Consumer: 64, Flags: 128, Desc: entries}, size)
	if err != nil {
		return r, err
	}
	r.Producer.Store(start)
	r.Consumer.Store(start)
	return r, nil
}

// Queue returns user space's half.
func (k *Kernel) Queue() *xsk.Queue { return k.queue }

// Deliver offers one packet, which is copied into as many frames as it takes.
func (k *Kernel) Deliver(packet []byte) (delivered bool) {
	return k.DeliverAll([][]byte{packet}) == 1
}

// DeliverAll offers packets that arrive at once, and returns how many were delivered.
func (k *Kernel) DeliverAll(packets [][]byte) (delivered int) {
	filled := k.fill.Producer.Load()
	room := uint32(len(k.rx.Entries)) - (k.rxNext - k.rx.Consumer.Load())
	for _, p := range packets {
		k.offered.Add(1)
		need := k.buffers(p)
		switch {
		case filled-k.fillNext < need:
			k.fillEmpty.Add(1)
			k.fill.Flags.Store(xsk.NeedWakeup)
			continue
		case room < need:
			k.ringFull.Add(1)
			continue
		}
		k.copyIn(p)
		room -= need
		delivered++
	}
	k.publish()
	return delivered
}

// buffers returns how many frames a packet takes.
func (k *Kernel) buffers(packet []byte) uint32 {
	part := k.frameSize - Headroom
	return uint32(max(1, (len(packet)+part-1)/part))
}

// copyIn puts a packet into frames of the fill ring.
func (k *Kernel) copyIn(packet []byte) {
	for {
		at := k.takeFrame() + Headroom
		n := copy(k.umem[at:(at&^uint64(k.frameSize-1))+uint64(k.frameSize)], packet)
		packet = packet[n:]
		d := xsk.Desc{Addr: at, Len: uint32(n)}
		if len(packet) > 0 {
			d.Options = xsk.PktContd
		}
		k.rx.Entries[k.rxNext&uint32(len(k.rx.Entries)-1)] = d
		k.rxNext++
		if len(packet) == 0 {
			return
		}
	}
}

func (k *Kernel) takeFrame() uint64 {
	addr := k.fill.Entries[k.fillNext&uint32(len(k.fill.Entries)-1)]
	k.fillNext++
	return addr
}

func (k *Kernel) publish() {
	k.fill.Consumer.Store(k.fillNext)
	k.rx.Producer.Store(k.rxNext)
}

// Place lets put write a packet into each receive frame, for Burst to deliver; put returns its
// length. It is to be called while the kernel has all frames: before the first packet, or when
// all were released.
func (k *Kernel) Place(put func(frame []byte) int) {
	if k.lengths == nil {
		k.lengths = make([]uint32, k.frames)
	}
	for i := range k.lengths {
		k.lengths[i] = uint32(put(k.umem[i*k.frameSize+Headroom : (i+1)*k.frameSize]))
	}
}

// Burst offers n of the placed packets: those that lie in the frames next in the fill ring. Their
// bytes are not touched, so that it costs little beside what is measured. It returns how many
// were delivered.
func (k *Kernel) Burst(n int) (delivered int) {
	want := uint32(n)
	got := min(want, k.fill.Producer.Load()-k.fillNext)
	if got < want {
		k.fillEmpty.Add(uint64(want - got))
		k.fill.Flags.Store(xsk.NeedWakeup)
	}
	room := uint32(len(k.rx.Entries)) - (k.rxNext - k.rx.Consumer.Load())
	if room < got {
		k.ringFull.Add(uint64(got - room))
		got = room
	}
	rx, rxMask := k.rx.Entries, uint32(len(k.rx.Entries)-1)
	fill, fillMask := k.fill.Entries, uint32(len(k.fill.Entries)-1)
	shift, lengths := bits.TrailingZeros64(uint64(k.frameSize)), k.lengths
	for i := range got {
		addr := fill[(k.fillNext+i)&fillMask]
		d := &rx[(k.rxNext+i)&rxMask]
		d.Addr, d.Len, d.Options = addr+Headroom, lengths[addr>>shift], 0
	}
	k.fillNext += got
	k.rxNext += got
	k.publish()
	k.offered.Add(uint64(n))
	return int(got)
}

func (k *Kernel) wake() {
	k.wakeups.Add(1)
	k.fill.Flags.Store(0)
}

// Offered returns how many packets arrived.
func (k *Kernel) Offered() uint64 { return k.offered.Load() }

// Wakeups returns how often the queue woke the kernel.
func (k *Kernel) Wakeups() uint64 { return k.wakeups.Load() }

// Drops returns the packets that were not delivered, by reason: "fill_empty" when no frame
// was free, "rx_ring_full" when no descriptor was.
func (k *Kernel) Drops() map[string]uint64 {
	return map[string]uint64{
		"fill_empty": k.fillEmpty.Load(), "rx_ring_full": k.ringFull.Load(),
	}
}
