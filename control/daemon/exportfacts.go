package daemon

import (
	"maps"
	"slices"

	"weir/control"
	"weir/control/health"
	"weir/control/rate"
	"weir/decode"
)

// exportFacts adds what health judges of flow exports.
func (d *Daemon) exportFacts(f *health.Facts, p *control.Picture) {
	if len(d.ports) == 0 {
		return
	}
	x, last := &p.Exports, &p.LastExports
	f.Exports = health.Exports{
		Received:  health.Count{N: x.Received, Now: last.Received},
		Processed: health.Count{N: x.Processed, Now: last.Processed},
		Shed:      health.Count{N: x.Shed, Now: last.Shed},
		Denied:    health.Count{N: x.Denied, Now: last.Denied},
		Invalid:   health.Count{N: x.Invalid, Now: last.Invalid},
		Records:   health.Count{N: x.Records, Now: last.Records},
		Foreign:   health.Count{N: x.Foreign, Now: last.Foreign},
		Ignored:   health.Count{N: x.Ignored, Now: last.Ignored},
		Skipped:   exportCounts(skips(), x.Skipped[:], last.Skipped[:]),
		Faults:    exportCounts(faults(), x.Faults[:], last.Faults[:]),
	}
	if p.Script != nil && p.Script.Disabled {
		f.Exports.Script = p.Script.Reason
	}
	for _, port := range d.ports {
		f.Ports = append(f.Ports, d.portFacts(port))
	}
	f.Exporters = d.roster.exporters()
}

func (d *Daemon) portFacts(p *flowPort) health.Port {
	all, last := d.lost.of(p.Listen)
	out := health.Port{
		Listen:   p.Listen,
		Received: health.Count{N: all.received, Now: last.received},
		Lost:     map[string]health.Count{},
	}
	out.Buffer, out.Wanted = p.datagrams.Buffer()
	for _, place := range slices.Sorted(maps.Keys(all.lost)) {
		if all.lost[place] > 0 {
			out.Lost[place] = health.Count{N: all.lost[place], Now: last.lost[place]}
		}
	}
	return out
}

// skips and faults are the names of counts, by number.
func skips() (names []string) {
	for s := range decode.NumSkips {
		names = append(names, s.String())
	}
	return names
}

func faults() (names []string) {
	for f := range decode.NumFaults {
		names = append(names, f.String())
	}
	return names
}

// exportCounts names counts that are not zero.
func exportCounts(names []string, all, last []uint64) map[string]health.Count {
	out := map[string]health.Count{}
	for i, name := range names {
		if all[i] > 0 {
			out[name] = health.Count{N: all[i], Now: last[i]}
		}
	}
	return out
}

// named returns counts by name, zeros included.
func named(names []string, counts []uint64) map[string]uint64 {
	out := make(map[string]uint64, len(names))
	for i, name := range names {
		out[name] = counts[i]
	}
	return out
}

// exportLosses returns the datagrams that were received and not read, by reason.
func exportLosses(x *rate.Exports) map[string]uint64 {
	return map[string]uint64{"shed": x.Shed, "denied": x.Denied, "invalid": x.Invalid}
}
