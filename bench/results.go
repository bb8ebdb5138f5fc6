package bench

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxResultLine bounds a line of a file of results.
const maxResultLine = 16 << 20

// What is beyond these is no measurement.
const (
	leastSample = 1e-9
	mostSample  = 1e15
)

// Units of samples.
const (
	unitTime  = "ns"   // CPU time per packet, record or host
	unitDelay = "ms"   // from a flood's beginning to the verdict
	unitRate  = "Mpps" // the highest with at most a part of loss: the higher the better
)

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
	calibrated  []float64 // times by calibration; empty where one had none
	calibration float64   // of the last line
	degraded    bool
}

// resultLine is what lines of results have that Compare looks at. Those of the contract have a
// figure, weir's own its samples too.
type resultLine struct {
	Type      string    `json:"type"`
	Bench     string    `json:"bench"`
	Workload  string    `json:"workload"`
	System    string    `json:"system"` // of peers
	Stage     string    `json:"stage"`
	Memory    string    `json:"memory"`
	Interface string    `json:"interface"`
	Via       string    `json:"via"` // how packets came
	Cores     int       `json:"cores"`
	PerPacket *float64  `json:"cpu_ns_per_packet"`
	PerRecord *float64  `json:"cpu_ns_per_record"`
	RunsNS    []float64 `json:"runs_ns"`
	DelaysMS  []float64 `json:"delays_ms"`
	Rates     []struct {
		PPS     float64 `json:"pps"`
		Allowed float64 `json:"loss_allowed"`
	} `json:"rates"`
	Calibration float64  `json:"calibration_ns"`
	Degraded    []string `json:"degraded"`
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
	switch {
	case l.Type == "fit" || l.Bench == benchFlowCache: // computed; nothing was timed
		return nil
	case l.Type != "bench":
		return fmt.Errorf(`not a result: "type" is %q, not "bench"`, l.Type)
	case l.Bench == "" || l.Workload == "":
		return errors.New(`not a result: "bench" or "workload" is missing`)
	case l.Calibration != 0 && !(l.Calibration > leastSample && l.Calibration < mostSample):
		return fmt.Errorf("the calibration is %v", l.Calibration)
	}
	if len(l.Rates) > 0 {
		return r.addRates(&l)
	}
	values, unit := l.samples()
	if len(values) == 0 {
		return errors.New(`no samples: no "runs_ns", "delays_ms", "rates", ` +
			`"cpu_ns_per_packet" or "cpu_ns_per_record"`)
	}
	return r.addSamples(&l, l.name(unit), values)
}

// samples returns the runs of a line, or else its figure as a single one.
func (l *resultLine) samples() (values []float64, unit string) {
	switch {
	case len(l.DelaysMS) > 0:
		return l.DelaysMS, unitDelay
	case len(l.RunsNS) > 0:
		return l.RunsNS, unitTime
	case l.PerPacket != nil:
		return []float64{*l.PerPacket}, unitTime
	case l.PerRecord != nil:
		return []float64{*l.PerRecord}, unitTime
	}
	return nil, ""
}

// addRates adds what searches found. The CPU time beside it is that of another rate each time, and
// says nothing.
func (r *Results) addRates(l *resultLine) error {
	for _, rate := range l.Rates {
		name, search := l.name(unitRate), "/ndr"
		if rate.Allowed > 0 {
			search = fmt.Sprintf("/pdr %g %%", 100*rate.Allowed)
		}
		name.workload += search
		mpps := rate.PPS / 1e6
		if rate.PPS == 0 { // no trial passed: as good as none, and a number to divide by
			mpps = 1e-6
		}
		if err := r.addSamples(l, name, []float64{mpps}); err != nil {
			return err
		}
	}
	return nil
}

func (r *Results) addSamples(l *resultLine, name resultName, values []float64) error {
	for _, v := range values {
		if !(v > leastSample && v < mostSample) {
			return fmt.Errorf("a sample is %v", v)
		}
	}
	s := r.samples[name]
	if s == nil {
		s = &sample{}
		r.samples[name] = s
		r.names = append(r.names, name)
	}
	s.values = append(s.values, values...)
	s.calibration, s.degraded = l.Calibration, s.degraded || len(l.Degraded) > 0
	for _, v := range values {
		if l.Calibration > 0 && name.unit != unitRate {
			s.calibrated = append(s.calibrated, v/l.Calibration)
		}
	}
	return nil
}

// name returns what tells l's result from the others of a file.
func (l *resultLine) name(unit string) resultName {
	workload := l.Workload
	for _, part := range []string{l.System, l.Stage, l.Memory, l.Interface, l.Via} {
		if part != "" && part != StageWorker && part != rxVeth {
			workload += "/" + part
		}
	}
	if l.Cores > 1 {
		workload += fmt.Sprintf("/%d cores", l.Cores)
	}
	return resultName{l.Bench, workload, unit}
}
