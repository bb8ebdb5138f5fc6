package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"weir/bench"
	"weir/tools/blast"
)

func newBenchFlows() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "flows",
		Short: "CPU time per flow record of one core: decoding, counting, detection hooks",
		Args:  cobra.NoArgs,
	}
	output := benchOutput(cmd)
	names := cmd.Flags().StringSlice("workload", exportWorkloads(),
		"workloads to run; all is every one")
	stages := cmd.Flags().StringSlice("stage", []string{bench.StageCount},
		"what to measure: decode (what counting needs), decode_all, count (decode and count)")
	memory := cmd.Flags().StringSlice("memory", []string{"hot"},
		"where datagrams are: hot (as just copied from a socket), cold (in no cache)")
	records := cmd.Flags().Int("records", 2_000_000, "records per run")
	runs := cmd.Flags().Int("runs", 11, "runs, of which the median counts")
	groups := cmd.Flags().Int("hostgroups", 100, "hostgroups with limits of their own, 1 to 256")
	cache := cmd.Flags().Bool("cache", false,
		"instead: how true the rates are that a simulated router's records make, and how late")
	profile := cmd.Flags().String("cpuprofile", "", "file for a CPU profile of the runs")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		format, err := output()
		if err != nil {
			return err
		}
		if *cache {
			return simulateFlows(cmd, format)
		}
		if err := checkNumbers(
			number{"records", *records, 1, mostUnits}, number{"runs", *runs, 1, mostRuns},
			number{"hostgroups", *groups, 1, mostGroups},
		); err != nil {
			return err
		}
		c := bench.FlowsConfig{
			Records: *records, Runs: *runs, Groups: *groups, Networks: bench.Home(),
			Degraded: benchDegraded(),
		}
		plan, err := planFlows(&c, *names, *stages, *memory)
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
		return measureFlows(cmd.OutOrStdout(), plan, format)
	}
	return cmd
}

// measureFlows runs plan, and prints each result when it is there.
func measureFlows(out io.Writer, plan []bench.FlowsConfig, format benchFormat) error {
	for i := range plan {
		r, err := bench.Flows(&plan[i])
		if err != nil {
			return err
		}
		if err := printFlows(out, &r, format, i == 0); err != nil {
			return err
		}
	}
	return nil
}

// exportWorkloads returns the names of all workloads of flow exports.
func exportWorkloads() (names []string) {
	for _, w := range blast.ExportWorkloads() {
		names = append(names, w.Name)
	}
	return names
}

// planFlows returns c for every workload, stage and kind of memory.
func planFlows(c *bench.FlowsConfig, names, stages, memory []string) ([]bench.FlowsConfig, error) {
	workloads, err := findExports(names)
	if err != nil {
		return nil, err
	}
	if err := checkNames("stage", stages, bench.FlowStages()); err != nil {
		return nil, err
	}
	if err := checkNames("memory", memory, memories()); err != nil {
		return nil, err
	}
	var plan []bench.FlowsConfig
	for _, w := range workloads {
		for _, stage := range stages {
			for _, m := range memory {
				one := *c
				one.Workload, one.Stage, one.Cold = w, stage, m == "cold"
				plan = append(plan, one)
			}
		}
	}
	return plan, nil
}

func printFlows(out io.Writer, r *bench.FlowsResult, format benchFormat, first bool) error {
	switch format {
	case benchJSON:
		return json.NewEncoder(out).Encode(r)
	case benchGo:
		return printGo(out, &r.Host, r.GoResult(), first)
	}
	if first {
		h := r.Host
		fmt.Fprintf(out, "%s, Linux %s, %s; %d runs of %d records, one core\n\n",
			h.CPU, h.Kernel, h.Go, r.Runs, r.Records)
		fmt.Fprintf(out, "%-9s%-11s%-7s%10s%16s%8s%8s%9s%8s%8s\n", "WORKLOAD", "STAGE", "MEMORY",
			"CPU ns/rec", "LOWEST–HIGHEST", "Mrps", "ALLOCS", "HOSTS", "ns/MUL", "ns/LOAD")
	}
	_, err := fmt.Fprintf(out, "%-9s%-11s%-7s%10.1f%9.1f–%6.1f%8.1f%8d%9s%8.2f%8.0f\n", r.Workload,
		r.Stage, r.Memory, r.NSPerRecord, r.Lowest, r.Highest, r.MRPS, r.Allocs,
		hostsText(r.Counted), r.Calibration, r.Load)
	for _, why := range r.Degraded {
		_, err = fmt.Fprintf(out, "         degraded: %s\n", why)
	}
	return err
}

// simulateFlows prints what becomes of traffic that comes through a router's flow cache.
func simulateFlows(cmd *cobra.Command, format benchFormat) error {
	if err := checkUnused(cmd, "--cache", "workload", "stage", "memory", "records", "runs",
		"hostgroups", "cpuprofile"); err != nil {
		return err
	}
	if format == benchGo {
		return usageError("--output go has no meaning with --cache: it takes no times")
	}
	out, asJSON := cmd.OutOrStdout(), format == benchJSON
	if !asJSON {
		fmt.Fprintf(out, "%-9s%7s%8s%9s %10s%7s%7s%6s%6s %7s%7s %14s%8s\n", "TRAFFIC", "ACTIVE",
			"ALIGNED", "SAMPLING", "ERR MEAN", "MAX", "FIRST", "PEAK", "AFTER", "OWN s", "EXTRA",
			"NAIVE ERR MEAN", "PEAK")
	}
	for _, c := range bench.FlowTimeCases() {
		r, err := bench.SimulateFlows(c.Traffic, c.Cache)
		if err != nil {
			return err
		}
		if asJSON {
			err = json.NewEncoder(out).Encode(&r)
		} else {
			_, err = fmt.Fprintf(out, "%-9s%6.0fs%8v%9s %10.3f%7.3f%7.2f%6.2f%6.2f %7.2f%7.2f"+
				" %14.2f%8.1f\n", r.Traffic, float64(r.ActiveMS)/1000, r.Aligned,
				fmt.Sprintf("1:%d", r.Sampling), r.MeanError, r.MaxError, r.First, r.Peak,
				r.PeakAfter, float64(r.OwnMS)/1000, float64(r.ExtraMS)/1000, r.NaiveMean,
				r.NaivePeak)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
