package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"weir/control/rate"
	"weir/counters"
	"weir/fastpath"
	"weir/ring"
	"weir/ring/afpacket"
	"weir/ring/afxdp"
	"weir/tools/lab"
)

// rxBudget is what the tables of `weir bench rx` may take.
const rxBudget = 1 << 30

// rig is a worker on a live source, and what feeds it.
type rig struct {
	config RxConfig
	lab    *lab.Lab // nil: the interface is not ours
	gen    *lab.Generator
	mirror receiver
	source *watched
	tables *tables
	worker *fastpath.Worker
	stop   atomic.Bool
	index  int // of an interface that is not ours
	thread int // the worker's
	ask    chan chan time.Duration
	asked  atomic.Bool
	ended  chan error
}

// receiver is afxdp.Mirror or afpacket.Mirror.
type receiver interface {
	Run(ctx context.Context, tell func(state, reason string))
	Close() error
}

// watched is a source, and the longest time that nobody looked at it.
//
// Concurrency: Poll and Release are for one goroutine; the gap may be taken by any.
type watched struct {
	ring.Source
	last int64
	gap  atomic.Int64
}

// pollPatience is the longest that a source sleeps of its own will.
const pollPatience = 10 * time.Millisecond

// Poll implements ring.Source.
func (w *watched) Poll(b *ring.Batch) (int, error) {
	n, err := w.Source.Poll(b)
	since := b.Now - w.last
	if n == 0 {
		since -= int64(pollPatience)
	}
	if w.last != 0 && since > w.gap.Load() {
		w.gap.Store(since)
	}
	w.last = b.Now
	return n, err
}

// newRig opens everything, and starts the worker on the last CPU.
func newRig(c *RxConfig) (r *rig, err error) {
	r = &rig{config: *c, ask: make(chan chan time.Duration, 1), ended: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	name, home := c.Interface, c.Home
	in := func(f func() error) error { return f() }
	if name == "" {
		if err := r.makeLab(); err != nil {
			return r, err
		}
		name, in, home = lab.Sut.Interface(0), r.lab.Sut().Do, HomeOf(&c.Workload)
	}
	if err := in(func() error { return r.open(name) }); err != nil {
		return r, err
	}
	if r.gen == nil {
		if r.index, err = r.found(); err != nil {
			return r, err
		}
	}
	r.tables, err = newTablesWithin(counters.NewLayout, []netip.Prefix{home}, 1, rxBudget)
	if err != nil {
		return r, err
	}
	r.worker = fastpath.NewWorker(fastpath.Config{
		Source: r.source, Seed: seed, First: r.tables.first(),
	})
	fastpath.Room(1)
	go func() { r.ended <- r.work() }()
	return r, nil
}

// makeLab makes a veth, and a generator on CPU 0.
func (r *rig) makeLab() (err error) {
	if r.lab, err = lab.Open(lab.Options{}); err != nil {
		return err
	}
	if r.config.Via == ViaAFPacket { // XDP programs make it poll by themselves
		if err := r.lab.SetPolled(0); err != nil {
			return err
		}
	}
	load := r.config.Workload.Load()
	r.gen, err = r.lab.Generator(lab.GeneratorConfig{Load: &load})
	return err
}

func (r *rig) open(name string) error {
	clock := func() int64 { return time.Now().UnixNano() }
	if r.config.Via == ViaAFPacket {
		m, err := afpacket.Open(afpacket.Config{
			Interface: name, Workers: 1, Promiscuous: true, Clock: clock,
		})
		if err != nil {
			return err
		}
		r.mirror, r.source = m, &watched{Source: m.Sources()[0]}
		return nil
	}
	m, err := afxdp.Open(afxdp.Config{
		Interface: name, Workers: 1, Promiscuous: true, Force: r.config.Force, Clock: clock,
	})
	if err != nil {
		return err
	}
	r.mirror, r.source = m, &watched{Source: m.Sources()[0]}
	return nil
}

// granted returns the mode of the source's first queue.
func (r *rig) granted() string {
	if m, ok := r.mirror.(*afxdp.Mirror); ok {
		if s := m.Status(); len(s.Queues) > 0 {
			return s.Queues[0].Mode
		}
		return ""
	}
	return "fanout"
}

// work is the worker's goroutine.
func (r *rig) work() error {
	if err := fastpath.Pin(workerCPU()); err != nil {
		return err
	}
	r.thread = unix.Gettid()
	for !r.stop.Load() {
		if _, err := r.worker.Step(); err != nil {
			return err
		}
		if r.asked.Load() {
			r.asked.Store(false)
			(<-r.ask) <- threadTime()
		}
	}
	return nil
}

// patience bounds the wait for the worker, which looks around every few milliseconds.
const patience = 5 * time.Second

// cpu asks the worker for its CPU time.
func (r *rig) cpu() (time.Duration, error) {
	answer := make(chan time.Duration, 1)
	r.ask <- answer
	r.asked.Store(true)
	select {
	case t := <-answer:
		return t, nil
	case err := <-r.ended:
		r.ended <- err
		return 0, fmt.Errorf("the worker has ended: %w", err)
	case <-time.After(patience):
		return 0, errors.New("the worker does not answer")
	}
}

// flip has the worker take the other table, and adds what it counted in the one that it left.
func (r *rig) flip(sum *rate.Pipeline, fill *uint8) error {
	t := r.tables
	old, next := t.next()
	r.worker.Publish(next)
	for end := time.Now().Add(patience); r.worker.Acked() != t.seq; {
		if time.Now().After(end) {
			return errors.New("the worker does not move to the next table")
		}
		time.Sleep(100 * time.Microsecond)
	}
	sum.Add(&old.Stats)
	*fill = max(*fill, old.Stats.Fill)
	t.merge(old)
	return nil
}

// drain takes what the worker tells control.
func (r *rig) drain() {
	for r.worker.Samples.Front() != nil {
		r.worker.Samples.Advance()
	}
	for r.worker.Hints.Front() != nil {
		r.worker.Hints.Advance()
	}
}

// send has the generator send at a rate for so long, and returns how many it sent.
func (r *rig) send(ctx context.Context, pps float64, lasts time.Duration) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, lasts)
	defer cancel()
	if r.gen == nil {
		<-ctx.Done()
		return 0, nil
	}
	before := r.gen.Sent()
	err := r.gen.Run(ctx, pps, nil)
	return r.gen.Sent() - before, err
}

// close stops the worker and gives everything back.
func (r *rig) close() error {
	var errs []error
	if r.worker != nil {
		r.stop.Store(true)
		errs = append(errs, <-r.ended)
	}
	if r.gen != nil {
		errs = append(errs, r.gen.Close())
	}
	if r.mirror != nil {
		errs = append(errs, r.mirror.Close())
	}
	if r.lab != nil {
		errs = append(errs, r.lab.Close())
	}
	if r.tables != nil {
		errs = append(errs, r.tables.memory.Close())
	}
	return errors.Join(errs...)
}

// settle is how long frames take at most from the generator to the tables: the kernel keeps a block
// of AF_PACKET for 4 ms.
const settle = 100 * time.Millisecond

// run measures the worker while frames come at a rate.
func (r *rig) run(ctx context.Context, pps float64) (out RxRun, err error) {
	var sum, none rate.Pipeline
	var fill, ignored uint8
	if err := r.flip(&none, &ignored); err != nil {
		return out, err
	}
	before, stolenBefore := r.places(), stolen()
	r.source.gap.Store(0)
	used, err := r.cpu()
	if err != nil {
		return out, err
	}
	samples, err := NewSamples(workerCPU())
	if err != nil {
		return out, err
	}
	defer samples.Close()
	start := time.Now()
	var sent uint64
	var failed error
	var sending sync.WaitGroup
	over := make(chan struct{})
	sending.Go(func() {
		defer close(over)
		sent, failed = r.send(ctx, pps, r.config.duration())
	})
	err = r.control(over, &sum, &fill)
	sending.Wait()
	out.Seconds = time.Since(start).Seconds()
	if err = errors.Join(err, failed, ctx.Err(), r.there()); err != nil {
		return out, err
	}
	time.Sleep(settle)
	after, err := r.cpu()
	if err != nil {
		return out, err
	}
	all, own, err := samples.Stop(func(_, thread int) bool { return thread == r.thread })
	if err != nil {
		return out, err
	}
	if err := r.flip(&sum, &fill); err != nil {
		return out, err
	}
	out.Steal = stolen() - stolenBefore
	out.Sent, out.Received, out.Unplaced = sent, sum.Received, sum.Unplaced
	out.Fill, out.Gap = int(fill), float64(r.source.gap.Load())/1e6
	out.account(r.places().since(before), sum.Shed, r.gen != nil)
	out.perPacket(after-used, float64(own)/float64(max(1, all)))
	return out, nil
}

// found returns the index of an interface that is not ours.
func (r *rig) found() (int, error) {
	i, err := net.InterfaceByName(r.config.Interface)
	if err != nil {
		return 0, fmt.Errorf("interface %s is gone: %w", r.config.Interface, err)
	}
	return i.Index, nil
}

// there says that the interface that packets are expected at is not there any more.
func (r *rig) there() error {
	if r.gen != nil {
		return nil
	}
	index, err := r.found()
	if err == nil && index != r.index {
		err = fmt.Errorf("interface %s is gone: another has its name", r.config.Interface)
	}
	return err
}

// flipEvery is how often the tables are exchanged, as the daemon does.
const flipEvery = time.Second

// control does what the control loop does until over is closed.
func (r *rig) control(over chan struct{}, sum *rate.Pipeline, fill *uint8) error {
	drain, flip := time.NewTicker(10*time.Millisecond), time.NewTicker(flipEvery)
	defer drain.Stop()
	defer flip.Stop()
	for {
		select {
		case <-over:
			return nil
		case <-drain.C:
			r.drain()
		case <-flip.C:
			if err := r.flip(sum, fill); err != nil {
				return err
			}
		}
	}
}

// perPacket fills in what depends on the CPU time, of which a part is user time.
func (r *RxRun) perPacket(used time.Duration, user float64) {
	ns := float64(used.Nanoseconds()) / float64(max(1, r.Received))
	r.User, r.System = ns*user, ns*(1-user)
	r.MPPS = float64(r.Received) / r.Seconds / 1e6
}

// workerCPU is the last.
func workerCPU() int { return runtime.NumCPU() - 1 }
