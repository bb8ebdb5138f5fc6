// Package apitest has an api.Backend for tests: of the API itself, and of whatever asks it.
package apitest

import (
	"context"
	"net/netip"

	"weir/control/api"
)

// Backend is an api.Backend with fixed answers. The zero value answers like a daemon that has
// seen nothing: lists are empty, every incident is unknown. A function, where there is one,
// answers in place of the data.
//
// Concurrency: any goroutine may call its methods while nobody changes its fields.
type Backend struct {
	Data Data

	OnStatus func() api.Status
	OnHosts  func(ctx context.Context, q api.HostQuery) (api.HostList, error)
	OnWhy    func(ctx context.Context, a netip.Addr) (api.Why, error)
	OnReload func(ctx context.Context, dryRun bool) (api.ReloadResult, error)

	OnBan         func(ctx context.Context, r api.BanRequest) (api.Outcome, error)
	OnUnban       func(ctx context.Context, r api.BanRequest) (api.Outcome, error)
	OnFreeze      func(ctx context.Context, on bool) (api.Outcome, error)
	OnWithdrawAll func(ctx context.Context, expect int) (api.Outcome, error)
}

// Data is what a Backend answers.
type Data struct {
	Status    api.Status
	Pipeline  api.Pipeline
	Hosts     api.HostList
	Whys      map[netip.Addr]api.Why // others are outside
	Networks  api.NetworkList
	Cores     api.CoreList
	Exporters api.ExporterList
	Attacks   api.AttackList    // of all states
	Reports   map[string][]byte // by incident
	Reload    api.ReloadResult
	Routes    api.RouteList
}

var _ api.Backend = (*Backend)(nil)

// Status implements api.Backend.
func (b *Backend) Status() api.Status {
	if b.OnStatus != nil {
		return b.OnStatus()
	}
	s := b.Data.Status
	s.Type = "status"
	if s.Mode == "" {
		s.Mode = "observe"
	}
	s.Problems, s.Sources = list(s.Problems), list(s.Sources)
	s.Config.Restart, s.Traffic.History = list(s.Config.Restart), list(s.Traffic.History)
	s.Mitigation.Peers = list(s.Mitigation.Peers)
	if s.Mitigation.Refused == nil {
		s.Mitigation.Refused = map[string]uint64{}
	}
	return s
}

// Pipeline implements api.Backend.
func (b *Backend) Pipeline() api.Pipeline {
	p := b.Data.Pipeline
	p.Type, p.Stages, p.Queues = "pipeline", list(p.Stages), list(p.Queues)
	p.Exporters = list(p.Exporters)
	if len(p.Findings) == 0 {
		p.Findings = []api.Finding{{
			ID: "ok", Severity: "ok", Stage: "interface", Message: "Nothing is wrong.",
		}}
	}
	return p
}

// Hosts implements api.Backend. Of the query it heeds the family, the limit, and a filter that is
// a hostgroup or an address.
func (b *Backend) Hosts(ctx context.Context, q api.HostQuery) (api.HostList, error) {
	if b.OnHosts != nil {
		return b.OnHosts(ctx, q)
	}
	l := b.Data.Hosts
	l.Type, l.Hosts, l.Matched = "hosts", []api.Host{}, 0
	for _, h := range b.Data.Hosts.Hosts {
		if !fits(&h, &q) {
			continue
		}
		l.Matched++
		if q.Limit == 0 || len(l.Hosts) < q.Limit {
			l.Hosts = append(l.Hosts, h)
		}
	}
	return l, nil
}

func fits(h *api.Host, q *api.HostQuery) bool {
	if q.Filter != "" && q.Filter != h.Group && q.Filter != h.Address {
		return false
	}
	a, err := netip.ParseAddr(h.Address)
	return q.Family == 0 || err == nil && a.Is4() == (q.Family == 4)
}

// Why implements api.Backend.
func (b *Backend) Why(ctx context.Context, a netip.Addr) (api.Why, error) {
	if b.OnWhy != nil {
		return b.OnWhy(ctx, a)
	}
	w, ok := b.Data.Whys[a]
	if !ok {
		w = api.Why{
			Time: b.Data.Status.Traffic.Time, Address: a.String(), State: "outside",
			Verdict: a.String() + " is in none of the home networks.",
		}
	}
	w.Type, w.Limits, w.Decisions = "why", list(w.Limits), list(w.Decisions)
	return w, nil
}

// Networks implements api.Backend.
func (b *Backend) Networks() api.NetworkList {
	l := b.Data.Networks
	l.Type, l.Networks = "networks", list(l.Networks)
	return l
}

// Cores implements api.Backend.
func (b *Backend) Cores() api.CoreList {
	l := b.Data.Cores
	l.Type, l.Cores = "cores", list(l.Cores)
	return l
}

// Exporters implements api.Backend.
func (b *Backend) Exporters(q api.ExporterQuery) api.ExporterList {
	l := b.Data.Exporters
	l.Type, l.Exporters, l.Matched = "exporters", []api.Exporter{}, 0
	for _, e := range b.Data.Exporters.Exporters {
		a, err := netip.ParseAddr(e.Address)
		if q.Prefix.IsValid() && (err != nil || !q.Prefix.Contains(a)) {
			continue
		}
		l.Matched++
		if q.Limit == 0 || len(l.Exporters) < q.Limit {
			l.Exporters = append(l.Exporters, e)
		}
	}
	return l
}

// Attacks implements api.Backend.
func (b *Backend) Attacks(state string) api.AttackList {
	l := b.Data.Attacks
	l.Type, l.Attacks = "attacks", []api.Attack{}
	for _, a := range b.Data.Attacks.Attacks {
		if state == "all" || state == a.State {
			l.Attacks = append(l.Attacks, a)
		}
	}
	return l
}

// Attack implements api.Backend.
func (b *Backend) Attack(id string) (api.Attack, error) {
	for _, a := range b.Data.Attacks.Attacks {
		if a.ID == id {
			return a, nil
		}
	}
	return api.Attack{}, api.ErrNotFound
}

// Report implements api.Backend.
func (b *Backend) Report(id string) ([]byte, error) {
	if data, ok := b.Data.Reports[id]; ok {
		return data, nil
	}
	return nil, api.ErrNotFound
}

// Reload implements api.Backend.
func (b *Backend) Reload(ctx context.Context, dryRun bool) (api.ReloadResult, error) {
	if b.OnReload != nil {
		return b.OnReload(ctx, dryRun)
	}
	r := b.Data.Reload
	r.Type, r.DryRun = "reload", dryRun
	r.Changes, r.Files = list(r.Changes), list(r.Files)
	r.Warnings, r.Errors = list(r.Warnings), list(r.Errors)
	return r, nil
}

// list returns s, and an empty list for none: JSON would have null.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
