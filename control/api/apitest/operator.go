package apitest

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"weir/control/api"
)

// Routes implements api.Operator.
func (b *Backend) Routes() api.RouteList {
	l := b.Data.Routes
	l.Type, l.Routes = "routes", []api.Route{}
	for _, r := range b.Data.Routes.Routes {
		r.Communities = list(r.Communities)
		l.Routes = append(l.Routes, r)
	}
	return l
}

// Ban implements api.Operator. It refuses what is in none of the home networks, and changes
// nothing.
func (b *Backend) Ban(ctx context.Context, r api.BanRequest) (api.Outcome, error) {
	if b.OnBan != nil {
		return b.OnBan(ctx, r)
	}
	o := b.outcome("ban", 1)
	if !b.Data.Whys[r.Address].Ours {
		o.OK, o.Routes, o.Refusal = false, 0, "outside_networks"
		o.Text = fmt.Sprintf("refused to announce %s: it is in none of the networks", r.Address)
		return o, nil
	}
	o.Text = fmt.Sprintf("announce %s for %s: %s", r.Address, r.TTL, r.Reason)
	return o, nil
}

// Unban implements api.Operator. It finds the routes of the data, and changes nothing.
func (b *Backend) Unban(ctx context.Context, r api.BanRequest) (api.Outcome, error) {
	if b.OnUnban != nil {
		return b.OnUnban(ctx, r)
	}
	p := netip.PrefixFrom(r.Address, r.Address.BitLen()).String()
	for i := range b.Data.Routes.Routes {
		if b.Data.Routes.Routes[i].Prefix == p {
			o := b.outcome("unban", 1)
			o.Text = fmt.Sprintf("withdraw %s: %s", p, r.Reason)
			return o, nil
		}
	}
	return api.Outcome{}, api.ErrNotFound
}

// Freeze implements api.Operator.
func (b *Backend) Freeze(ctx context.Context, on bool) (api.Outcome, error) {
	if b.OnFreeze != nil {
		return b.OnFreeze(ctx, on)
	}
	o := b.outcome("freeze", len(b.Data.Routes.Routes))
	o.Text = "announcing is no longer frozen"
	if on {
		o.Text = fmt.Sprintf("announcing is frozen; %d stand until their leases end", o.Routes)
	}
	return o, nil
}

// WithdrawAll implements api.Operator. It changes nothing.
func (b *Backend) WithdrawAll(ctx context.Context, expect int) (api.Outcome, error) {
	if b.OnWithdrawAll != nil {
		return b.OnWithdrawAll(ctx, expect)
	}
	n := len(b.Data.Routes.Routes)
	if expect >= 0 && expect != n {
		return api.Outcome{}, fmt.Errorf("%w: there are %d", api.ErrUnexpected, n)
	}
	o := b.outcome("withdraw_all", n)
	o.Text = fmt.Sprintf("withdraw all %d, announcing is frozen", n)
	return o, nil
}

func (b *Backend) outcome(kind string, routes int) api.Outcome {
	dry := b.Data.Status.Mode != "enforce"
	return api.Outcome{Type: kind, OK: true, DryRun: dry, Routes: routes}
}

// mitigation has every part, and some faults. No real weir has that and dry runs.
func mitigation() api.Mitigation {
	return api.Mitigation{
		Frozen: true, KillFile: "/var/lib/weir/kill", Routes: 2, Standing: 1,
		Refused: map[string]uint64{"protected": 3, "max_blackholes": 0, "outside_networks": 1},
		Peers: []api.Peer{
			{Address: "192.0.2.254", AS: 64500, State: "established",
				Since: Now().Add(-26 * time.Hour), Routes: 1},
			{Address: "2001:db8:ffff::1", AS: 64501, State: "active",
				Since: Now().Add(-90 * time.Second), Flaps: 4, Error: "connection refused"},
		},
		Speaker: &api.Speaker{Alive: true, PID: 4242, Restarts: 1, Error: "killed by SIGSEGV"},
		Journal: &api.Journal{
			Healthy: true, Note: "cut off 17 bytes of a record that was not finished",
			Routes: 1, Bytes: 4096, Queued: 2, Refused: 1,
		},
		Script: &api.Script{
			Path: "/usr/local/bin/notify", Queued: 3, Running: 1, Done: 40, Failed: 2,
			TimedOut: 1, Dropped: 5, Error: "exit status 7",
		},
		ExaBGP: &api.ExaBGP{Pipe: "/run/exabgp.in", Written: 12, Pending: 3,
			Error: "nobody reads it"},
	}
}

func routes() api.RouteList {
	return api.RouteList{Time: Now(), Routes: []api.Route{
		{Prefix: "203.0.113.7/32", ID: ActiveID, State: "pending", DryRun: true,
			Since: Now().Add(-40 * time.Second), Lease: Now().Add(30 * time.Minute),
			Communities: []string{"65535:666", "no-export"}},
		{Prefix: "2001:db8::25/128", ID: "1122334455667788", Manual: true, State: "announced",
			Since: Now().Add(-time.Hour), Lease: Now().Add(23 * time.Hour),
			Communities: []string{"65535:666"}, Reason: "ticket 4711"},
	}}
}
