package bench

import (
	"cmp"
	"context"
	"slices"
	"time"
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
		Granted: r.granted(), Offered: c.Rate, Flows: true,
	}
	if c.Interface == "" {
		out.Interface = "veth"
	}
	if len(c.Searches) > 0 {
		out.Offered = 0
		return out, r.search(ctx, &out)
	}
	return out, r.repeat(ctx, &out)
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
		used := time.Duration((run.User + run.System) * float64(run.Received))
		return used, max(1, int(run.Received)), nil
	})
	if err != nil {
		return err
	}
	middle := slices.Clone(out.Each)
	slices.SortFunc(middle, func(a, b RxRun) int {
		return cmp.Compare(a.User+a.System, b.User+b.System)
	})
	m := &middle[(len(middle)-1)/2]
	out.User, out.System, out.MPPS, out.Loss = m.User, m.System, m.MPPS, m.loss()
	return nil
}

// search finds the highest rates. What one has found to pass is where the next begins, below the
// highest, which may have been that.
func (r *rig) search(ctx context.Context, out *RxResult) error {
	out.Figures = Figures{Cores: 1, Host: ThisHost(), Calibration: calibrate()}
	before := stolen()
	from := 0.0
	for i := range r.config.Searches {
		s := r.config.Searches[i]
		s.Lowest = max(s.Lowest, min(from, behind*s.Highest))
		found, err := s.Run(func(pps float64) (Trial, error) {
			run, err := r.run(ctx, pps)
			if err != nil {
				return Trial{}, err
			}
			sending := r.config.duration().Seconds()
			return Trial{
				Offered: pps, Sent: float64(run.Sent) / sending, Loss: run.loss(),
				Gap: run.Gap, Steal: run.Steal,
			}, nil
		})
		if err != nil {
			return err
		}
		out.Rates = append(out.Rates, found)
		from = found.PPS
	}
	out.Degraded = degraded([]float64{1, 1}, stolen()-before, out.Host)
	return nil
}
