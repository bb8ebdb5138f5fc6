package wire

import (
	"context"
	"math/bits"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"weir/tools/blast"
	"weir/tools/blast/live"
)

const (
	// burst is how many frames are sent between two looks at the clock, at most.
	burst = 512
	// Bounds of a sleep: what the kernel can do, and how long Ctrl-C may wait.
	shortNap, longNap = 50 * time.Microsecond, 10 * time.Millisecond
	// grace is for how long after its end a Run sends what was due before: who was held up catches
	// up, and who cannot keep up with the rate does not go on for ever.
	grace = time.Second
)

// sender is one core's part of a Run.
type sender struct {
	config *Config
	place  int // of senders
	of     int // as many
	cpu    int // -1: any
	tx     Transmitter
	stream trim
	clock  blast.Clocked // of the stream; nil: it tells no time
	given  uint64
	cost   time.Duration // of CPU
	err    error

	frames, bytes atomic.Uint64 // as of the last burst
}

// trim is a stream, as it goes to the wire.
type trim struct {
	blast.Stream
	dst, src *[6]byte
	frames   uint64
	bytes    uint64
	padded   uint64
}

// Next implements blast.Stream.
func (t *trim) Next(b []byte) int {
	n := t.Stream.Next(b)
	if n < shortest {
		t.padded++
		clear(b[n:shortest])
		n = shortest
	}
	if t.dst != nil {
		copy(b[:6], t.dst[:])
	}
	if t.src != nil {
		copy(b[6:12], t.src[:])
	}
	t.frames++
	t.bytes += uint64(n)
	return n
}

// sent returns how many bytes n of the frames have. Where that is not all, nobody tells which were
// refused: they are taken to be as long as frames are in the mean.
func (t *trim) sent(n uint64) uint64 {
	if n >= t.frames {
		return t.bytes
	}
	hi, lo := bits.Mul64(t.bytes, n)
	bytes, _ := bits.Div64(hi, lo, t.frames) // n < frames: it is below bytes
	return bytes
}

// share returns this sender's part of n frames: together the senders have all.
func (s *sender) share(n uint64) uint64 { return (n + uint64(s.of-1-s.place)) / uint64(s.of) }

// run sends until the end, in the network namespace and on the CPU where it should.
func (s *sender) run(ctx context.Context, start time.Time) {
	s.err = s.config.Enter(func() error {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		return live.OnCPU(s.cpu, func() error {
			before := threadTime()
			err := s.loop(ctx, start)
			if drained := s.tx.Drain(); err == nil && drained != nil {
				err = drained
			}
			s.cost = threadTime() - before
			return err
		})
	})
}

func (s *sender) loop(ctx context.Context, start time.Time) error {
	c := s.config
	for ctx.Err() == nil {
		t := time.Since(start)
		over := c.Time > 0 && t >= c.Time
		late := over && t >= c.Time+grace
		if over {
			t = c.Time
		}
		n, wait := s.due(t)
		if over && (n == 0 || late || c.Shape.PPS == 0) {
			return nil
		}
		if c.Frames > 0 {
			left := s.share(c.Frames) - s.given
			if left == 0 {
				return nil
			}
			n = min(n, left)
		}
		if n == 0 {
			nap(wait)
			continue
		}
		if s.clock != nil { // once per burst: no frame waits for a clock
			s.clock.SetClock(start.Add(t))
		}
		sent, err := s.tx.Send(&s.stream, int(min(n, uint64(s.tx.Burst()))))
		s.given += uint64(sent)
		s.frames.Store(s.given)
		s.bytes.Store(s.stream.bytes)
		if err != nil {
			return err
		}
	}
	return nil
}

// due returns how many frames are to be sent at t, and, if none, how long none will be.
func (s *sender) due(t time.Duration) (n uint64, wait time.Duration) {
	shape := &s.config.Shape
	if shape.PPS == 0 {
		if _, silence := shape.active(t); silence > 0 {
			return 0, silence
		}
		return uint64(s.tx.Burst()), 0
	}
	if due := s.share(shape.due(t)); due > s.given {
		return due - s.given, 0
	}
	return 0, shape.At(s.given*uint64(s.of)+uint64(s.place)) - t
}

// nap sleeps for a while, exact to some dozens of microseconds, and not for long.
func nap(d time.Duration) {
	t := unix.NsecToTimespec(int64(min(max(d, shortNap), longNap)))
	_ = unix.Nanosleep(&t, nil) // cut short by a signal it is as good
}

// threadTime returns the CPU time of the calling thread.
func threadTime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
