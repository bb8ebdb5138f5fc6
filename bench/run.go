package bench

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// Figures are what every benchmark tells beside its number: the medians of its runs.
type Figures struct {
	Cores   int       `json:"cores"`
	Runs    int       `json:"runs"`
	Seconds float64   `json:"seconds"` // CPU time of a run
	Lowest  float64   `json:"cpu_ns_lowest"`
	Highest float64   `json:"cpu_ns_highest"`
	RunsNS  []float64 `json:"runs_ns"` // CPU time per unit of each run, in their order
	Allocs  uint64    `json:"allocs"`  // of the run with fewest: the runtime has its own

	// What the machine does at the moment: a multiplication, and a load from 64 MiB, each of
	// which waits for the one before.
	Calibration float64 `json:"calibration_ns"`
	Load        float64 `json:"calibration_memory_ns"`

	Host     Host     `json:"host"`
	Degraded []string `json:"degraded"` // why the machine is not at its best
}

// Counted is what a worker counted in all runs together; a stage without tables has none.
type Counted struct {
	Flips   int    `json:"flips"`
	Hosts   int    `json:"hosts,omitempty"` // active in the last whole second, where there was one
	Samples uint64 `json:"samples"`
	Hints   uint64 `json:"hints,omitempty"`
}

// repeat calls run, which returns the CPU time that it took for how many units, so many times. It
// returns the median of nanoseconds per unit.
func repeat(runs int, run func() (time.Duration, int, error)) (ns float64, f Figures, err error) {
	runtime.GC()
	f = Figures{Cores: 1, Runs: runs, Host: ThisHost()}
	perUnit, seconds := make([]float64, runs), make([]float64, runs)
	calibrations, loads := make([]float64, 0, runs), make([]float64, 0, runs)
	memory, err := newChase()
	if err != nil {
		return 0, f, fmt.Errorf("map memory to calibrate with: %w", err)
	}
	defer freeMemory(memory)
	steal := stolen()
	for i := range perUnit {
		calibrations, loads = append(calibrations, calibrate()), append(loads, memory.load())
		before := mallocs()
		used, units, err := run()
		if err != nil {
			return 0, f, err
		}
		if n := mallocs() - before; i == 0 || n < f.Allocs {
			f.Allocs = n
		}
		perUnit[i], seconds[i] = float64(used.Nanoseconds())/float64(units), used.Seconds()
	}
	steal = stolen() - steal
	f.RunsNS = slices.Clone(perUnit)
	for _, list := range [][]float64{perUnit, seconds, calibrations, loads} {
		slices.Sort(list)
	}
	ns = median(perUnit)
	f.Lowest, f.Highest, f.Seconds = perUnit[0], perUnit[runs-1], median(seconds)
	f.Calibration, f.Load = median(calibrations), median(loads)
	f.Degraded = degraded(perUnit, steal, f.Host)
	return ns, f, nil
}

// mallocs returns how often this program has allocated.
func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// reasonDirectory degrades a result of hosts that should have a slot each.
const reasonDirectory = "too little memory for a slot per address: directory used"

// median returns the median of sorted values.
func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// degraded lists why a result may be worse than the machine allows.
func degraded(runs []float64, steal float64, h Host) []string {
	out := []string{}
	if steal > 0.5 {
		out = append(out, fmt.Sprintf("%.1f s of CPU time stolen by other guests", steal))
	}
	if busy := load(); busy > float64(h.Cores)+0.5 {
		out = append(out, fmt.Sprintf("load of %.1f on %d processors", busy, h.Cores))
	}
	if spread := runs[len(runs)-1] / runs[0]; spread > 1.5 {
		out = append(out, fmt.Sprintf("slowest run took %.1f times the fastest", spread))
	}
	if !h.HugePages {
		out = append(out, "no transparent huge pages")
	}
	return out
}

// load returns how many threads wanted to run in the last minute, on average.
func load() (threads float64) {
	if _, err := fmt.Sscanf(firstLine("/proc/loadavg"), "%f", &threads); err != nil {
		return 0 // not Linux
	}
	return threads
}

// stolen returns the seconds of CPU time that the hypervisor gave to others since boot, of all
// cores.
func stolen() float64 {
	var user, nice, system, idle, iowait, irq, softirq, steal uint64
	_, err := fmt.Sscanf(firstLine("/proc/stat"), "cpu %d %d %d %d %d %d %d %d",
		&user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal)
	if err != nil {
		return 0 // not Linux
	}
	const ticksPerSecond = 100 // USER_HZ
	return float64(steal) / ticksPerSecond
}
