package daemon

import (
	"context"
	"fmt"
	"time"

	"weir/control/api"
	"weir/control/ban"
	"weir/control/brake"
	"weir/control/governor"
)

// Routes implements api.Operator.
func (d *Daemon) Routes() api.RouteList {
	l := api.RouteList{Type: "routes", Time: stamp(d.clock()), Routes: []api.Route{}}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	answer := make(chan []ban.Standing, 1) // the loop may answer when nobody waits any more
	d.tell(ctx, "list routes", func() { answer <- d.live.Standing() })
	select {
	case all := <-answer:
		for i := range all {
			l.Routes = append(l.Routes, routeOf(&all[i]))
		}
	default:
	}
	return l
}

func routeOf(s *ban.Standing) api.Route {
	r := api.Route{
		Prefix: s.Prefix.String(), ID: s.ID, Manual: s.Manual, State: "pending", DryRun: s.DryRun,
		Since: stamp(s.Time), Lease: stamp(s.Lease),
		Communities: append([]string{}, s.Communities...), Reason: s.Reason,
	}
	if s.Event == ban.Asked || s.Event == ban.Announced {
		r.State = s.Event.String()
	}
	return r
}

// Ban implements api.Operator.
func (d *Daemon) Ban(ctx context.Context, r api.BanRequest) (api.Outcome, error) {
	answer := make(chan string, 1)
	if err := d.live.Do(ctx, func() {
		answer <- d.live.Ban(r.Address, r.Reason, r.TTL, d.clock())
	}); err != nil {
		return api.Outcome{}, err
	}
	o := api.Outcome{Type: "ban", DryRun: d.dryRun(), Refusal: <-answer, Routes: 1}
	o.OK = o.Refusal == ""
	switch {
	case !o.OK:
		o.Routes = 0
		o.Text = fmt.Sprintf("%s is not announced: %s", r.Address, refusalText(o.Refusal))
	case o.DryRun:
		o.Text = fmt.Sprintf("mode is observe: the blackhole of %s is recorded, not announced",
			r.Address)
	default:
		o.Text = fmt.Sprintf("the blackhole of %s is on its way, for %v", r.Address, r.TTL)
	}
	d.log.Warn("ban", "target", r.Address, "reason", r.Reason, "ttl", r.TTL, "refusal", o.Refusal)
	return o, nil
}

// refusalText says why a route was refused, by the name of the rule.
func refusalText(name string) string {
	for r := range governor.Refusals {
		if r.String() == name {
			return r.Text()
		}
	}
	return map[string]string{
		"no_room":     "as many routes as the book holds are there already",
		"not_renewed": "it stands already, and the governor does not let it stand longer",
	}[name]
}

// Unban implements api.Operator.
func (d *Daemon) Unban(ctx context.Context, r api.BanRequest) (api.Outcome, error) {
	answer := make(chan bool, 1)
	if err := d.live.Do(ctx, func() {
		answer <- d.live.Unban(r.Address, r.Reason, d.clock())
	}); err != nil {
		return api.Outcome{}, err
	}
	if !<-answer {
		return api.Outcome{}, api.ErrNotFound
	}
	d.log.Warn("unban", "target", r.Address, "reason", r.Reason)
	return api.Outcome{
		Type: "unban", OK: true, DryRun: d.dryRun(), Routes: 1,
		Text: fmt.Sprintf("%s is withdrawn, and spared while the attack on it goes on", r.Address),
	}, nil
}

// Freeze implements api.Operator. It leaves a file, so that it holds after a restart too.
func (d *Daemon) Freeze(ctx context.Context, on bool) (api.Outcome, error) {
	if on {
		return d.pull(ctx, "freeze", brake.Freeze,
			"nothing new is announced; what stands ends with its lease")
	}
	return d.pull(ctx, "freeze", brake.Off, "announcing goes on")
}

// WithdrawAll implements api.Operator.
func (d *Daemon) WithdrawAll(ctx context.Context, expect int) (api.Outcome, error) {
	if expect >= 0 {
		n, err := d.routes(ctx)
		if err != nil {
			return api.Outcome{}, err
		}
		if n != expect {
			return api.Outcome{}, fmt.Errorf("%w: there are %d", api.ErrUnexpected, n)
		}
	}
	return d.pull(ctx, "withdraw_all", brake.Withdraw,
		"everything is withdrawn, and nothing new is announced until `weir freeze --off`")
}

// countPatience is how long a count of routes waits for the loop: a hanging one holds up no brake.
const countPatience = 200 * time.Millisecond

// routes returns how many routes there are now; the picture knows only those of the last tick.
func (d *Daemon) routes(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, countPatience)
	defer cancel()
	answer := make(chan int, 1) // the loop may answer when nobody waits any more
	if err := d.live.Do(ctx, func() {
		active, _, _ := d.live.Governed()
		answer <- active
	}); err != nil {
		return 0, fmt.Errorf("count routes: %w", err)
	}
	return <-answer, nil
}

// pull applies b at once, and leaves the kill file that keeps it so. A disk that refuses the file
// does not keep b from being applied.
func (d *Daemon) pull(
	ctx context.Context, what string, b brake.Brake, text string,
) (api.Outcome, error) {
	routes, hangs := d.routes(ctx)
	if hangs != nil {
		routes = d.live.Picture().Routes
	}
	c, _ := d.current()
	var err error
	if b == brake.Off {
		_, err = brake.Remove(killPath(c))
	} else if said, failed := brake.Write(killPath(c), b); failed == nil {
		b = said
	} else {
		err = failed
	}
	if err != nil {
		d.log.Error(what, "error", err)
		text += fmt.Sprintf("; but it ends with this process: %v", err)
	}
	d.applyBrake(ctx, b)
	return api.Outcome{
		Type: what, OK: true, DryRun: d.dryRun(), Text: text, Routes: routes,
	}, ctx.Err()
}

// dryRun reports whether nothing is announced, because of the mode or for want of anybody to.
func (d *Daemon) dryRun() bool { return d.mode() != "enforce" || d.mitigation.actor() == nil }
