package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// maxResultLine bounds a line of a file of results.
const maxResultLine = 16 << 20

// Times beyond these are no measurements.
const (
	leastSample = 1e-9
	mostSample  = 1e15
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
	P        float64 `json:"p"`     // probability that chance makes such a difference
	OldRuns  int     `json:"old_runs"`
	NewRuns  int     `json:"new_runs"`
	Outcome  string  `json:"outcome"`
	Missing  string  `json:"missing,omitempty"` // "old" or "new": the file without it
	Note     string  `json:"note,omitempty"`    // what weakens the comparison
}

// Results are the samples of a file of results.
type Results struct {
	names   []resultName
	samples map[resultName]*sample
}

// resultName tells results apart.
type resultName struct {
	bench, workload, unit string
}

// sample is what a file says of one workload.
type sample struct {
	values      []float64
	calibrated  []float64 // values by calibration; empty where one had none
	calibration float64   // of the last line
	degraded    bool
}

// resultLine is what every line of results has that Compare looks at.
type resultLine struct {
	Type        string    `json:"type"`
	Bench       string    `json:"bench"`
	Workload    string    `json:"workload"`
	Stage       string    `json:"stage"`
	Memory      string    `json:"memory"`
	Cores       int       `json:"cores"`
	RunsNS      []float64 `json:"runs_ns"`
	DelaysMS    []float64 `json:"delays_ms"`
	Calibration float64   `json:"calibration_ns"`
	Degraded    []string  `json:"degraded"`
}

// ReadResults reads JSON lines as the benchmarks write them; name stands in errors, which say at
// which line of it what is wrong. Several lines for one workload add up.
func ReadResults(name string, r io.Reader) (*Results, error) {
	out := &Results{samples: map[resultName]*sample{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxResultLine)
	number := 0
	for lines.Scan() {
		number++
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 {
			continue
		}
		if err := out.add(text); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s:%d: %w", name, number+1, err)
	}
	if len(out.names) == 0 {
		return nil, fmt.Errorf("%s:%d: no results", name, number)
	}
	return out, nil
}

func (r *Results) add(text []byte) error {
	var l resultLine
	if err := json.Unmarshal(text, &l); err != nil {
		return fmt.Errorf("not a result: %w", err)
	}
	if l.Type == "fit" { // computed from the others
		return nil
	}
	values, unit := l.RunsNS, "ns"
	if len(l.DelaysMS) > 0 {
		values, unit = l.DelaysMS, "ms"
	}
	switch {
	case l.Type != "bench":
		return fmt.Errorf(`not a result: "type" is %q, not "bench"`, l.Type)
	case l.Bench == "" || l.Workload == "":
		return errors.New(`not a result: "bench" or "workload" is missing`)
	case len(values) == 0:
		return errors.New(`no samples: neither "runs_ns" nor "delays_ms"`)
	}
	for _, v := range values {
		if !(v > leastSample && v < mostSample) {
			return fmt.Errorf("a sample is %v", v)
		}
	}
	if l.Calibration != 0 && !(l.Calibration > leastSample && l.Calibration < mostSample) {
		return fmt.Errorf("the calibration is %v", l.Calibration)
	}
	name := l.name(unit)
	s := r.samples[name]
	if s == nil {
		s = &sample{}
		r.samples[name] = s
		r.names = append(r.names, name)
	}
	s.values = append(s.values, values...)
	s.calibration, s.degraded = l.Calibration, s.degraded || len(l.Degraded) > 0
	for _, v := range values {
		if l.Calibration > 0 {
			s.calibrated = append(s.calibrated, v/l.Calibration)
		}
	}
	return nil
}

// name returns what tells l's result from the others of a file.
func (l *resultLine) name(unit string) resultName {
	workload := l.Workload
	for _, part := range []string{l.Stage, l.Memory} {
		if part != "" && part != StageWorker {
			workload += "/" + part
		}
	}
	if l.Cores > 1 {
		workload += fmt.Sprintf("/%d cores", l.Cores)
	}
	return resultName{l.Bench, workload, unit}
}

// Compare returns a Comparison for each workload of either file, in the order of before's and then
// of those that only after has. The test is Mann and Whitney's, which assumes nothing of how
// times are distributed (golang.org/x/perf/benchmath). The error says that no workload is in both.
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
	thresholds := &benchmath.Thresholds{CompareAlpha: c.Alpha}
	// NewSample sorts what it is given.
	a := benchmath.NewSample(slices.Clone(old), thresholds)
	b := benchmath.NewSample(slices.Clone(now), thresholds)
	test := benchmath.AssumeNothing.Compare(a, b)
	for _, w := range test.Warnings {
		note = join(note, w.Error())
	}
	r := Comparison{
		Type: "compare", Bench: name.bench, Workload: name.workload, Unit: unit,
		Old: median(a.Values), New: median(b.Values), P: test.P,
		OldRuns: test.N1, NewRuns: test.N2, Outcome: Same, Note: note,
	}
	r.Delta = r.New/r.Old - 1
	if r.P < c.Alpha && math.Abs(r.Delta) >= c.Effect {
		r.Outcome = Gain
		if r.Delta > 0 {
			r.Outcome = Loss
		}
	}
	return r
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
