package bench

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// GoResult is what the Go benchmark format shows of a result: a line per run, so that benchstat
// has samples to compare.
type GoResult struct {
	Name        string    // as in "Pipeline/W2"
	Unit        string    // "pkt" or "rec"
	Mega        string    // "Mpps" or "Mrps": the unit of a million Units a second
	Units       int       // per run
	Cores       int       // GOMAXPROCS of the format: what the name ends with
	RunsNS      []float64 // per unit
	Allocs      uint64    // of a run
	Calibration float64   // ns of one multiplication
	Degraded    []string
}

// WriteGoHeader writes h as the configuration lines that benchstat reads, and the units' senses.
//
// The format is that of golang.org/design/14313-benchmark-format.
func WriteGoHeader(w io.Writer, h *Host) error {
	var b strings.Builder
	for _, line := range [][2]string{
		{"goos", h.OS}, {"goarch", h.Arch}, {"pkg", "weir/bench"}, {"cpu", h.CPU},
		{"cores", strconv.Itoa(h.Cores)}, {"arch-level", h.Level}, {"kernel", h.Kernel},
		{"go", h.Go}, {"pgo", strconv.FormatBool(h.PGO)}, {"governor", h.Governor},
		{"huge-pages", h.HugeMode}, {"nic", h.NIC}, {"driver", h.Driver},
	} {
		if line[1] != "" {
			fmt.Fprintf(&b, "%s: %s\n", line[0], line[1])
		}
	}
	b.WriteString("Unit Mpps better=higher\nUnit Mrps better=higher\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// Write writes a line per run. Reasons why a result is degraded are remarks, which benchstat skips:
// as configuration they would keep it from comparing this result with another.
func (r *GoResult) Write(w io.Writer) error {
	var b strings.Builder
	for _, ns := range r.RunsNS {
		fmt.Fprintf(&b, "Benchmark%s-%d\t%d\t%s ns/%s\t%s %s\t%s allocs/op\t%s ns/mul\n",
			r.Name, r.Cores, r.Units, number(ns), r.Unit, number(1e3/ns*float64(r.Cores)), r.Mega,
			number(float64(r.Allocs)/float64(r.Units)), number(r.Calibration))
	}
	for _, why := range r.Degraded {
		fmt.Fprintf(&b, "# %s degraded: %s\n", r.Name, why)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 5, 64) }

// GoResult returns r as the Go benchmark format shows it.
func (r *PipelineResult) GoResult() GoResult {
	name := "Pipeline/" + r.Workload + stageName(r.Stage, StageWorker)
	if r.Memory == memoryName(true) {
		name += "/memory=hot"
	}
	return r.goResult(name, "pkt", "Mpps", r.Packets)
}

// GoResult returns r as the Go benchmark format shows it.
func (r *FlowsResult) GoResult() GoResult {
	return r.goResult("Flows/"+r.Workload+"/stage="+r.Stage+"/memory="+r.Memory, "rec", "Mrps",
		r.Records)
}

// stageName is the part of a name that tells a stage from the usual one.
func stageName(stage, usual string) string {
	if stage == usual {
		return ""
	}
	return "/stage=" + stage
}

func (f *Figures) goResult(name, unit, mega string, units int) GoResult {
	return GoResult{
		Name: name, Unit: unit, Mega: mega, Units: units, Cores: f.Cores, RunsNS: f.RunsNS,
		Allocs: f.Allocs, Calibration: f.Calibration, Degraded: f.Degraded,
	}
}
