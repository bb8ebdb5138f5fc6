package bench

import "fmt"

// Fit is what the measurements of Scale and Merge say of many queues, on this machine's figures.
type Fit struct {
	Type     string  `json:"type"`
	Bench    string  `json:"bench"`
	Workload string  `json:"workload"`
	Serial   float64 `json:"serial_share"`    // Amdahl's, of the workers' work
	Points   int     `json:"points"`          // numbers of workers that it is fitted to
	Base     float64 `json:"control_base_ms"` // what control takes each second, beside …
	PerQueue float64 `json:"control_per_worker_ms"`
	Share    float64 `json:"control_share"` // of all work of a second at line rate on one worker

	Queues  int     `json:"queues"`       // of 100 GbE, extrapolated to:
	Worker  float64 `json:"worker_load"`  // share of its core that a worker needs at line rate
	Control float64 `json:"control_load"` // share of a second that control needs, on one core
	Memory  float64 `json:"memory_load"`  // share of this machine's memory that the tables need
	Binds   string  `json:"binds_first"`
}

// lineRate is 100 GbE of 64-byte frames, packets per second.
const lineRate = 148.8e6

// FitScale fits Amdahl's law to what workers do side by side, and a line to what control takes for
// their tables, both by least squares, and says what queues of 100 GbE would need: workers share
// the packets evenly, and slow one another down as the fit says.
func FitScale(scale []ScaleResult, merges []MergeResult, queues int, memory uint64) (Fit, error) {
	if len(scale) == 0 || len(merges) == 0 || queues < 1 {
		return Fit{}, fmt.Errorf("fit: %d and %d results", len(scale), len(merges))
	}
	f := Fit{
		Type: "fit", Bench: "scale", Workload: scale[0].Workload, Points: len(scale),
		Serial: amdahl(scale), Queues: queues,
	}
	f.Base, f.PerQueue = fitLine(merges, func(r *MergeResult) float64 { return r.Merge + r.Judge })
	slower := 1 + f.Serial*float64(queues-1) // N × the time share of one of N workers
	f.Worker = scale[0].NSPerPacket * slower * lineRate / float64(queues) / 1e9
	f.Control = (f.Base + f.PerQueue*float64(queues)) / 1e3
	base, perWorker := fitLine(merges, func(r *MergeResult) float64 { return float64(r.Tables) })
	f.Memory = (base + perWorker*float64(queues)) / float64(memory)
	control := f.Base + f.PerQueue
	f.Share = control / (control + 1e3)
	f.Binds = "worker"
	if f.Control > f.Worker && f.Control >= f.Memory {
		f.Binds = "control"
	} else if f.Memory > f.Worker {
		f.Binds = "memory"
	}
	return f, nil
}

// amdahl returns the share s for which 1/S(N) = s + (1-s)/N fits best, S(N) being how many times
// the packets of one worker N of them count. Chance may make it less than 0, which is 0.
func amdahl(scale []ScaleResult) float64 {
	one := scale[0].NSPerPacket
	var top, bottom float64
	for i := range scale {
		n := float64(scale[i].Cores)
		inverse := scale[i].NSPerPacket / one / n
		x, y := 1-1/n, inverse-1/n
		top, bottom = top+x*y, bottom+x*x
	}
	if bottom == 0 {
		return 0 // one worker tells nothing
	}
	return max(0, top/bottom)
}

// fitLine returns the line that fits value by number of workers.
func fitLine(merges []MergeResult, value func(*MergeResult) float64) (base, slope float64) {
	var n, sx, sy, sxx, sxy float64
	for i := range merges {
		x, y := float64(merges[i].Workers), value(&merges[i])
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	if d := n*sxx - sx*sx; d > 0 {
		slope = (n*sxy - sx*sy) / d
		return (sy - slope*sx) / n, slope
	}
	return 0, sy / sx
}
