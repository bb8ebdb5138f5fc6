package daemon

import (
	"context"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
)

// stuckAfter is how long a worker or the loop may be silent before it counts as stuck. Both answer
// at least once a second.
const stuckAfter = 3 * time.Second

// tellSystemd sends a state to the service manager, where there is one.
func tellSystemd(state string) {
	_, _ = systemd.SdNotify(false, state) // none, or none that listens: nobody to tell
}

// feedWatchdog tells the service manager that all is well as long as it is, until ctx ends.
func (d *Daemon) feedWatchdog(ctx context.Context) {
	every := time.Second
	if limit, err := systemd.SdWatchdogEnabled(false); err == nil && limit > 0 {
		every = min(every, limit/3)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		stuck := d.stuck()
		for _, what := range stuck {
			d.log.Error("stuck", "cause", what, "what", what)
		}
		if len(stuck) == 0 {
			tellSystemd("WATCHDOG=1")
		}
	}
}

// stuck names what hangs, as sentences.
func (d *Daemon) stuck() []string {
	if !d.ready.Load() {
		return nil
	}
	var out []string
	now := d.clock()
	if age := time.Duration(now - d.live.Beat()); age > stuckAfter {
		out = append(out, sentence("The control loop has not turned for %v.", age))
	}
	picture := d.live.Picture()
	for i := range picture.Workers {
		w := &picture.Workers[i]
		if age := time.Duration(picture.Time - w.Answered); w.Late && age > stuckAfter {
			out = append(out, sentence("Worker %d has not answered for %v.", w.Number, age))
		}
	}
	return out
}
