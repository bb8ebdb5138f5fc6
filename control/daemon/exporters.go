package daemon

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"time"

	"weir/control/api"
	"weir/fastpath"
)

// Exporters implements api.Backend.
func (d *Daemon) Exporters(q api.ExporterQuery) api.ExporterList {
	now := d.clock()
	l := api.ExporterList{Type: "exporters", Time: stamp(now), Exporters: []api.Exporter{}}
	if d.exporters == nil {
		return l
	}
	l.Unlisted = d.exporters.Unlisted.Load()
	type candidate struct {
		*fastpath.Exporter
		address netip.Addr
		records uint64
	}
	var all []candidate
	for _, x := range d.exporters.All() {
		a := addressOf(x)
		if !q.Prefix.IsValid() || q.Prefix.Contains(a) {
			all = append(all, candidate{x, a, x.Records.Load()})
		}
	}
	slices.SortFunc(all, func(a, b candidate) int {
		if c := cmp.Compare(b.records, a.records); c != 0 {
			return c
		}
		return a.address.Compare(b.address)
	})
	l.Matched = len(all)
	for _, c := range all[:min(len(all), q.Limit)] {
		l.Exporters = append(l.Exporters, d.exporterOf(c.Exporter, now))
	}
	return l
}

// exporterOf returns an exporter as the API has it.
func (d *Daemon) exporterOf(x *fastpath.Exporter, now int64) api.Exporter {
	p, last := protoOf(x), x.Last.Load()
	out := api.Exporter{
		Address: addressOf(x).String(), Protocol: p.String(), Datagrams: x.Datagrams.Load(),
		Flows: x.Records.Load(), Options: x.Options.Load(), Templates: x.Templates.Load(),
		CounterSamples: x.CounterSamples.Load(), Discarded: x.Discarded.Load(),
		Lost: x.Lost.Load(), LostUnit: p.LostUnit(), Late: x.Late.Load(),
		Restarts: x.Restarts.Load(), TemplatesMissing: x.NoTemplate.Load(),
		Skipped: x.Skipped.Load(), Faults: x.Faults.Load(), SamplingRate: x.Rate.Load(),
		SamplingFrom: rateSourceOf(x).String(), LastSeen: stamp(last),
		Idle: seconds(time.Duration(max(0, now-last))),
	}
	if skew := x.Skew.Load(); skew != 0 {
		ms := math.Round(float64(skew)/1e3) / 1e3
		out.ClockSkewMS = &ms
	}
	if median, delay, ok := durationOf(x); ok {
		m := seconds(median)
		out.MedianFlow = &m
		if delay > 0 {
			s := seconds(delay)
			out.DetectionDelay = &s
		}
	}
	if out.CounterSamples > 0 {
		out.Interfaces = interfacesOf(d.links.Of(x.Addr))
	}
	return out
}

func interfacesOf(all []fastpath.Interface) (out []api.ExporterInterface) {
	direction := func(r *fastpath.InterfaceRate) api.ExporterDirection {
		return api.ExporterDirection{
			BPS: uint64(r.Bits + 0.5), PPS: uint64(r.Packets + 0.5),
			Errors: math.Round(r.Errors*1e3) / 1e3, Discards: math.Round(r.Discards*1e3) / 1e3,
		}
	}
	for i := range all[:min(len(all), api.MaxInterfaces)] {
		l := &all[i]
		out = append(out, api.ExporterInterface{
			Index: l.Index, Up: l.Up, Speed: l.Speed, In: direction(&l.In), Out: direction(&l.Out),
		})
	}
	return out
}

// durationOf returns how long an exporter's flows take, and the delay that it adds to detection; 0
// where it tells no time of its own.
func durationOf(x *fastpath.Exporter) (median, delay time.Duration, ok bool) {
	m, d, ok := x.Duration()
	return time.Duration(m) * time.Millisecond, time.Duration(d) * time.Millisecond, ok
}

// seconds is a time to the millisecond.
func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1e3) / 1e3 }
