package lab

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir/tools/blast"
	"weir/tools/blast/live"
)

const (
	// burst is how many frames one call into the kernel sends at most: some milliseconds.
	burst = live.MaxBurst
	// tick is how long Run sleeps between bursts, except when frames are rarer.
	tick = time.Millisecond
)

// Generator sends copies of one frame, patched, or the frames of a load, from a program in the
// kernel: the same pages go round and round, so that nothing but the patches, or making the frames
// and one copy of them, costs time for each.
type Generator struct {
	lab     *Lab
	config  GeneratorConfig
	kernel  *live.Kernel
	stream  blast.Stream // nil: patches
	mu      sync.Mutex   // one sender
	closing atomic.Bool
	sent    atomic.Uint64 // as of the last burst
}

// Generator returns a Generator, which is to be closed before the Lab.
func (l *Lab) Generator(c GeneratorConfig) (*Generator, error) {
	c.Frame, c.Patches = slices.Clone(c.Frame), slices.Clone(c.Patches)
	if err := c.check(&l.options); err != nil {
		return nil, err
	}
	name := Gen.Interface(c.Link)
	dev, err := l.ends[Gen].link(name)
	if err != nil {
		return nil, err
	}
	// The kernel drops longer ones without a trace.
	if most := dev.Attrs().MTU + ethernetLen; c.longest() > most {
		return nil, fmt.Errorf("frame of %d bytes, %s takes %d", c.longest(), name, most)
	}
	g := &Generator{lab: l, config: c}
	if err := g.load(); err != nil {
		return nil, err
	}
	return g, nil
}

// load makes the kernel's half, and the stream where there is one.
func (g *Generator) load() (err error) {
	c := &g.config
	if c.Load == nil {
		g.kernel, err = live.NewPatched(c.Frame, c.Patches)
		return err
	}
	s, err := c.Load.Stream(0, 0)
	if err != nil {
		return err
	}
	g.stream = sendable{s}
	g.kernel, err = live.NewKernel(c.longest())
	return err
}

// sendable is a stream that an interface can send: frames below Ethernet's header, which W8 has,
// are filled up with zeros.
type sendable struct{ blast.Stream }

// Next implements blast.Stream.
func (s sendable) Next(b []byte) int {
	n := s.Stream.Next(b)
	if n < ethernetLen {
		clear(b[n:ethernetLen])
		n = ethernetLen
	}
	return n
}

// Close waits for a burst that is under way, and ends Send and Run with os.ErrClosed.
func (g *Generator) Close() error {
	g.closing.Store(true)
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.kernel.Close()
}

// Sent returns how many frames were given to the link since the Generator was made; it is exact
// at any time, of a load as of the last burst. The link may have lost some: Counters tells.
func (g *Generator) Sent() uint64 {
	if g.stream != nil { // the count lies in memory that Close may be giving back
		return g.sent.Load()
	}
	sent, err := g.kernel.Sent()
	if err != nil {
		return g.sent.Load()
	}
	return sent
}

// Send sends n frames as fast as they go, and returns how many it sent.
func (g *Generator) Send(n int) (int, error) {
	sent := 0
	err := g.pinned(func() error {
		for sent < n {
			k, err := g.burst(min(n-sent, burst))
			sent += k
			if err != nil {
				return err
			}
		}
		return nil
	})
	return sent, err
}

// catchUp is how many times faster than its rate Run sends at most: the kernel takes milliseconds
// between two bursts, and a link's end is to get what was due then as from a network, not at once.
const catchUp = 6

// Run sends pps frames a second until ctx is done, which is no error. The schedule counts from
// the start: what a delay held up is sent after it. Run calls each, unless nil, after each burst,
// with the number of frames that it sent so far.
func (g *Generator) Run(ctx context.Context, pps float64, each func(sent uint64)) error {
	if !(pps > 0) {
		return fmt.Errorf("%v frames per second", pps)
	}
	return g.pinned(func() error {
		g.kernel.Pace(time.Duration(float64(time.Second) / (pps * catchUp)))
		defer g.kernel.Pace(0)
		var sent uint64
		start := time.Now()
		for ctx.Err() == nil {
			now := time.Since(start)
			if due := uint64(pps * now.Seconds()); due > sent {
				k, err := g.burst(int(min(due-sent, burst)))
				sent += uint64(k)
				if err != nil {
					return err
				}
				if each != nil {
					each(sent)
				}
			}
			next := time.Duration(float64(sent+1) / pps * float64(time.Second))
			sleep(ctx, start.Add(max(next, now.Truncate(tick)+tick)))
		}
		return nil
	})
}

func sleep(ctx context.Context, until time.Time) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// burst sends n frames, to whatever interface has the link's name now.
func (g *Generator) burst(n int) (int, error) {
	g.lab.bursts.RLock()
	defer g.lab.bursts.RUnlock()
	if g.closing.Load() {
		return 0, fmt.Errorf("send: generator: %w", os.ErrClosed)
	}
	index := int(g.lab.indexes[g.config.Link].Load())
	var sent int
	var err error
	if g.stream == nil {
		sent, err = g.kernel.Run(index, n)
	} else {
		sent, err = g.kernel.Send(index, g.stream, n)
	}
	g.sent.Add(uint64(sent))
	return sent, err
}

// pinned calls f alone, on the right CPU and in the right namespace.
func (g *Generator) pinned(f func() error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lab.Gen().Do(func() error { return live.OnCPU(g.config.CPU, f) })
}
