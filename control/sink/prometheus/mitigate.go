package prometheus

import "github.com/prometheus/client_golang/prometheus"

// MaxPeerSeries is how many peers are shown, in the configuration's order.
const MaxPeerSeries = 256

// mitigationFamilies are of what is done about attacks, and of those who do it. What there is none
// of has no series: a journal that is not healthy is no journal that is not there.
func mitigationFamilies() []family {
	return []family{
		gauges("weir_mitigations_active", "kind state",
			"Mitigations now, by kind and state.",
			func(s *Snapshot, out *series) {
				for _, m := range s.Attacks.Mitigations {
					out.add(float64(m.Active), m.Kind, m.State)
				}
			}),
		counters("weir_mitigations_refused_total", "rule",
			"Mitigations refused, by the rule that they did not pass.",
			func(s *Snapshot, out *series) { eachReason(s.Mitigation.Refused, out) }),
		gauge("weir_mitigation_frozen",
			"Whether every new mitigation is refused, because a person wants it.",
			func(s *Snapshot) float64 { return truth(s.Mitigation.Frozen) }),
		gauge("weir_mitigation_killed",
			"Whether the kill file is there, and nothing is announced.",
			func(s *Snapshot) float64 { return truth(s.Mitigation.Killed) }),
		gauges("weir_journal_healthy", "",
			"Whether routes can be written down; while they cannot, no new one is announced.",
			func(s *Snapshot, out *series) {
				if j := s.Mitigation.Journal; j != nil {
					out.add(truth(j.Healthy))
				}
			}),
		counters("weir_journal_refused_total", "",
			"Routes that could not be written down, and were not announced.",
			func(s *Snapshot, out *series) {
				if j := s.Mitigation.Journal; j != nil {
					out.add(float64(j.Refused))
				}
			}),
		actionRuns(),
		actionErrors(),
	}
}

// actionRuns and actionErrors are of everything that weir starts or tells when an attack begins or
// ends, by the name of the integration.
func actionRuns() family {
	return counters("weir_action_runs_total", "action result",
		"Runs of an action asked for, by what became of them.",
		func(s *Snapshot, out *series) {
			for i := range s.Mitigation.Actions {
				a := &s.Mitigation.Actions[i]
				out.add(float64(a.Done), a.Name, "done")
				out.add(float64(a.Failed), a.Name, "failed")
				out.add(float64(a.TimedOut), a.Name, "timed_out")
				out.add(float64(a.Dropped), a.Name, "dropped")
			}
		})
}

func actionErrors() family {
	return counters("weir_action_errors_total", "action",
		"Runs of an action that failed, took too long, or found no room to wait.",
		func(s *Snapshot, out *series) {
			for i := range s.Mitigation.Actions {
				a := &s.Mitigation.Actions[i]
				out.add(float64(a.Failed+a.TimedOut+a.Dropped), a.Name)
			}
		})
}

// speakerFamilies are of the BGP speaker and its sessions.
func speakerFamilies() []family {
	return []family{
		peers("weir_bgp_session_up", prometheus.GaugeValue,
			"Whether the BGP session is established.",
			func(p *Peer) float64 { return truth(p.Up) }),
		peers("weir_bgp_routes_announced", prometheus.GaugeValue,
			"Routes that the peer was told and not told to forget.",
			func(p *Peer) float64 { return float64(p.Routes) }),
		peers("weir_bgp_session_flaps_total", prometheus.CounterValue,
			"BGP sessions lost.",
			func(p *Peer) float64 { return float64(p.Flaps) }),
		gauges("weir_bgp_speaker_up", "",
			"Whether the process that speaks BGP runs.",
			eachSpeaker(func(s *Speaker) float64 { return truth(s.Up) })),
		counters("weir_bgp_speaker_restarts_total", "",
			"How often the process that speaks BGP was started again.",
			eachSpeaker(func(s *Speaker) float64 { return float64(s.Restarts) })),
	}
}

// peers is a family of one series for each peer.
func peers(name string, kind prometheus.ValueType, help string, value func(*Peer) float64) family {
	return family{
		name: name, kind: kind, help: help, labels: []string{"peer"}, limit: MaxPeerSeries,
		rows: func(s *Snapshot, out *series) {
			for i := range s.Mitigation.Peers {
				p := &s.Mitigation.Peers[i]
				out.add(value(p), p.Address)
			}
		},
	}
}

func eachSpeaker(value func(*Speaker) float64) func(*Snapshot, *series) {
	return func(s *Snapshot, out *series) {
		if speaker := s.Mitigation.Speaker; speaker != nil {
			out.add(value(speaker))
		}
	}
}
