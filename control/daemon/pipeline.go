package daemon

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"weir/control"
	"weir/control/api"
	"weir/control/config"
	"weir/control/health"
	"weir/control/rate"
	"weir/decode"
)

// origin is what sources come from: an interface, or a port.
type origin interface {
	name() string
	sources() (state, reason string, all []api.Source)
}

func (m *mirror) name() string   { return m.Interface }
func (p *flowPort) name() string { return p.Listen }

// origins returns all interfaces and ports.
func (d *Daemon) origins() (all []origin) {
	for _, m := range d.mirrors {
		all = append(all, m)
	}
	for _, p := range d.ports {
		all = append(all, p)
	}
	return all
}

// losses remembers what was lost before the workers, so that the last second's part is known.
type losses struct {
	mu      sync.Mutex
	before  map[string]originTotals // by name of origin
	last    map[string]originTotals // of the last second alone
	workers map[int]uint64          // lost in the last second, by worker
	totals  map[int]uint64          // lost since the start, by worker
}

// originTotals are what an interface or a port received, lost and passed on.
type originTotals struct {
	received, passed uint64
	lost             map[string]uint64
}

// follow looks once a second until ctx ends.
func (l *losses) follow(ctx context.Context, from []origin) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		l.look(from)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (l *losses) look(from []origin) {
	now := map[string]originTotals{}
	totals := map[int]uint64{}
	for _, m := range from {
		t := originTotals{lost: map[string]uint64{}}
		_, _, sources := m.sources()
		for i := range sources {
			s := &sources[i]
			t.received += s.Received
			t.passed += s.Passed
			for place, n := range s.Dropped {
				t.lost[place] += n
				totals[s.Worker] += n
			}
		}
		now[m.name()] = t
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last, l.workers = map[string]originTotals{}, map[int]uint64{}
	for name, t := range now {
		l.last[name] = t.since(l.before[name])
	}
	for w, n := range totals {
		l.workers[w] = n - min(n, l.totals[w])
	}
	l.before, l.totals = now, totals
}

func (t originTotals) since(b originTotals) originTotals {
	d := originTotals{
		received: t.received - min(t.received, b.received),
		passed:   t.passed - min(t.passed, b.passed),
		lost:     map[string]uint64{},
	}
	for place, n := range t.lost {
		d.lost[place] = n - min(n, b.lost[place])
	}
	return d
}

// framesLost returns what interfaces lost in the last second, and not ports.
func (d *Daemon) framesLost() (n uint64) {
	for _, m := range d.mirrors {
		_, last := d.lost.of(m.Interface)
		for _, lost := range last.lost {
			n += lost
		}
	}
	return n
}

func (l *losses) ofWorker(w int) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.workers[w]
}

// of returns the totals of an interface, and the last second's part.
func (l *losses) of(name string) (all, last originTotals) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.before[name], l.last[name]
}

// Pipeline implements api.Backend.
func (d *Daemon) Pipeline() api.Pipeline {
	p := d.live.Picture()
	f := d.facts(&p, d.nearest())
	out := api.Pipeline{Type: "pipeline", Time: stamp(p.Time), Queues: d.queues()}
	out.Exporters = d.Exporters(api.ExporterQuery{Limit: api.MaxPipelineExporters}).Exporters
	for i := range out.Exporters {
		out.Exporters[i].Interfaces = nil
	}
	for _, s := range health.Stages(f) {
		st := api.Stage{
			Name: s.Name, Unit: s.Unit, In: s.In, Out: s.Out, InNow: s.InNow, OutNow: s.OutNow,
			Lost: []api.Loss{},
		}
		for _, l := range s.Lost {
			st.Lost = append(st.Lost, api.Loss(l))
		}
		out.Stages = append(out.Stages, st)
	}
	for _, found := range health.Findings(f) {
		out.Findings = append(out.Findings, api.Finding(found))
	}
	return out
}

// maxNamed is how many networks a sentence names.
const maxNamed = 3

// facts gathers what health judges.
func (d *Daemon) facts(p *control.Picture, nearest health.Nearest) *health.Facts {
	c, _ := d.current()
	f := &health.Facts{
		Uptime: time.Since(d.started), Elsewhere: d.others.rates(),
		Received: p.Pipeline.Received, ReceivedNow: p.Last.Received,
		Processed: p.Pipeline.Processed, ProcessedNow: p.Last.Processed,
		Shed:     health.Count{N: p.Pipeline.Shed, Now: p.Last.Shed},
		Foreign:  health.Count{N: p.Pipeline.Foreign, Now: p.Last.Foreign},
		Ignored:  health.Count{N: p.Pipeline.Ignored, Now: p.Last.Ignored},
		Unplaced: health.Count{N: p.Pipeline.Unplaced, Now: p.Last.Unplaced},
		Dropped:  map[string]health.Count{}, Hosts: p.Active, Refused: p.Refused[0],
		Nearest: nearest, All: p.Attacks, Routes: p.Routes, Observe: c.Mode == config.Observe,
		Stuck: d.stuck(),
	}
	for st := range decode.NumStatus {
		if n := p.Pipeline.Dropped[st]; n > 0 {
			name := st.String()
			f.Dropped[name] = health.Count{N: n, Now: p.Last.Dropped[st]}
		}
	}
	for d, n := range []*uint64{&f.InNow, &f.OutNow} {
		r := p.Counts[d].Over(rate.Second)
		*n = r.Packets[rate.Total]
	}
	for i, n := range c.Networks {
		if i == maxNamed {
			f.Networks = append(f.Networks, "…")
			break
		}
		f.Networks = append(f.Networks, n.String())
	}
	for i := range p.Open {
		in := &p.Open[i]
		f.Attacks = append(f.Attacks, health.Attack{
			Target: in.Target.Addr().String(), Allowed: in.Allowed,
		})
	}
	for _, m := range d.mirrors {
		f.Sources = append(f.Sources, d.sourceFacts(m))
	}
	d.exportFacts(f, p)
	if _, _, err := d.keeper.state(); err != nil {
		f.Failures = append(f.Failures, sentence("Reports cannot be written (%v): they are kept "+
			"in memory and tried again.", err))
	}
	return f
}

func (d *Daemon) sourceFacts(m *mirror) health.Source {
	state, reason, _ := m.sources()
	all, last := d.lost.of(m.Interface)
	s := health.Source{
		Engine: m.engine, Interface: m.Interface, State: state, Reason: reason,
		Direction: string(m.Direction),
		Received:  health.Count{N: all.received, Now: last.received},
		Passed:    health.Count{N: all.passed, Now: last.passed},
		Lost:      map[string]health.Count{}, Short: m.shortfalls(),
	}
	for _, place := range slices.Sorted(maps.Keys(all.lost)) {
		if all.lost[place] > 0 {
			s.Lost[place] = health.Count{N: all.lost[place], Now: last.lost[place]}
		}
	}
	return s
}

// nearest returns the host that is nearest to a limit, if a picture of the hosts is there within
// moments.
func (d *Daemon) nearest() (n health.Nearest) {
	ctx, cancel := context.WithTimeout(context.Background(), hostsPatience)
	defer cancel()
	l, err := d.Hosts(ctx, api.HostQuery{Sort: "percent", Direction: "both", Limit: 1})
	if err == nil && len(l.Hosts) > 0 && l.Hosts[0].Percent > 0 {
		h := &l.Hosts[0]
		n = health.Nearest{Address: h.Address, Metric: h.Metric, Percent: h.Percent}
	}
	return n
}
