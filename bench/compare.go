package bench

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

// Outcomes of a Comparison.
const (
	Same    = "same"    // no difference beyond chance, or one too small to matter
	Gain    = "gain"    // significantly less time
	Loss    = "loss"    // significantly more time
	Missing = "missing" // one of the files has no such result
)

// Where a side has fewer runs than fewRuns, and no order of them would be beyond chance, a
// difference of fewEffect is taken for one.
const (
	fewRuns   = 4
	fewEffect = 0.1
)

// CompareConfig says when a difference counts.
type CompareConfig struct {
	Alpha  float64 // greatest probability of chance, above 0 and below 1
	Effect float64 // least relative difference, 0.03 for 3 %
	// Calibrated divides each time by that of the calibration loop beside it, so that results of
	// unlike machines, or of one at unlike clock rates, compare.
	Calibrated bool
}

// Comparison is one workload in two files of results.
type Comparison struct {
	Type     string  `json:"type"`
	Bench    string  `json:"bench"`
	Workload string  `json:"workload"`
	Unit     string  `json:"unit"` // of Old and New
	Old      float64 `json:"old"`  // medians
	New      float64 `json:"new"`
	Delta    float64 `json:"delta"` // New/Old - 1
	P        float64 `json:"p"`     // probability that chance makes such a difference; few runs: 1
	OldRuns  int     `json:"old_runs"`
	NewRuns  int     `json:"new_runs"`
	Outcome  string  `json:"outcome"`
	Missing  string  `json:"missing,omitempty"` // "old" or "new": the file without it
	Note     string  `json:"note,omitempty"`    // what weakens the comparison
}

// Compare returns a Comparison for each workload of either file, in the order of before's and then
// of those that only after has. The test is Mann and Whitney's, which assumes nothing of how
// times are distributed (golang.org/x/perf/benchmath); where there are too few runs for it, the
// effect decides alone. The error says that no workload is in both.
func Compare(before, after *Results, c CompareConfig) (list []Comparison, err error) {
	common := 0
	for _, name := range before.names {
		if s := after.samples[name]; s != nil {
			list = append(list, compare(name, before.samples[name], s, c))
			common++
		} else {
			list = append(list, missing(name, "new"))
		}
	}
	for _, name := range after.names {
		if before.samples[name] == nil {
			list = append(list, missing(name, "old"))
		}
	}
	if common == 0 {
		return list, errors.New("compare results: the files have no workload in common")
	}
	return list, nil
}

func missing(name resultName, where string) Comparison {
	return Comparison{Type: "compare", Bench: name.bench, Workload: name.workload,
		Unit: name.unit, P: 1, Outcome: Missing, Missing: where}
}

func compare(name resultName, before, after *sample, c CompareConfig) Comparison {
	old, now, unit, note := before.values, after.values, name.unit, ""
	if c.Calibrated {
		if len(before.calibrated) == len(old) && len(after.calibrated) == len(now) {
			old, now, unit = before.calibrated, after.calibrated, "mul"
		} else {
			note = "not calibrated"
		}
	} else if before.calibration > 0 && after.calibration > 0 {
		if shift := after.calibration/before.calibration - 1; math.Abs(shift) > c.Effect {
			note = fmt.Sprintf("calibration %+.1f %%", 100*shift)
		}
	}
	if before.degraded || after.degraded {
		note = join(note, "degraded")
	}
	r := Comparison{
		Type: "compare", Bench: name.bench, Workload: name.workload, Unit: unit, Note: note,
	}
	r.judge(old, now, c)
	return r
}

// judge fills in what the samples say.
func (r *Comparison) judge(old, now []float64, c CompareConfig) {
	thresholds := &benchmath.Thresholds{CompareAlpha: c.Alpha}
	// NewSample sorts what it is given.
	a := benchmath.NewSample(slices.Clone(old), thresholds)
	b := benchmath.NewSample(slices.Clone(now), thresholds)
	r.Old, r.New, r.OldRuns, r.NewRuns = median(a.Values), median(b.Values), len(old), len(now)
	r.Delta, r.P, r.Outcome = r.New/r.Old-1, 1, Same
	effect := c.Effect
	if few := min(len(old), len(now)); few < fewRuns && leastP(len(old), len(now)) >= c.Alpha {
		const rounding = 1e-9
		effect = max(effect, fewEffect) - rounding
		r.Note = join(r.Note, runsText(few))
	} else {
		test := benchmath.AssumeNothing.Compare(a, b)
		for _, w := range test.Warnings {
			r.Note = join(r.Note, w.Error())
		}
		if r.P = test.P; r.P >= c.Alpha {
			return
		}
	}
	if math.Abs(r.Delta) < effect {
		return
	}
	r.Outcome = Gain
	if (r.Delta > 0) != (r.Unit == unitRate) { // of rates the higher is the better
		r.Outcome = Loss
	}
}

func runsText(few int) string {
	if few == 1 {
		return "single run"
	}
	return "few runs"
}

// leastP returns the probability that all of m samples are by chance below all of n, or above: the
// least that the test can find.
func leastP(m, n int) float64 {
	orders := 1.0
	for i := 1; i <= min(m, n); i++ {
		orders *= float64(max(m, n)+i) / float64(i)
	}
	return 2 / orders
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
