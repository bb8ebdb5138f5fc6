package ringtest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"weir/ring"
)

func newKernel(t testing.TB, c Config) *Kernel {
	t.Helper()
	k, err := NewKernel(c)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// numbered returns a packet of that many bytes, at least 8, that says its number in every byte.
func numbered(n uint64, length int) []byte {
	p := bytes.Repeat([]byte{byte(n)}, length)
	binary.BigEndian.PutUint64(p, n)
	return p
}

// poll takes one burst and returns the packets' heads.
func poll(t testing.TB, s ring.Source, b *ring.Batch) (heads []string) {
	t.Helper()
	if _, err := s.Poll(b); err != nil {
		t.Fatal(err)
	}
	for i := range b.N {
		heads = append(heads, string(b.Data(i)))
	}
	s.Release(b)
	return heads
}

func dropped(k *Kernel) (total uint64) {
	for _, n := range k.Drops() {
		total += n
	}
	return total
}

// The twin is a list: what is delivered comes out of Poll in order, and what is not is counted
// for the reason that its room had.
func TestDeliverAgainstTwin(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 0))
		frames := 1 << rng.IntN(8)
		k := newKernel(t, Config{
			Frames: frames, FrameSize: 512, RXSize: 1 << rng.IntN(8), Start: -uint32(seed * 10),
		})
		var want []string
		var b ring.Batch
		full, empty, offered := uint64(0), uint64(0), uint64(0)
		inUse, inRing := 0, 0 // frames
		for range 500 {
			for range rng.IntN(20) {
				p := numbered(offered, 8+rng.IntN(700))
				need := (len(p) + 255) / 256
				offered++
				delivered := false
				switch {
				case inUse+need > frames:
					empty++
				case inRing+need > len(k.rx.Entries):
					full++
				default:
					delivered = true
					inUse += need
					inRing += need
					want = append(want, string(p))
				}
				if k.Deliver(p) != delivered {
					t.Fatalf("seed %d: packet of %d bytes delivered: %v", seed, len(p), !delivered)
				}
			}
			for _, head := range poll(t, k.Queue(), &b) {
				if len(want) == 0 || head != want[0][:min(256, len(want[0]))] {
					t.Fatalf("seed %d: %.20q, %d packets wait", seed, head, len(want))
				}
				need := (len(want[0]) + 255) / 256
				inUse -= need
				inRing -= need
				want = want[1:]
			}
		}
		drops := k.Drops()
		if k.Offered() != offered || drops["fill_empty"] != empty || drops["rx_ring_full"] != full {
			t.Errorf("seed %d: offered %d, drops %v, want %d, %d, %d",
				seed, k.Offered(), drops, offered, empty, full)
		}
		st := k.Queue().Stats()
		if st.Received+uint64(len(want))+dropped(k) != offered {
			t.Errorf("seed %d: received %d, %d wait, dropped %d of %d",
				seed, st.Received, len(want), dropped(k), offered)
		}
	}
}

func TestLongPacket(t *testing.T) {
	k := newKernel(t, Config{Frames: 8})
	long := numbered(7, 9000)
	if !k.Deliver(long) || !k.Deliver(numbered(8, 60)) {
		t.Fatal("not delivered")
	}
	var b ring.Batch
	if n, err := k.Queue().Poll(&b); n != 2 || err != nil {
		t.Fatalf("Poll gives %d and %v", n, err)
	}
	f := b.Frames[0]
	if f.Wire != 9000 || f.Cap != 2048-Headroom || !bytes.Equal(b.Data(0), long[:f.Cap]) {
		t.Errorf("frame %+v", f)
	}
	k.Queue().Release(&b)
	if st := k.Queue().Stats(); st.Received != 2 || st.Bytes != 9060 {
		t.Errorf("Stats %+v", st)
	}
	if !k.Deliver(long) || k.Deliver(long) {
		t.Error("8 frames must hold one packet of 6, and not two")
	}
}

// Every packet that two goroutines pass is received whole and in order, or dropped by name.
func TestTwoGoroutines(t *testing.T) {
	const offered = 50000
	k := newKernel(t, Config{Frames: 128, FrameSize: 512, RXSize: 64, Start: 1<<32 - 1000})
	done := make(chan struct{})
	go func() {
		defer close(done)
		rng := rand.New(rand.NewPCG(1, 1))
		for n := uint64(0); n < offered; {
			var burst [][]byte
			for range min(1+rng.Uint64N(40), offered-n) {
				burst = append(burst, numbered(n, 8+rng.IntN(600)))
				n++
			}
			k.DeliverAll(burst)
			runtime.Gosched()
		}
	}()
	received, last := uint64(0), int64(-1)
	var b ring.Batch
	for finished := false; ; {
		select {
		case <-done:
			finished = true
		default:
		}
		heads := poll(t, k.Queue(), &b)
		for _, head := range heads {
			n := binary.BigEndian.Uint64([]byte(head))
			if int64(n) <= last || head != string(numbered(n, len(head))) {
				t.Fatalf("packet %d after %d: %q", n, last, head)
			}
			last = int64(n)
		}
		received += uint64(len(heads))
		if len(heads) == 0 && finished {
			break
		}
		runtime.Gosched()
	}
	st := k.Queue().Stats()
	if st.Received != received || received+dropped(k) != offered || k.Offered() != offered {
		t.Errorf("received %d (%d), dropped %v, offered %d of %d",
			received, st.Received, st.Dropped, k.Offered(), offered)
	}
	if received == 0 {
		t.Error("nothing was received")
	}
}

// Burst delivers the placed packets frame by frame, round and round.
func TestBurst(t *testing.T) {
	k := newKernel(t, Config{Frames: 96, FrameSize: 512, RXSize: 32, Start: 1<<32 - 77})
	var packets [][]byte
	for i := range 5 {
		packets = append(packets, numbered(uint64(i), 60+i))
	}
	placed := 0
	k.Place(func(b []byte) int {
		placed++
		return copy(b, packets[(placed-1)%len(packets)])
	})
	var b ring.Batch
	frame, offered, received := 0, 0, 0
	rng := rand.New(rand.NewPCG(3, 3))
	for range 1000 {
		n := rng.IntN(50)
		offered += n
		if got := k.Burst(n); got > n || got > 32 {
			t.Fatalf("%d of %d delivered", got, n)
		}
		for _, head := range poll(t, k.Queue(), &b) {
			if head != string(packets[frame%96%5]) {
				t.Fatalf("frame %d holds %q", frame, head)
			}
			frame++
			received++
		}
	}
	for received < offered-int(dropped(k)) {
		received += len(poll(t, k.Queue(), &b))
	}
	if k.Offered() != uint64(offered) || uint64(received)+dropped(k) != uint64(offered) ||
		dropped(k) == 0 {
		t.Errorf("%d received, %v dropped, %d of %d offered",
			received, k.Drops(), k.Offered(), offered)
	}
}

func TestBurstDropsByReason(t *testing.T) {
	k := newKernel(t, Config{Frames: 8, RXSize: 64})
	k.Place(func(b []byte) int { return copy(b, numbered(0, 60)) })
	if got := k.Burst(10); got != 8 || fmt.Sprint(k.Drops()) != "map[fill_empty:2 rx_ring_full:0]" {
		t.Errorf("%d delivered, drops %v", got, k.Drops())
	}
	k = newKernel(t, Config{Frames: 64, RXSize: 8})
	k.Place(func(b []byte) int { return copy(b, numbered(0, 60)) })
	if got := k.Burst(10); got != 8 || fmt.Sprint(k.Drops()) != "map[fill_empty:0 rx_ring_full:2]" {
		t.Errorf("%d delivered, drops %v", got, k.Drops())
	}
}

// The kernel that ran out of frames asks to be woken, and is, once.
func TestWakeup(t *testing.T) {
	k := newKernel(t, Config{Frames: 2})
	var b ring.Batch
	k.Deliver(numbered(0, 60))
	poll(t, k.Queue(), &b)
	if k.Wakeups() != 0 {
		t.Error("woken without having asked")
	}
	for range 3 {
		k.Deliver(numbered(0, 60))
	}
	poll(t, k.Queue(), &b)
	poll(t, k.Queue(), &b)
	if k.Wakeups() != 1 {
		t.Errorf("woken %d times, want 1", k.Wakeups())
	}
}

func TestNewKernelFailure(t *testing.T) {
	f := func(want string, c Config) {
		t.Helper()
		if _, err := NewKernel(c); err == nil || err.Error() != want {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f("make rx ring: map ring of 3 entries: not a power of two", Config{RXSize: 3})
	f("make fill ring: map ring of 5 entries: not a power of two", Config{FillSize: 5, RXSize: 8})
	f("open queue: 4096 receive frames, the fill ring holds 64", Config{FillSize: 64})
	f("open queue: 4 receive frames of 1 in the UMEM",
		Config{Frames: 4, UMEM: make([]byte, 2048)})
	f("open queue: frames of 128 bytes: not over the headroom of 256",
		Config{Frames: 4, FrameSize: 128})
}

func TestBurstNoAllocs(t *testing.T) {
	k := newKernel(t, Config{})
	k.Place(func(b []byte) int { return copy(b, numbered(0, 60)) })
	var b ring.Batch
	n := testing.AllocsPerRun(1000, func() {
		k.Burst(ring.BurstSize)
		if _, err := k.Queue().Poll(&b); err != nil {
			t.Fatal(err)
		}
		k.Queue().Release(&b)
	})
	if n != 0 {
		t.Errorf("%v allocations per burst", n)
	}
}
