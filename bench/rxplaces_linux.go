package bench

import (
	"maps"
	"strings"

	"weir/ring/afpacket"
	"weir/ring/afxdp"
)

// drops are a source's counts of what it lost, by name, and of what went to the host instead.
type drops struct {
	named  map[string]uint64
	passed uint64
}

// places asks the source.
func (r *rig) places() drops {
	d := drops{named: r.source.Stats().Dropped}
	if m, ok := r.mirror.(*afxdp.Mirror); ok {
		d.passed = m.Status().Passed
	}
	return d
}

func (d drops) since(before drops) drops {
	out := drops{named: maps.Clone(d.named), passed: d.passed - before.passed}
	for name, n := range before.named {
		out.named[name] -= min(n, out.named[name])
	}
	return out
}

// placeOf says at which place a source lost what it counts under a name.
func placeOf(name string) string {
	switch name {
	case afxdp.DropMissed:
		return LostLink
	case afxdp.DropUnattached: // afpacket's has the same name
		return LostXDP
	case afxdp.DropRing, afxdp.DropFill, afxdp.DropClosed, afpacket.DropRing, afpacket.DropClosed:
		return LostRing
	}
	return LostRing
}

// account says where packets were lost. Where the generator is ours what nobody has counted was
// lost on the link; elsewhere the packets that arrived are those that somebody has counted.
func (r *RxRun) account(d drops, shed uint64, ours bool) {
	r.Drops = d.named
	r.Lost = Lost{LostLink: 0, LostXDP: d.passed, LostRing: 0, LostTable: shed}
	for name, n := range d.named {
		r.Lost[placeOf(name)] += n
	}
	counted := r.Received + r.Lost.Total() - shed // which was received
	if ours {
		r.Lost[LostLink] += r.Sent - min(r.Sent, counted)
		return
	}
	r.Sent = counted
}

// account says where packets were lost between two scrapes of the daemon's metrics. Those that the
// generator sent and nobody has counted were lost on the link.
func (h *Hold) account(before, after map[string]float64) {
	since := func(name string) uint64 { return uint64(max(0, after[name]-before[name])) }
	h.Received, h.LateFlips = since("weir_core_packets_total"), since("weir_late_flips_total")
	shed := since("weir_shed_packets_total")
	h.Lost = Lost{
		LostLink: 0, LostXDP: since("weir_rx_passed_packets_total"), LostRing: 0, LostTable: shed,
	}
	for name := range after {
		if reason, ok := strings.CutPrefix(name, metricDropped); ok {
			h.Lost[placeOf(reason)] += since(name)
		}
	}
	counted := h.Received + h.Lost.Total() - shed // which was received
	h.Lost[LostLink] += h.Sent - min(h.Sent, counted)
}
