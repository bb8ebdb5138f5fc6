package daemon

import (
	"context"
	"net"
	"net/netip"
	"time"

	"weir/control/brake"
	"weir/control/config"
	"weir/control/governor"
)

// killEvery is how often the kill file is looked for.
const killEvery = 250 * time.Millisecond

func killPath(c *config.Config) string { return brake.Path(c.StateDir) }

// clockStep is from how much on the system's clock has been set, and not slewed.
const clockStep = 500 * time.Millisecond

// guard looks for the kill file and for steps of the system's clock, until ctx ends.
func (d *Daemon) guard(ctx context.Context) {
	tick := time.NewTicker(killEvery)
	defer tick.Stop()
	off := d.offset()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		c, _ := d.current()
		b, err := brake.Read(killPath(c))
		if err != nil {
			d.log.Error("kill file", "cause", "kill file", "error", err)
		} else {
			d.applyBrake(ctx, b)
		}
		if now := d.offset(); (now - off).Abs() > clockStep {
			d.log.Warn("the system's clock was set: nothing is announced for two seconds",
				"by", now-off)
			d.hold(ctx)
			off = now
		}
	}
}

// protectSelf adds the addresses of this machine, as it has them now, to what is never announced.
func protectSelf(r *governor.Rules) {
	own, err := net.InterfaceAddrs()
	if err != nil {
		return // the rest is protected all the same
	}
	for _, a := range own {
		if n, ok := a.(*net.IPNet); ok {
			if ip, ok := netip.AddrFromSlice(n.IP); ok {
				ip = ip.Unmap()
				r.Protected = append(r.Protected, netip.PrefixFrom(ip, ip.BitLen()))
			}
		}
	}
}

// offset returns how far the system's clock is from ours.
func (d *Daemon) offset() time.Duration {
	return time.Duration(time.Now().UnixNano() - d.clock())
}

// hold keeps the detector from announcing for two windows.
func (d *Daemon) hold(ctx context.Context) {
	d.tell(ctx, "hold announcements", func() { d.live.Hold(d.clock()) })
}

// tell has f run on the loop.
func (d *Daemon) tell(ctx context.Context, what string, f func()) {
	if err := d.live.Do(ctx, f); err != nil && ctx.Err() == nil {
		d.log.Error(what, "cause", what, "error", err)
	}
}

// applyBrake makes the engine do what b asks for.
func (d *Daemon) applyBrake(ctx context.Context, b brake.Brake) {
	d.mu.Lock()
	was := d.brake
	d.mu.Unlock()
	if b == was {
		return
	}
	d.tell(ctx, "apply the kill file", func() {
		d.live.Freeze(b != brake.Off)
		if b == brake.Withdraw {
			d.live.WithdrawAll("kill_file", d.clock())
		}
		d.mu.Lock()
		d.brake = b
		d.mu.Unlock()
	})
	d.log.Warn("kill file", "asks_for", b)
}
