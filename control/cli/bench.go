package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"weir/bench"
	"weir/control/doctor"
	"weir/control/doctor/facts"
)

func newBench() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "line-rate benchmarks",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newBenchPipeline(),
		newBenchFlows(),
		newBenchRx(),
		newBenchDetect(),
		newBenchScale(),
		newBenchCompare(),
	)
	return cmd
}

// benchDegraded lists what the doctor finds amiss with this machine as far as figures go, before a
// benchmark loads it.
func benchDegraded() []string { return doctor.Reasons(facts.Machine()) }

// benchFormat is how results are shown.
type benchFormat string

const (
	benchTable benchFormat = "table"
	benchJSON  benchFormat = "json"
	benchGo    benchFormat = "go"
)

// benchOutput adds -o table|json|go and returns a function that reads it.
func benchOutput(cmd *cobra.Command) func() (benchFormat, error) {
	format := cmd.Flags().StringP("output", "o", "table",
		"table, json, or go (the Go benchmark format, for benchstat)")
	return func() (benchFormat, error) {
		f := benchFormat(*format)
		if !slices.Contains([]benchFormat{benchTable, benchJSON, benchGo}, f) {
			return "", usageError("--output is %q, not table, json or go", *format)
		}
		return f, nil
	}
}

// printGo prints r in the Go benchmark format, after the machine's facts where it is the first.
func printGo(out io.Writer, h *bench.Host, r bench.GoResult, first bool) error {
	if first {
		if err := bench.WriteGoHeader(out, h); err != nil {
			return err
		}
	}
	return r.Write(out)
}

func newBenchPipeline() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pipeline",
		Short: "CPU time per packet of one core: rings, decoding, counting, detection hooks",
		Args:  cobra.NoArgs,
	}
	output := benchOutput(cmd)
	names := cmd.Flags().StringSlice("workload", []string{"W1", "W2", "W3"},
		"workloads to run; all is every one")
	stages := cmd.Flags().StringSlice("stage", []string{bench.StageWorker},
		"what to measure: worker (all of it), ring (receiving and refilling alone)")
	memory := cmd.Flags().StringSlice("memory", []string{"cold"},
		"where frames are: hot (one queue's, just written by this core), cold (in no near cache)")
	packets := cmd.Flags().Int("packets", 20_000_000, "packets per run")
	runs := cmd.Flags().Int("runs", 10, "runs, of which the median counts")
	groups := cmd.Flags().Int("hostgroups", 100, "hostgroups with limits of their own, 1 to 256")
	profile := cmd.Flags().String("cpuprofile", "", "file for a CPU profile of the runs")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		format, err := output()
		if err != nil {
			return err
		}
		if err := checkNumbers(
			number{"packets", *packets, 1, mostUnits}, number{"runs", *runs, 1, mostRuns},
			number{"hostgroups", *groups, 1, mostGroups},
		); err != nil {
			return err
		}
		plan, err := planPipeline(bench.PipelineConfig{
			Packets: *packets, Runs: *runs, Groups: *groups, Networks: bench.Home(),
			Degraded: benchDegraded(),
		}, *names, *stages, *memory)
		if err != nil {
			return err
		}
		if *profile != "" {
			stop, err := startProfile(*profile)
			if err != nil {
				return err
			}
			defer stop()
		}
		for i := range plan {
			r, err := bench.Pipeline(plan[i])
			if err != nil {
				return err
			}
			if err := printPipeline(cmd.OutOrStdout(), &r, format, i == 0); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}

// memories are where what a benchmark reads may be.
func memories() []string { return []string{"hot", "cold"} }

// planPipeline returns c for every workload and stage.
func planPipeline(
	c bench.PipelineConfig, names, stages, memory []string,
) (plan []bench.PipelineConfig, err error) {
	workloads, err := findWorkloads(names)
	if err != nil {
		return nil, err
	}
	if err := checkNames("stage", stages, bench.PipelineStages()); err != nil {
		return nil, err
	}
	if err := checkNames("memory", memory, memories()); err != nil {
		return nil, err
	}
	for _, stage := range stages {
		for _, w := range workloads {
			for _, m := range memory {
				c.Stage, c.Workload, c.Hot = stage, w, m == "hot"
				plan = append(plan, c)
			}
		}
	}
	return plan, nil
}

// startProfile writes a CPU profile to path until stop is called.
func startProfile(path string) (stop func(), err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("write CPU profile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, fmt.Errorf("write CPU profile %s: %w", path, errors.Join(err, f.Close()))
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close() // a torn profile is found by who reads it
	}, nil
}

func printPipeline(
	out io.Writer, r *bench.PipelineResult, format benchFormat, first bool,
) (err error) {
	switch format {
	case benchJSON:
		return json.NewEncoder(out).Encode(r)
	case benchGo:
		return printGo(out, &r.Host, r.GoResult(), first)
	}
	if first {
		h := r.Host
		fmt.Fprintf(out, "%s, Linux %s, %s; %d runs of %d packets, one core\n\n",
			h.CPU, h.Kernel, h.Go, r.Runs, r.Packets)
		fmt.Fprintf(out, "%-9s%-7s%-7s%11s%16s%8s%7s%10s%8s%8s%8s%11s%12s\n",
			"WORKLOAD", "STAGE", "MEMORY", "CPU ns/pkt", "LOWEST–HIGHEST", "Mpps", "ALLOCS",
			"HOSTS", "ns/MUL", "ns/LOAD", "FLIP ns", "AFTER FLIP", "LONGEST GAP")
	}
	_, err = fmt.Fprintf(out, "%-9s%-7s%-7s%11.1f%9.1f–%6.1f%8.1f%7d%10s%8.2f%8.0f%s\n", r.Workload,
		r.Stage, r.Memory, r.NSPerPacket, r.Lowest, r.Highest, r.MPPS, r.Allocs,
		hostsText(r.Counted), r.Calibration, r.Load, flipText(r.FlipFigures))
	for _, why := range r.Degraded {
		_, err = fmt.Fprintf(out, "         degraded: %s\n", why)
	}
	return err
}

// hostsText is how many hosts were active in a second; none was seen to its end in short runs.
func hostsText(c *bench.Counted) string {
	if c == nil || c.Flips == 0 {
		return "–"
	}
	return strconv.Itoa(c.Hosts)
}

// flipText is what a flip costs, as far as that was measured.
func flipText(f *bench.FlipFigures) string {
	if f == nil {
		return fmt.Sprintf("%8s%11s%12s", "–", "–", "–")
	}
	after := "–"
	if f.After > 0 {
		after = fmt.Sprintf("%.2f–%.2f×", f.After, f.AfterMost)
	}
	return fmt.Sprintf("%8.0f%11s%9.0f µs", f.Flip, after, f.Gap)
}
