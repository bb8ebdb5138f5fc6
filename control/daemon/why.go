package daemon

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"weir/control"
	"weir/control/api"
	"weir/control/rate"
	"weir/control/report"
	"weir/counters"
)

var errAsked = errors.New("too many addresses are asked for at the same time; try again")

// Why implements api.Backend.
func (d *Daemon) Why(ctx context.Context, a netip.Addr) (api.Why, error) {
	a = a.Unmap()
	key := counters.KeyOf(a)
	_, p := d.current()
	w := api.Why{
		Type: "why", Address: a.String(), State: "outside", Limits: []api.Limit{},
		Decisions: d.archive.latest(a), Time: time.Now().UTC(),
	}
	network, ours := p.network(key)
	if by, ok := p.allowed(a); ok {
		w.Allowed, w.AllowedBy = true, by.String()
	}
	if !ours {
		w.Verdict = sentence("%s is not in the networks: packets to and from it count for no "+
			"host.", a)
		return w, nil
	}
	w.Ours, w.Network, w.Counted = true, network.String(), d.counted(a)
	group, by := p.group(key)
	w.Group = p.policy.Groups[group].Name
	if by.IsValid() {
		w.Prefix = by.String()
	}
	rates, err := d.ratesNow(ctx, key, &w)
	if err != nil {
		return w, err
	}
	w.In, w.Out = ratesOf(rates[rate.Incoming]), ratesOf(rates[rate.Outgoing])
	w.Limits = limitsOf(p, group, &rates)
	d.judge(&w, a, p, group, &rates)
	return w, nil
}

// ratesNow returns the rates of one host in a second that ended after the question.
func (d *Daemon) ratesNow(
	ctx context.Context, key counters.Key, w *api.Why,
) (rates [2]rate.Rates, err error) {
	asked := d.clock()
	if !d.live.Ask(asked, key) {
		return rates, errAsked
	}
	err = d.look(ctx, asked, func(h *control.Hosts) {
		host := h.Asked[key]
		for i := range rates {
			rates[i] = host.Rates(rate.Direction(i), h.Window)
		}
		w.Time = stamp(h.Time)
	})
	return rates, err
}

// counted says what an address has in the tables.
func (d *Daemon) counted(a netip.Addr) string {
	p := d.live.Picture()
	for i := range p.Networks {
		if p.Networks[i].Prefix.Contains(a) {
			if p.Networks[i].Direct {
				return "by_address"
			}
			return "by_directory"
		}
	}
	return ""
}

func limitsOf(p *places, group int, rates *[2]rate.Rates) []api.Limit {
	out := []api.Limit{}
	for d := range rates {
		limits := &p.policy.Groups[group].Thresholds[d]
		for m := range rate.NumMetrics {
			limit := limits.Value[m]
			if !limits.Set[m] || limit == 0 {
				continue
			}
			value := rates[d].Metric(m)
			out = append(out, api.Limit{
				Metric: rate.Direction(d).String() + "_" + m.String(), Value: value, Limit: limit,
				Percent: 100 * float64(value) / float64(limit),
				From:    p.setBy(group, rate.Direction(d), m),
			})
		}
	}
	return out
}

// judge says what all that means.
func (d *Daemon) judge(
	w *api.Why, a netip.Addr, p *places, group int, rates *[2]rate.Rates,
) {
	percent, metric := p.nearest(group, rates)
	for _, at := range d.Attacks("active").Attacks {
		if at.Target == w.Address {
			w.Attack = &at
		}
	}
	w.State = statusWord(w.Attack != nil, w.Allowed, percent)
	switch {
	case w.Attack != nil && w.Allowed:
		w.Verdict = sentence("%s is under attack since %s. It is on the allowlist (%s): nothing "+
			"is done.", a, w.Attack.Begin.Format(time.RFC3339), w.AllowedBy)
	case w.Attack != nil:
		w.Verdict = sentence("%s is under attack since %s: %s went over %d.", a,
			w.Attack.Begin.Format(time.RFC3339), w.Attack.Trigger.Metric, w.Attack.Trigger.Limit)
	case len(w.Limits) == 0:
		w.Verdict = sentence("Hostgroup %s sets no limit: %s can never be called attacked.",
			w.Group, a)
	case percent == 0:
		w.Verdict = sentence("%s had no packet that a limit looks at in the last second.", a)
	case percent > 100:
		w.Verdict = sentence("%s is over %s at this moment, at %.0f %%: the verdict comes within "+
			"a second.", a, metric, percent)
	default:
		w.Verdict = sentence("%s is below every limit: the nearest is %s at %.0f %%.", a, metric,
			percent)
	}
}

// Attacks implements api.Backend.
func (d *Daemon) Attacks(state string) api.AttackList {
	p := d.live.Picture()
	l := api.AttackList{Type: "attacks", Time: stamp(p.Time), Attacks: []api.Attack{}}
	if state != "over" {
		for i := range p.Open {
			l.Attacks = append(l.Attacks, attackOf(&p.Open[i], d.folder(p.Open[i].ID)))
		}
		slices.SortStableFunc(l.Attacks, func(a, b api.Attack) int {
			return b.Detected.Compare(a.Detected)
		})
	}
	if state != "active" {
		l.Attacks = append(l.Attacks, d.archive.past()...)
	}
	return l
}

// Attack implements api.Backend.
func (d *Daemon) Attack(id string) (api.Attack, error) {
	for _, a := range d.Attacks("all").Attacks {
		if a.ID == id {
			return a, nil
		}
	}
	return api.Attack{}, api.ErrNotFound
}

// maxReport bounds what is read of a report.
const maxReport = 4 << 20

// Report implements api.Backend. The server has held id to the form of one.
func (d *Daemon) Report(id string) ([]byte, error) {
	root, err := os.OpenRoot(d.keeper.writer.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, api.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	text, err := root.ReadFile(filepath.Join(id, report.TextFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, api.ErrNotFound
	}
	if len(text) > maxReport {
		text = text[:maxReport]
	}
	return text, err
}
