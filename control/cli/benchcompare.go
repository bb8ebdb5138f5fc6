package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"weir/bench"
)

func newBenchCompare() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "compare OLD NEW",
		Short: "compare two files of results; exit 5 where NEW is significantly slower",
		Long: `Compare two files of results as "weir bench … -o json" writes them, workload by
workload. A difference counts when it is at least --effect of the old median and chance would make
it in fewer than --alpha of all cases (Mann-Whitney U test of the single runs). It takes four runs
on each side to show anything at 0.05, and ten to trust it. A line without runs is a single run of
its cpu_ns_per_packet or cpu_ns_per_record, and several of one name add up; where there are too few
for the test, a difference of 10 % counts, or of --effect if that is more, and the line says so. Of
searches (bench rx --ndr) the rates are compared, of which the higher is the better.`,
		Args: cobra.ExactArgs(2),
	}
	output := outputFlag(cmd)
	var c bench.CompareConfig
	cmd.Flags().Float64Var(&c.Alpha, "alpha", 0.05, "greatest probability of chance")
	effect := cmd.Flags().Float64("effect", 3, "least difference that counts, percent")
	cmd.Flags().BoolVar(&c.Calibrated, "calibrated", false,
		"compare times by those of the calibration loop beside them: for unlike machines")
	cmd.RunE = func(cmd *cobra.Command, files []string) error {
		asJSON, err := output()
		if err != nil {
			return err
		}
		if !(c.Alpha > 0 && c.Alpha < 1) || !(*effect >= 0) {
			return usageError("--alpha is above 0 and below 1, --effect not below 0")
		}
		c.Effect = *effect / 100
		var results [2]*bench.Results
		for i, name := range files {
			if results[i], err = readResults(name); err != nil {
				return err
			}
		}
		list, err := bench.Compare(results[0], results[1], c)
		if printed := printComparisons(cmd.OutOrStdout(), list, asJSON); err == nil {
			err = printed
		}
		if err != nil {
			return err
		}
		return lossError(cmd.ErrOrStderr(), list)
	}
	return cmd
}

func readResults(name string) (*bench.Results, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return bench.ReadResults(name, f)
}

func printComparisons(out io.Writer, list []bench.Comparison, asJSON bool) (err error) {
	if asJSON {
		lines := json.NewEncoder(out)
		for i := range list {
			if err := lines.Encode(&list[i]); err != nil {
				return err
			}
		}
		return nil
	}
	fmt.Fprintf(out, "%-14s%-32s%13s%14s%9s%8s%7s  %s\n", "BENCH", "WORKLOAD", "OLD ",
		"NEW ", "DELTA", "P", "RUNS", "OUTCOME")
	for i := range list {
		r := &list[i]
		if r.Outcome == bench.Missing {
			_, err = fmt.Fprintf(out, "%-14s%-32s%51s  missing in %s\n", r.Bench, r.Workload, "",
				r.Missing)
			continue
		}
		note := r.Note
		if note != "" {
			note = " (" + note + ")"
		}
		_, err = fmt.Fprintf(out, "%-14s%-32s%8.2f %-5s%8.2f %-5s%+7.1f %%%8.4f%4d+%-2d  %s%s\n",
			r.Bench, r.Workload, r.Old, r.Unit, r.New, r.Unit, 100*r.Delta, r.P, r.OldRuns,
			r.NewRuns, r.Outcome, note)
	}
	return err
}

// lossError says how many workloads lost, and which results only one file has.
func lossError(talk io.Writer, list []bench.Comparison) error {
	losses := 0
	for i := range list {
		switch r := &list[i]; r.Outcome {
		case bench.Loss:
			losses++
		case bench.Missing:
			fmt.Fprintf(talk, "%s %s is missing in %s\n", r.Bench, r.Workload, r.Missing)
		}
	}
	if losses > 0 {
		return &exitError{exitUnmet, fmt.Errorf("%d of %d workloads are slower", losses, len(list))}
	}
	return nil
}
