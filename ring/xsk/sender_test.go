package xsk_test

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	"weir/ring/xsk"
)

// wire plays the kernel's half of the sending rings.
type wire struct {
	umem []byte
	tx   xsk.Ring[xsk.Desc]
	done xsk.Ring[uint64]
	sent []uint64 // addresses that are sent and not yet reported
}

// send puts up to n packets on the wire, in order.
func (w *wire) send(n int) (packets [][]byte) {
	for range n {
		at := w.tx.Consumer.Load()
		if at == w.tx.Producer.Load() {
			break
		}
		d := w.tx.Entries[at&uint32(len(w.tx.Entries)-1)]
		packets = append(packets, append([]byte{}, w.umem[d.Addr:d.Addr+uint64(d.Len)]...))
		w.sent = append(w.sent, d.Addr)
		w.tx.Consumer.Store(at + 1)
	}
	return packets
}

// report completes up to n of the sent packets.
func (w *wire) report(n int) {
	for range min(n, len(w.sent)) {
		at := w.done.Producer.Load()
		w.done.Entries[at&uint32(len(w.done.Entries)-1)] = w.sent[0]
		w.sent = w.sent[1:]
		w.done.Producer.Store(at + 1)
	}
}

// Every packet arrives once, in order and unharmed by later ones, and every frame comes back.
func TestSenderAgainstTwin(t *testing.T) {
	const frames, frameSize = 24, 64
	for _, start := range []uint32{0, 1<<32 - 50} {
		rng := rand.New(rand.NewPCG(uint64(start), 1))
		w := &wire{
			umem: make([]byte, 32*frameSize),
			tx:   testRing[xsk.Desc](t, 32, start), done: testRing[uint64](t, 32, start),
		}
		s, err := xsk.NewSender(xsk.SenderConfig{
			UMEM: w.umem, FrameSize: frameSize, First: 8, Frames: frames,
			TX: w.tx, Completion: w.done,
		})
		if err != nil {
			t.Fatal(err)
		}
		committed, flushed, arrived := uint64(0), uint64(0), uint64(0)
		for range 5000 {
			for range rng.IntN(20) {
				frame := s.Reserve()
				inFlight := int(committed-arrived) + len(w.sent)
				if (frame == nil) != (inFlight == frames) || len(frame)%frameSize != 0 {
					t.Fatalf("frame of %d bytes with %d in flight", len(frame), inFlight)
				}
				if frame == nil {
					break
				}
				binary.BigEndian.PutUint64(frame, committed)
				s.Commit(8 + int(committed%50))
				committed++
			}
			if rng.IntN(3) > 0 {
				s.Flush()
				flushed = committed
			}
			for _, p := range w.send(rng.IntN(20)) {
				if binary.BigEndian.Uint64(p) != arrived || len(p) != 8+int(arrived%50) {
					t.Fatalf("packet %x arrived, want number %d", p, arrived)
				}
				arrived++
			}
			if arrived > flushed {
				t.Fatalf("packet %d arrived before Flush of %d", arrived, flushed)
			}
			w.report(rng.IntN(20))
			if got, want := s.Free(), frames-int(committed-arrived)-len(w.sent); got != want {
				t.Fatalf("%d frames free, want %d", got, want)
			}
		}
		if arrived < 10000 {
			t.Errorf("%d packets only", arrived)
		}
		for _, b := range w.umem[:8*frameSize] {
			if b != 0 {
				t.Fatal("frames before the first were written to")
			}
		}
	}
}

func TestSenderWakesOnlyWhenAsked(t *testing.T) {
	tx, woken := testRing[xsk.Desc](t, 4, 0), 0
	s, err := xsk.NewSender(xsk.SenderConfig{
		UMEM: make([]byte, 4*64), FrameSize: 64, Frames: 4, TX: tx,
		Completion: testRing[uint64](t, 4, 0), Wake: func() { woken++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Flush()
	if woken != 0 {
		t.Error("woken without having asked")
	}
	tx.Flags.Store(xsk.NeedWakeup)
	s.Flush()
	if woken != 1 {
		t.Errorf("woken %d times, want 1", woken)
	}
}

func TestNewSenderFailure(t *testing.T) {
	f := func(want string, damage func(*xsk.SenderConfig)) {
		t.Helper()
		c := xsk.SenderConfig{
			UMEM: make([]byte, 8*64), FrameSize: 64, First: 4, Frames: 4,
			TX: testRing[xsk.Desc](t, 4, 0), Completion: testRing[uint64](t, 4, 0),
		}
		damage(&c)
		if _, err := xsk.NewSender(c); err == nil || err.Error() != "open sender: "+want {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f("frames of 65 bytes: not a power of two", func(c *xsk.SenderConfig) { c.FrameSize = 65 })
	f("4 frames from 5 on, of 8 in the UMEM", func(c *xsk.SenderConfig) { c.First = 5 })
	f("4 frames from -1 on, of 8 in the UMEM", func(c *xsk.SenderConfig) { c.First = -1 })
	f("0 frames from 4 on, of 8 in the UMEM", func(c *xsk.SenderConfig) { c.Frames = 0 })
	f("4 frames, the rings hold 2 and 4", func(c *xsk.SenderConfig) {
		c.TX = testRing[xsk.Desc](t, 2, 0)
	})
	f("4 frames, the rings hold 4 and 0", func(c *xsk.SenderConfig) {
		c.Completion = xsk.Ring[uint64]{}
	})
}

func TestCommitFailure(t *testing.T) {
	s, err := xsk.NewSender(xsk.SenderConfig{
		UMEM: make([]byte, 64), FrameSize: 64, Frames: 1, TX: testRing[xsk.Desc](t, 1, 0),
		Completion: testRing[uint64](t, 1, 0),
	})
	if err != nil {
		t.Fatal(err)
	}
	f := func(n int) {
		t.Helper()
		defer func() {
			if text, _ := recover().(string); !strings.HasPrefix(text, "BUG: xsk: Commit") {
				t.Errorf("Commit(%d): %q", n, text)
			}
		}()
		s.Commit(n)
	}
	f(65)
	f(-1)
	s.Commit(64)
	f(10) // nothing is reserved
}
