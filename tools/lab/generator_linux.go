package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

const (
	// burst is how many frames one call into the kernel sends at most: some milliseconds.
	burst = 1 << 14
	// batch is how many frames the kernel makes before it lets the receiver run, on the same CPU.
	// veth has room for 256 per queue.
	batch = 64
	// tick is how long Run sleeps between bursts, except when frames are rarer.
	tick = time.Millisecond
)

// Generator sends copies of one frame, patched, from a program in the kernel: the same pages go
// round and round, so that nothing but the patches costs time for each frame.
type Generator struct {
	lab     *Lab
	config  GeneratorConfig
	program *ebpf.Program
	shared  *ebpf.Map
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
	program, shared, err := loadProgram(&c)
	if err != nil {
		return nil, err
	}
	return &Generator{lab: l, config: c, program: program, shared: shared}, nil
}

// Close waits for a burst that is under way, and ends Send and Run with os.ErrClosed.
func (g *Generator) Close() error {
	g.closing.Store(true)
	g.mu.Lock()
	defer g.mu.Unlock()
	return errors.Join(g.program.Close(), g.shared.Close())
}

// Sent returns how many frames were given to the link since the Generator was made; it is exact
// at any time. The link may have lost some: Counters tells.
func (g *Generator) Sent() uint64 {
	var s state
	if err := g.shared.Lookup(uint32(0), &s); err != nil {
		return g.sent.Load()
	}
	return s.Count
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
	var s state
	if err := g.shared.Lookup(uint32(0), &s); err != nil {
		return 0, fmt.Errorf("read generator's map: %w", err)
	}
	before := s.Count
	s.Limit = before + uint64(n)
	s.Index = uint64(g.lab.indexes[g.config.Link].Load())
	if err := g.shared.Put(uint32(0), &s); err != nil {
		return 0, fmt.Errorf("write generator's map: %w", err)
	}
	_, failed := g.program.Run(&ebpf.RunOptions{
		Data: g.config.Frame, Repeat: uint32(n),
		Flags: unix.BPF_F_TEST_XDP_LIVE_FRAMES, BatchSize: batch,
	})
	if failed != nil {
		failed = fmt.Errorf("run generator's program: %w", failed)
	}
	if err := g.shared.Lookup(uint32(0), &s); err != nil {
		return 0, fmt.Errorf("read generator's map: %w", err)
	}
	g.sent.Store(s.Count)
	return int(s.Count - before), failed
}

// pinned calls f alone, on the right CPU and in the right namespace.
func (g *Generator) pinned(f func() error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lab.Gen().Do(func() error { return onCPU(g.config.CPU, f) })
}

// onCPU calls f on a CPU. The caller has locked its thread; one that cannot be let go again is
// locked once more, for ever.
func onCPU(cpu int, f func() error) (err error) {
	var old, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &old); err != nil {
		return fmt.Errorf("get CPUs: %w", err)
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("run on CPU %d: %w", cpu, err)
	}
	defer func() {
		if back := unix.SchedSetaffinity(0, &old); back != nil {
			runtime.LockOSThread()
			err = errors.Join(err, fmt.Errorf("leave CPU %d: %w", cpu, back))
		}
	}()
	return f()
}
