package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/spf13/cobra"

	"weir/bench"
	"weir/tools/blast"
)

func newBench() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "line-rate benchmarks",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newBenchPipeline(), newBenchFlows(), newBenchRx())
	return cmd
}

func newBenchPipeline() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pipeline",
		Short: "CPU time per packet of one core: rings, decoding, counting, detection hooks",
		Args:  cobra.NoArgs,
	}
	output := outputFlag(cmd)
	names := cmd.Flags().StringSlice("workload", []string{"W1", "W2", "W3"}, "workloads to run")
	packets := cmd.Flags().Int("packets", 20_000_000, "packets per run")
	runs := cmd.Flags().Int("runs", 10, "runs, of which the median counts")
	groups := cmd.Flags().Int("hostgroups", 100, "hostgroups with limits of their own, 1 to 256")
	profile := cmd.Flags().String("cpuprofile", "", "file for a CPU profile of the runs")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		asJSON, err := output()
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
		if *packets < 1 || *runs < 1 || *groups < 1 || *groups > 256 {
			return usageError("--packets and --runs are at least 1, --hostgroups 1 to 256")
		}
		for i, name := range *names {
			w, err := blast.Find(name)
			if err != nil {
				return &exitError{exitUsage, err}
			}
			r, err := bench.Pipeline(bench.PipelineConfig{
				Workload: w, Packets: *packets, Runs: *runs, Groups: *groups,
				Networks: bench.Home(),
			})
			if err != nil {
				return err
			}
			if err := printPipeline(cmd, &r, asJSON, i == 0); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
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

func printPipeline(cmd *cobra.Command, r *bench.PipelineResult, asJSON, first bool) error {
	out := cmd.OutOrStdout()
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	if first {
		h := r.Host
		fmt.Fprintf(out, "%s, Linux %s, %s; %d runs of %d packets, one core\n\n",
			h.CPU, h.Kernel, h.Go, r.Runs, r.Packets)
		fmt.Fprintf(out, "%-9s %10s %20s %8s %7s %10s\n", "WORKLOAD", "CPU ns/pkt",
			"LOWEST–HIGHEST",
			"Mpps", "ALLOCS", "HOSTS")
	}
	_, err := fmt.Fprintf(out, "%-9s %10.1f %13.1f–%6.1f %8.1f %7d %10d\n", r.Workload,
		r.NSPerPacket,
		r.Lowest, r.Highest, r.MPPS, r.Allocs, r.Hosts)
	for _, why := range r.Degraded {
		_, err = fmt.Fprintf(out, "          degraded: %s\n", why)
	}
	return err
}
