package prometheus

import (
	"runtime"
)

// loopFamilies are of how the control loop fares.
func loopFamilies() []family {
	return []family{
		{
			name:      "weir_snapshot_duration_seconds",
			help:      "Time that the merge and judgement of each second took.",
			histogram: func(s *Snapshot) *Histogram { return s.Loop.Ticks },
			empty:     NewTickHistogram,
		},
		counter("weir_late_flips_total",
			"Tables that a worker did not hand over in time.",
			func(s *Snapshot) uint64 { return s.Loop.LateFlips }),
		counter("weir_lost_samples_total",
			"Packets for evidence that found no room on their way to the control loop.",
			func(s *Snapshot) uint64 { return s.Loop.LostSamples }),
		counter("weir_lost_hints_total",
			"Early warnings of a worker that found no room on their way to the control loop.",
			func(s *Snapshot) uint64 { return s.Loop.LostHints }),
	}
}

// daemonFamilies are of the process and its configuration.
func daemonFamilies() []family {
	return []family{
		gauges("weir_build_info", "version goversion",
			"The version of weir, and of the Go that built it.",
			func(s *Snapshot, out *series) { out.add(1, s.Version, runtime.Version()) }),
		gauges("weir_mode_info", "mode",
			"Whether weir only observes or enforces.",
			func(s *Snapshot, out *series) { out.add(1, s.Mode) }),
		gauges("weir_config_hash_info", "hash",
			"The hash of the policy in force.",
			func(s *Snapshot, out *series) { out.add(1, s.Config.Hash) }),
		gauge("weir_config_last_reload_successful",
			"Whether the last load of the configuration succeeded.",
			func(s *Snapshot) float64 { return truth(s.Config.ReloadOK) }),
		gauges("weir_config_last_reload_success_timestamp_seconds", "",
			"When the configuration in force was loaded.",
			func(s *Snapshot, out *series) {
				if !s.Config.Loaded.IsZero() {
					out.add(float64(s.Config.Loaded.UnixMilli()) / 1e3)
				}
			}),
		gauge("weir_memory_tables_bytes",
			"Memory of the tables.",
			func(s *Snapshot) float64 { return float64(s.Memory.Tables) }),
		gauge("weir_memory_budget_bytes",
			"Memory that the tables may take.",
			func(s *Snapshot) float64 { return float64(s.Memory.Budget) }),
		counter("weir_log_lines_suppressed_total",
			"Log lines held back because their cause had just been logged.",
			func(s *Snapshot) uint64 { return s.LogHidden }),
	}
}
