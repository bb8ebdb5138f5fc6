package daemon

import (
	"cmp"
	"slices"
	"time"

	"weir/control"
	"weir/control/sink/prometheus"
	"weir/ring/udp"
)

// flowMetrics returns what metrics show of flow exports; nil where no port takes any.
func (d *Daemon) flowMetrics(p *control.Picture) *prometheus.Flows {
	if len(d.ports) == 0 {
		return nil
	}
	x := &p.Exports
	out := &prometheus.Flows{
		Datagrams: x.Processed, Records: x.Records, Foreign: x.Foreign, Ignored: x.Ignored,
		Dropped: exportLosses(x),
		Skipped: named(skips(), x.Skipped[:]), Faults: named(faults(), x.Faults[:]),
		Unlisted: d.exporters.Unlisted.Load(),
	}
	for _, place := range []string{udp.DropSocket, udp.DropTruncated} {
		out.Dropped[place] = 0 // for a rise to be seen
	}
	for _, port := range d.ports {
		out.Ports = append(out.Ports, port.metrics(out.Dropped))
	}
	t := d.templates.Stats()
	out.Templates = prometheus.Templates{
		Held: t.Templates, Bytes: t.Bytes, Learned: t.Learned, Replaced: t.Replaced,
		Evicted: t.Evicted, Refused: t.Refused,
	}
	d.roster.metrics(out)
	if s := p.Script; s != nil {
		out.Script = &prometheus.FlowScript{
			Called: s.Calls, Failed: s.Failed,
			Unasked: map[string]uint64{"over_budget": s.Shed, "given_up": s.Bypassed},
		}
	}
	return out
}

// metrics returns what the port has got, and adds what was lost on the way to it.
func (p *flowPort) metrics(dropped map[string]uint64) prometheus.FlowPort {
	out := prometheus.FlowPort{Listen: p.Listen}
	out.Buffer, _ = p.datagrams.Buffer()
	_, _, sources := p.sources()
	for i := range sources {
		s := &sources[i]
		for place, n := range s.Dropped {
			dropped[place] += n
		}
		if s.Engine == engineUDP {
			out.Sockets = append(out.Sockets, prometheus.FlowSocket{
				Received: s.Received, Bytes: s.Bytes,
			})
			continue
		}
		st := p.stream.TCPStats()
		out.Connections = &prometheus.FlowConnections{
			Open: st.Open, Accepted: st.Accepted, Refused: st.Refused, Messages: s.Received,
		}
	}
	return out
}

// metrics adds the exporters with a label of their own, in the order in which they came, and the
// sum of the others.
func (r *roster) metrics(out *prometheus.Flows) {
	r.mu.Lock()
	defer r.mu.Unlock()
	others, own := r.others, make([]*member, 0, r.named)
	for _, m := range r.members {
		if m.label {
			own = append(own, m)
			continue
		}
		m.shown = m.totals()
		others.add(m.shown)
		out.Hidden++
	}
	slices.SortFunc(own, func(a, b *member) int { return cmp.Compare(a.order, b.order) })
	for _, m := range own {
		out.Exporters = append(out.Exporters, m.metrics())
	}
	out.Others = prometheus.FlowExporter{
		Datagrams: others.datagrams, Records: others.records, Lost: others.lost,
		Missing: others.missing,
	}
}

func (m *member) metrics() prometheus.FlowExporter {
	t := m.totals()
	out := prometheus.FlowExporter{
		Address: m.address, Datagrams: t.datagrams - m.base.datagrams,
		Records: t.records - m.base.records, Lost: t.lost - m.base.lost,
		Missing: t.missing - m.base.missing, Sampling: m.Rate.Load(),
		Protocol:     protoOf(m.Exporter).String(),
		SamplingFrom: rateSourceOf(m.Exporter).String(),
	}
	in := func(d time.Duration) *float64 {
		s := d.Seconds()
		return &s
	}
	if skew := m.Skew.Load(); skew != 0 {
		out.Skew = in(time.Duration(skew))
	}
	if median, delay, ok := durationOf(m.Exporter); ok {
		out.Duration = in(median)
		if delay > 0 {
			out.Delay = in(delay)
		}
	}
	return out
}
