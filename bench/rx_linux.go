package bench

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"weir/ring/afxdp"
)

// Rx measures a worker on a live source: runs at one rate, or searches. Everything that the kernel
// does for the frames before they are in the ring is done on the generator's CPU, or on whichever
// CPU the interface's interrupts are; what is measured is the worker's thread.
func Rx(ctx context.Context, c *RxConfig) (out RxResult, err error) {
	if err := c.check(); err != nil {
		return out, err
	}
	r, err := newRig(c)
	if err != nil {
		return out, err
	}
	defer func() {
		if closed := r.close(); err == nil {
			err = closed
		}
	}()
	out = RxResult{
		Type: "bench", Bench: "rx", Workload: c.Workload.Name, Interface: c.Interface, Via: c.Via,
		Granted: r.granted(), Flows: true,
	}
	if c.Interface == "" {
		out.Interface, out.Offered = rxVeth, c.Rate
	} else {
		out.Workload = LiveWorkload
	}
	if len(c.Searches) > 0 {
		out.Offered, err = 0, r.search(ctx, &out)
	} else {
		err = r.repeat(ctx, &out)
	}
	out.Degraded = append(out.Degraded, r.reasons(out.Granted)...)
	return out, err
}

// reasons returns why figures of this source may be worse than the machine allows.
func (r *rig) reasons(granted string) []string {
	out := slices.Clone(r.config.Degraded)
	if granted == afxdp.ModeCopy || granted == afxdp.ModeGeneric {
		out = append(out, "interface granted "+granted+" mode")
	}
	if n := &r.tables.layout.Networks[0]; !n.Direct && n.Prefix.Addr().Is4() {
		out = append(out, reasonDirectory)
	}
	return out
}

// repeat measures runs at one rate.
func (r *rig) repeat(ctx context.Context, out *RxResult) error {
	var err error
	out.NSPerPacket, out.Figures, err = repeat(r.config.Runs, func() (time.Duration, int, error) {
		run, err := r.run(ctx, r.config.Rate)
		if err != nil {
			return 0, 0, err
		}
		out.Each = append(out.Each, run)
		if run.Received == 0 {
			return 0, 0, r.nothing(&run)
		}
		return time.Duration(run.ns() * float64(run.Received)), int(run.Received), nil
	})
	if err != nil {
		return err
	}
	middle := slices.Clone(out.Each)
	slices.SortFunc(middle, func(a, b RxRun) int {
		return cmp.Compare(a.ns(), b.ns())
	})
	out.take(&middle[(len(middle)-1)/2])
	return nil
}

// take takes over what a run tells but its CPU time in all, of which there is a median.
func (out *RxResult) take(run *RxRun) {
	out.Packets, out.User, out.System = run.Received, run.User, run.System
	out.MPPS, out.Loss = run.MPPS, run.loss()
}

// nothing says that no packet came to the worker.
func (r *rig) nothing(run *RxRun) error {
	switch {
	case r.gen != nil:
		return fmt.Errorf("none of %d packets came over the veth", run.Sent)
	case run.Sent > 0:
		return fmt.Errorf("all of %d packets at %s were lost", run.Sent, r.config.Interface)
	}
	return fmt.Errorf("no packet came to %s in %v", r.config.Interface, r.config.duration())
}

// search finds the highest rates. What one has found to pass is where the next begins, below the
// highest, which may have been that.
func (r *rig) search(ctx context.Context, out *RxResult) error {
	out.Figures = Figures{Cores: 1, Host: ThisHost(), Calibration: calibrate(), RunsNS: []float64{}}
	before := stolen()
	from := 0.0
	for i := range r.config.Searches {
		s := r.config.Searches[i]
		s.Lowest = max(s.Lowest, min(from, behind*s.Highest))
		found, err := s.Run(func(pps float64) (Trial, error) {
			before := mallocs()
			run, err := r.run(ctx, pps)
			if err != nil {
				return Trial{}, err
			}
			sending := r.config.duration().Seconds()
			return Trial{
				Offered: pps, Sent: float64(run.Sent) / sending, Loss: run.loss(),
				Gap: run.Gap, Steal: run.Steal, run: &run, allocs: mallocs() - before,
			}, nil
		})
		if err != nil {
			return err
		}
		if i == 0 {
			out.passed(&found.best)
		}
		out.Rates = append(out.Rates, found)
		from = found.PPS
	}
	out.Degraded = degraded([]float64{1, 1}, stolen()-before, out.Host)
	return nil
}

// passed takes over the figures of the trial that passed at a search's rate.
func (out *RxResult) passed(t *Trial) {
	if t.run == nil || t.run.Received == 0 {
		return
	}
	out.take(t.run)
	ns := t.run.ns()
	out.NSPerPacket, out.RunsNS, out.Runs, out.Lowest, out.Highest = ns, []float64{ns}, 1, ns, ns
	out.Seconds, out.Allocs = ns*float64(t.run.Received)/1e9, t.allocs
}
