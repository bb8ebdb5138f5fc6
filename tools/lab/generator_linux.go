package lab

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"weir/tools/blast/live"
)

const (
	// burst is how many frames one call into the kernel sends at most: some milliseconds.
	burst = live.MaxBurst
	// tick is how long Run sleeps between bursts, except when frames are rarer.
	tick = time.Millisecond
)

// Generator sends copies of one frame, patched, from a program in the kernel: the same pages go
// round and round, so that nothing but the patches costs time for each frame.
type Generator struct {
	lab     *Lab
	config  GeneratorConfig
	kernel  *live.Kernel
	mu      sync.Mutex // one sender
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
	if most := dev.Attrs().MTU + ethernetLen; len(c.Frame) > most {
		return nil, fmt.Errorf("frame of %d bytes, %s takes %d", len(c.Frame), name, most)
	}
	kernel, err := live.NewPatched(c.Frame, c.Patches)
	if err != nil {
		return nil, err
	}
	return &Generator{lab: l, config: c, kernel: kernel}, nil
}

// Close waits for a burst that is under way, and ends Send and Run with os.ErrClosed.
func (g *Generator) Close() error {
	g.closing.Store(true)
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.kernel.Close()
}

// Sent returns how many frames were given to the link since the Generator was made; it is exact
// at any time. The link may have lost some: Counters tells.
func (g *Generator) Sent() uint64 {
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

// Run sends pps frames a second until ctx is done, which is no error. The schedule counts from
// the start: what a delay held up is sent after it. Run calls each, unless nil, after each burst,
// with the number of frames that it sent so far.
func (g *Generator) Run(ctx context.Context, pps float64, each func(sent uint64)) error {
	if !(pps > 0) {
		return fmt.Errorf("%v frames per second", pps)
	}
	return g.pinned(func() error {
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
	sent, err := g.kernel.Run(int(g.lab.indexes[g.config.Link].Load()), n)
	g.sent.Add(uint64(sent))
	return sent, err
}

// pinned calls f alone, on the right CPU and in the right namespace.
func (g *Generator) pinned(f func() error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lab.Gen().Do(func() error { return live.OnCPU(g.config.CPU, f) })
}
