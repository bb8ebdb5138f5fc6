package bench

import "weir/tools/blast"

// HoldConfig says what HoldRate runs.
type HoldConfig struct {
	Program  string // the weir to run as a daemon
	Via      string // ViaAFXDP, ViaAFPacket
	Workload blast.Workload
	Rate     float64 // packets per second
	Seconds  float64 // of a try
	Tries    int     // ends with the first that loses nothing
}

// Hold is one try: a daemon that counts at a rate while its configuration is reloaded, with other
// limits, and its metrics are read, each second.
type Hold struct {
	PPS       float64 `json:"offered_pps"`
	Seconds   float64 `json:"seconds"`
	Sent      uint64  `json:"sent"`
	Received  uint64  `json:"received"`
	Lost      Lost    `json:"lost"` // by place
	Reloads   int     `json:"reloads"`
	Scrapes   int     `json:"scrapes"`
	LateFlips uint64  `json:"late_flips"`
	Gap       float64 `json:"longest_gap_ms"`
	Steal     float64 `json:"steal_s"`
}
