package prometheus

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// trafficFamilies are of what was counted for home networks.
func trafficFamilies() []family {
	return []family{
		counters("weir_traffic_packets_total", "direction class",
			"Packets of home networks; a packet is in one class.",
			eachDirection(func(t *Traffic, direction string, out *series) {
				out.add(float64(t.TCP), direction, "tcp")
				out.add(float64(t.UDP), direction, "udp")
				out.add(float64(t.ICMP), direction, "icmp")
				out.add(float64(t.Other), direction, "other")
			})),
		counters("weir_traffic_flagged_packets_total", "direction flag",
			"Packets of home networks that open a TCP connection, or that are fragments.",
			eachDirection(func(t *Traffic, direction string, out *series) {
				out.add(float64(t.SYN), direction, "syn")
				out.add(float64(t.Fragments), direction, "fragment")
			})),
		counters("weir_traffic_bytes_total", "direction",
			"Bytes of home networks, by IP length.",
			eachDirection(func(t *Traffic, direction string, out *series) {
				out.add(float64(t.Bytes), direction)
			})),
		gauges("weir_traffic_peak_packets_per_second", "direction",
			"The highest rate of one second in the last 60, which a rate between scrapes hides.",
			eachDirection(func(t *Traffic, direction string, out *series) {
				out.add(float64(t.PeakPPS), direction)
			})),
		gauge("weir_hosts_tracked",
			"Hosts with a packet in the last second.",
			func(s *Snapshot) float64 { return float64(s.Hosts) }),
	}
}

func eachDirection(rows func(*Traffic, string, *series)) func(*Snapshot, *series) {
	return func(s *Snapshot, out *series) {
		rows(&s.Incoming, "incoming", out)
		rows(&s.Outgoing, "outgoing", out)
	}
}

// attackFamilies are of the incidents.
func attackFamilies() []family {
	return []family{
		gauge("weir_attacks_active",
			"Attacks now.",
			func(s *Snapshot) float64 { return float64(s.Attacks.Active) }),
		counter("weir_attacks_total",
			"Attacks found.",
			func(s *Snapshot) uint64 { return s.Attacks.Total }),
		{
			name: "weir_attack_packets_per_second", kind: prometheus.GaugeValue,
			help:   "Rate of an active attack by its target and vector; the greatest 64.",
			labels: []string{"target", "vector"}, limit: MaxAttackSeries, rows: greatestAttacks,
		},
		{
			name:      "weir_detection_latency_seconds",
			help:      "Time from the first packet over a limit to the verdict.",
			histogram: func(s *Snapshot) *Histogram { return s.Attacks.Latency },
			empty:     NewLatencyHistogram,
		},
		counter("weir_incidents_refused_total",
			"Attacks found and not followed, because too many were open.",
			func(s *Snapshot) uint64 { return s.Attacks.Refused }),
		counter("weir_reports_errors_total",
			"Documents of attacks that could not be written.",
			func(s *Snapshot) uint64 { return s.Attacks.ReportErrors }),
	}
}

// greatestAttacks emits the attacks with the most packets first, so that those beyond the limit
// are the least.
func greatestAttacks(s *Snapshot, out *series) {
	greatest := make([]*Attack, 0, MaxAttackSeries+1)
	for i := range s.Attacks.Now {
		a := &s.Attacks.Now[i]
		at, _ := slices.BinarySearchFunc(greatest, a, byRate)
		if at < MaxAttackSeries {
			greatest = slices.Insert(greatest, at, a)
			greatest = greatest[:min(len(greatest), MaxAttackSeries)]
		}
	}
	for _, a := range greatest {
		out.add(float64(a.PPS), a.Target, a.Vector)
	}
	out.omit(len(s.Attacks.Now) - len(greatest))
}

// byRate orders attacks by rate, the highest first; equal ones by name, so that the same are
// shown from scrape to scrape.
func byRate(a, b *Attack) int {
	return cmp.Or(cmp.Compare(b.PPS, a.PPS), cmp.Compare(a.Target, b.Target),
		cmp.Compare(a.Vector, b.Vector))
}
