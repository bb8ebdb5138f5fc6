package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"weir/bench"
	"weir/tools/blast"
)

func newBenchDetect() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "detect",
		Short: "delay from a flood's first packet to the verdict, as a distribution",
		Long: `Delay from a flood's first packet to the verdict, by the stream's own clock, through
the whole engine in lock-step, for floods that begin at random moments of a second amid the traffic
of a workload: W1's to one host, which is not the victim and stays below the limit, W2's to 65,536
or W3's to 1,048,576. The same command gives the same delays on every machine. Exit 5 if a flood is
missed or another host blamed.`,
		Args: cobra.NoArgs,
	}
	output := outputFlag(cmd)
	var c bench.DetectConfig
	flags := cmd.Flags()
	flags.StringVar(&c.Vector, "vector", "udp_flood", "kind of flood")
	flags.IntVar(&c.Limit, "limit", 20_000, "limit of every host, packets per second")
	amid := flags.StringSlice("workload", []string{"W2"},
		"traffic beside the flood: "+strings.Join(bench.DetectWorkloads(), ", ")+"; all is each")
	flags.IntVar(&c.Background, "background", 50_000,
		"packets per second of it; of W1 half the limit, unless given")
	flags.IntVar(&c.Phases, "phases", 40, "floods of each kind")
	factors := flags.Float64Slice("factor", []float64{2, 10}, "rates of the flood over the limit")
	families := flags.StringSlice("family", []string{"ipv4", "ipv6"}, "families of the victim")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		asJSON, err := output()
		if err != nil {
			return err
		}
		if err := checkDetect(&c, *factors, *families); err != nil {
			return err
		}
		backgrounds, err := planAmid(c, *amid, cmd.Flags().Changed("background"))
		if err != nil {
			return err
		}
		plan := planDetect(backgrounds, *factors, *families)
		return measureDetect(cmd.OutOrStdout(), plan, asJSON)
	}
	return cmd
}

// measureDetect runs plan. The error says how many floods were not found.
func measureDetect(out io.Writer, plan []bench.DetectConfig, asJSON bool) error {
	missed, degraded := 0, benchDegraded()
	for i := range plan {
		plan[i].Degraded = degraded
		r, err := bench.Detect(&plan[i])
		if err != nil {
			return err
		}
		missed += r.Missed + r.Wrong
		if err := printDetect(out, &r, asJSON, i == 0); err != nil {
			return err
		}
	}
	if missed > 0 {
		return &exitError{exitUnmet, fmt.Errorf("%d of the floods were not found", missed)}
	}
	return nil
}

// planAmid returns c amid each of the workloads, of which all is every one; given says that its
// rate was.
func planAmid(
	c bench.DetectConfig, names []string, given bool,
) (plan []bench.DetectConfig, err error) {
	known := bench.DetectWorkloads()
	if slices.Contains(names, all) {
		names = known
	}
	if err := checkNames("workload", names, known); err != nil {
		return nil, err
	}
	for _, name := range names {
		one := c
		if one.Workload, err = blast.Find(name); err != nil {
			return nil, err
		}
		if one.Workload.Hosts == 1 && !given {
			one.Background = max(1, c.Limit/2)
		}
		if one.Workload.Hosts == 1 && one.Background >= c.Limit {
			return nil, usageError("--background %d is a flood to the one host of %s: --limit "+
				"is %d", one.Background, name, c.Limit)
		}
		plan = append(plan, one)
	}
	return plan, nil
}

// planDetect returns the backgrounds for every family and factor.
func planDetect(
	backgrounds []bench.DetectConfig, factors []float64, families []string,
) (plan []bench.DetectConfig) {
	for _, c := range backgrounds {
		for _, family := range families {
			for _, factor := range factors {
				c.IPv6, c.Factor = family == "ipv6", factor
				plan = append(plan, c)
			}
		}
	}
	return plan
}

// checkDetect returns what is wrong with the flags.
func checkDetect(c *bench.DetectConfig, factors []float64, families []string) error {
	if err := checkNumbers(
		number{"limit", c.Limit, 1, mostRate}, number{"background", c.Background, 1, mostRate},
		number{"phases", c.Phases, 1, mostPhases},
	); err != nil {
		return err
	}
	if err := checkNames("vector", []string{c.Vector}, blast.Vectors()); err != nil {
		return err
	}
	if err := checkNames("family", families, []string{"ipv4", "ipv6"}); err != nil {
		return err
	}
	if len(factors) == 0 {
		return usageError("--factor is empty")
	}
	for _, factor := range factors {
		if pps := factor * float64(c.Limit); !(pps >= 1 && pps <= mostRate) {
			return usageError("--factor %v gives %v packets per second, not 1 to %d", factor, pps,
				mostRate)
		}
	}
	return nil
}

func printDetect(out io.Writer, r *bench.DetectResult, asJSON, first bool) error {
	if asJSON {
		return json.NewEncoder(out).Encode(r)
	}
	if first {
		fmt.Fprintf(out, "%s over %d packets/s; %d of each\n\n", r.Vector, r.LimitPPS, r.Phases)
		fmt.Fprintf(out, "%-6s%10s  %-7s%12s%10s%10s%10s%10s%8s%7s\n", "AMID", "pps", "FAMILY",
			"ATTACK pps", "LEAST ms",
			"MEDIAN", "P95", "MOST", "MISSED", "WRONG")
	}
	_, err := fmt.Fprintf(out, "%-6s%10d  %-7s%12d%10.1f%10.1f%10.1f%10.1f%8d%7d\n", r.Amid,
		r.Background, r.Family, r.AttackPPS, r.Least, r.Median, r.P95, r.Most, r.Missed, r.Wrong)
	return err
}
