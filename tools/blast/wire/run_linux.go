package wire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"weir/ring/nic"
	"weir/tools/blast"
	"weir/tools/blast/live"
)

// run is a Run under way.
type run struct {
	config  *Config
	target  target
	result  Result
	senders []*sender
}

// Run sends until the load's end, an error, or the end of ctx, which is none. The Result is valid
// with an error too: it says what was sent before. An error that is nic.ErrMissing says that there
// is no such interface, one that is ErrDefaultRoute that Force is needed.
func Run(ctx context.Context, c Config) (Result, error) {
	if err := c.Check(); err != nil {
		return Result{}, err
	}
	r := &run{config: &c, result: Result{Type: "blast", Interface: c.Interface, Load: c.Load.Name}}
	if err := onEach(c.Cores); err != nil {
		return Result{}, fmt.Errorf("send at %s: %w", c.Interface, err)
	}
	err := c.Enter(func() (err error) {
		if r.target, err = find(&c); err != nil {
			return err
		}
		return r.open()
	})
	if err != nil {
		return Result{}, fmt.Errorf("send at %s: %w", c.Interface, explain(err))
	}
	before := r.target.counters
	began := time.Now()
	err = r.send(ctx, began)
	r.settle(time.Since(began))
	closed := r.close()
	counted := c.Enter(func() error { return r.compare(before) })
	if err = errors.Join(err, closed, counted); err != nil {
		err = fmt.Errorf("send at %s: %w", c.Interface, explain(err))
	}
	return r.result, err
}

// onEach says whether this process may run on each of the CPUs: to be asked before the others send.
func onEach(cpus []int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, cpu := range cpus {
		if err := live.OnCPU(cpu, func() error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

// open opens a transmitter for each core.
func (r *run) open() error {
	via := r.config.Via
	if via != Auto {
		return r.openVia(via)
	}
	err := r.openVia(AFXDP)
	if err == nil {
		return nil
	}
	if other := r.openVia(Packet); other != nil {
		return err
	}
	r.result.Reason = "AF_XDP: " + err.Error()
	return nil
}

func (r *run) openVia(via string) (err error) {
	c := r.config
	cores := slices.Clone(c.Cores)
	if len(cores) == 0 {
		cores = []int{-1}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
			r.senders = nil
		}
	}()
	if via == AFXDP && len(cores) > r.target.queues {
		return fmt.Errorf("%d cores need as many transmit queues, and there are %d "+
			"(ethtool -L; or --via live, where cores share one)", len(cores), r.target.queues)
	}
	for i, cpu := range cores {
		s := &sender{config: c, place: i, of: len(cores), cpu: cpu}
		s.stream = trim{dst: c.Dst, src: c.Src}
		if s.stream.Stream, err = c.Load.Stream(c.Seed, i); err != nil {
			return err
		}
		if c.Clock {
			s.clock, _ = s.stream.Stream.(blast.Clocked)
		}
		if s.tx, err = r.transmitter(via, i); err != nil {
			return err
		}
		r.senders = append(r.senders, s)
	}
	r.result.Via = via
	return nil
}

func (r *run) transmitter(via string, queue int) (Transmitter, error) {
	switch via {
	case Live:
		k, err := live.NewKernel(max(r.config.Load.MaxLen, shortest))
		if err != nil {
			return nil, err
		}
		return &kernel{Kernel: k, index: r.target.index}, nil
	case Packet:
		s, err := live.NewSocket(r.target.index)
		if err != nil {
			return nil, err
		}
		return &packets{Socket: s}, nil
	}
	x, err := newXDP(r.target.index, queue)
	if err != nil {
		return nil, err
	}
	r.result.Mode, r.result.Reason = x.Mode()
	return x, nil
}

// send runs all senders to their end. The first error ends all.
func (r *run) send(ctx context.Context, start time.Time) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	for _, s := range r.senders {
		all.Go(func() {
			if s.run(ctx, start); s.err != nil {
				cancel()
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	r.watch(done, start)
	var errs []error
	for _, s := range r.senders {
		errs = append(errs, s.err)
	}
	return errors.Join(errs...)
}

// watch tells of the progress, each second, until all is done.
func (r *run) watch(done <-chan struct{}, start time.Time) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var last Progress
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
		}
		now := Progress{Elapsed: time.Since(start)}
		for _, s := range r.senders {
			now.Frames += s.frames.Load()
			now.Bytes += s.bytes.Load()
		}
		passed := (now.Elapsed - last.Elapsed).Seconds()
		now.PPS = float64(now.Frames-last.Frames) / passed
		now.BPS = 8 * float64(now.Bytes-last.Bytes) / passed
		if r.config.Progress != nil {
			r.config.Progress(now)
		}
		last = now
	}
}

// settle adds up what the senders did.
func (r *run) settle(took time.Duration) {
	all := &r.result
	all.Seconds, all.Interfaced = took.Seconds(), &Counters{}
	for i, s := range r.senders {
		t := s.tx.Totals()
		c := Core{
			CPU: s.cpu, Queue: i, Sent: t.Sent, Bytes: s.stream.sent(t.Sent), Refused: t.Refused,
			Padded: s.stream.padded, CPUTime: s.cost.Seconds(),
			PPS: float64(t.Sent) / all.Seconds,
		}
		if all.Via != AFXDP {
			c.Queue = -1
		}
		all.Cores = append(all.Cores, c)
		all.Sent += c.Sent
		all.Bytes += c.Bytes
		all.Refused += c.Refused
		all.Padded += c.Padded
	}
	all.PPS = float64(all.Sent) / all.Seconds
	all.BPS = 8 * float64(all.Bytes) / all.Seconds
}

func (r *run) close() error {
	var errs []error
	for _, s := range r.senders {
		errs = append(errs, s.tx.Close())
	}
	return errors.Join(errs...)
}

// Drivers count late, some only twice a second.
const (
	counterPatience = 700 * time.Millisecond
	counterPause    = 10 * time.Millisecond
)

// compare notes what the interface's counters say, once they are as far as ours, or as they stay.
func (r *run) compare(before Counters) error {
	for end := time.Now().Add(counterPatience); ; time.Sleep(counterPause) {
		now, err := counters(r.config.Interface)
		if err != nil {
			return err
		}
		*r.result.Interfaced = now.since(before)
		if r.result.Interfaced.TXPackets >= r.result.Sent || time.Now().After(end) {
			return nil
		}
	}
}

// target is the interface as it was found.
type target struct {
	index, queues int
	counters      Counters
}

// find looks for the interface, and at whether it is fit.
func find(c *Config) (t target, err error) {
	h, err := nic.Open()
	if err != nil {
		return t, err
	}
	defer h.Close()
	i, err := h.Find(c.Interface)
	if err != nil {
		return t, err
	}
	routes, err := h.DefaultRoutes()
	if err != nil {
		return t, err
	}
	longest := c.Load.MaxLen - shortest
	switch {
	case routes[i.Name] && !c.Force:
		return t, ErrDefaultRoute
	case i.Encapsulation != "ether" && i.Encapsulation != "loopback":
		return t, fmt.Errorf("its frames are not Ethernet's, but %s",
			cmp.Or(i.Encapsulation, "unknown"))
	case longest > i.MTU:
		return t, fmt.Errorf("its MTU is %d, and %s has packets of up to %d bytes", i.MTU,
			c.Load.Name, longest)
	case !i.Up:
		return t, errors.New("it is down")
	case !i.Running:
		return t, errors.New("it has no link")
	}
	t.index = i.Index
	if t.queues, err = queues(c.Interface); err != nil {
		return t, err
	}
	t.counters, err = counters(c.Interface)
	return t, err
}
