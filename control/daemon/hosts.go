package daemon

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"weir/control"
	"weir/control/api"
	"weir/control/rate"
)

// Times of those who look at hosts.
const (
	hostsPatience = 2500 * time.Millisecond // the first look waits for the end of a second
	hostsFresh    = 2200 * time.Millisecond // hosts older than that are of a second long gone
	hostsPause    = 20 * time.Millisecond
)

var errNoPicture = errors.New("no whole second has been counted yet")

// look calls f with the hosts of the last second, not older than since.
func (d *Daemon) look(ctx context.Context, since int64, f func(*control.Hosts)) error {
	for end := time.Now().Add(hostsPatience); ; {
		now, done := d.clock(), false
		d.live.Hosts(now, func(h *control.Hosts) {
			if done = now-h.Time < int64(hostsFresh) && h.Time >= since; done {
				f(h)
			}
		})
		if done {
			return nil
		}
		if time.Now().After(end) {
			return errNoPicture
		}
		select {
		case <-time.After(hostsPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Hosts implements api.Backend.
func (d *Daemon) Hosts(ctx context.Context, q api.HostQuery) (api.HostList, error) {
	_, places := d.current()
	attacked := d.attacked()
	l := api.HostList{Type: "hosts", Hosts: []api.Host{}}
	s := newSelection(q, places)
	err := d.look(ctx, 0, func(h *control.Hosts) {
		l.Time, l.Floor = stamp(h.Time), h.Floor
		s.window = h.Window
		for i := range h.All {
			s.offer(&h.All[i])
		}
		for _, c := range s.best() {
			l.Hosts = append(l.Hosts, hostOf(c.host, h.Window, places, attacked))
		}
	})
	l.Matched, l.Active = s.matched, d.live.Picture().Active
	return l, err
}

// attacked returns the targets of open incidents.
func (d *Daemon) attacked() map[netip.Addr]bool {
	p := d.live.Picture()
	out := make(map[netip.Addr]bool, len(p.Open))
	for i := range p.Open {
		out[p.Open[i].Target.Addr()] = true
	}
	return out
}

func hostOf(
	h *control.HostSecond, window int64, p *places, attacked map[netip.Addr]bool,
) api.Host {
	rates := [2]rate.Rates{h.Rates(rate.Incoming, window), h.Rates(rate.Outgoing, window)}
	group, _ := p.group(h.Key)
	a := h.Key.Addr()
	out := api.Host{
		Address: a.String(), Group: p.policy.Groups[group].Name,
		In: ratesOf(rates[rate.Incoming]), Out: ratesOf(rates[rate.Outgoing]),
	}
	if n, ok := p.network(h.Key); ok {
		out.Network = n.String()
	}
	out.Percent, out.Metric = p.nearest(group, &rates)
	_, allowed := p.allowed(a)
	out.State = statusWord(attacked[a], allowed, out.Percent)
	return out
}

// selection keeps the best hosts of many, looking at each once.
type selection struct {
	query   api.HostQuery
	places  *places
	window  int64
	prefix  netip.Prefix // of the filter, when it is one
	matched int
	kept    []candidate
	least   float64 // of those kept, once there are enough
}

type candidate struct {
	value float64
	host  *control.HostSecond
}

func newSelection(q api.HostQuery, p *places) *selection {
	s := &selection{query: q, places: p}
	if prefix, err := netip.ParsePrefix(q.Filter); err == nil {
		s.prefix = prefix.Masked()
	}
	return s
}

// offer takes a host if it fits and is among the best so far.
func (s *selection) offer(h *control.HostSecond) {
	if !s.fits(h) {
		return
	}
	s.matched++
	v := s.value(h)
	if len(s.kept) >= s.query.Limit && v <= s.least {
		return
	}
	s.kept = append(s.kept, candidate{v, h})
	if len(s.kept) >= 2*s.query.Limit {
		s.prune()
	}
}

// prune leaves the best.
func (s *selection) prune() {
	slices.SortStableFunc(s.kept, func(a, b candidate) int { return cmp.Compare(b.value, a.value) })
	if len(s.kept) >= s.query.Limit {
		s.kept = s.kept[:s.query.Limit]
		s.least = s.kept[len(s.kept)-1].value
	}
}

func (s *selection) best() []candidate {
	s.prune()
	return s.kept
}

func (s *selection) fits(h *control.HostSecond) bool {
	is4 := h.Key.Hi == 0 && h.Key.Lo>>32 == 0xffff
	switch s.query.Family {
	case 4:
		if !is4 {
			return false
		}
	case 6:
		if is4 {
			return false
		}
	}
	switch {
	case s.query.Filter == "":
		return true
	case s.prefix.IsValid():
		return s.prefix.Contains(h.Key.Addr())
	}
	group, _ := s.places.group(h.Key)
	return s.places.policy.Groups[group].Name == s.query.Filter ||
		strings.HasPrefix(h.Key.Addr().String(), s.query.Filter)
}

// value is what the query orders by.
func (s *selection) value(h *control.HostSecond) float64 {
	if s.query.Sort == "percent" {
		rates := [2]rate.Rates{h.Rates(rate.Incoming, s.window), h.Rates(rate.Outgoing, s.window)}
		group, _ := s.places.group(h.Key)
		percent, _ := s.places.nearest(group, &rates)
		return percent
	}
	v := 0.0
	for d := range h.Counts {
		if s.query.Direction == "both" || s.query.Direction == rate.Direction(d).String() {
			v += s.count(h, d)
		}
	}
	return v
}

func (s *selection) count(h *control.HostSecond, d int) float64 {
	packets, bytes := h.Counts[d].Total()
	switch s.query.Sort {
	case "fps":
		return float64(h.Flows[d])
	case "bps":
		return float64(bytes)
	}
	return float64(packets)
}
