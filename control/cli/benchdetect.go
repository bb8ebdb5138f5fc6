package cli

import (
	"encoding/json"
	"fmt"
	"io"

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
of 65,536 hosts. The same command gives the same delays on every machine. Exit 5 if a flood is
missed or another host blamed.`,
		Args: cobra.NoArgs,
	}
	output := outputFlag(cmd)
	var c bench.DetectConfig
	flags := cmd.Flags()
	flags.StringVar(&c.Vector, "vector", "udp_flood", "kind of flood")
	flags.IntVar(&c.Limit, "limit", 20_000, "limit of every host, packets per second")
	flags.IntVar(&c.Background, "background", 50_000, "packets per second to all other hosts")
	flags.IntVar(&c.Phases, "phases", 40, "floods of each kind")
	factors := flags.Float64Slice("factor", []float64{2, 10}, "rates of the flood over the limit")
	families := flags.StringSlice("family", []string{"ipv4", "ipv6"}, "families of the victim")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		asJSON, err := output()
		if err != nil {
			return err
		}
		c.Degraded = benchDegraded()
		plan, err := planDetect(c, *factors, *families)
		if err != nil {
			return err
		}
		missed := 0
		for i := range plan {
			r, err := bench.Detect(&plan[i])
			if err != nil {
				return err
			}
			missed += r.Missed + r.Wrong
			if err := printDetect(cmd.OutOrStdout(), &r, asJSON, i == 0); err != nil {
				return err
			}
		}
		if missed > 0 {
			return &exitError{exitUnmet, fmt.Errorf("%d of the floods were not found", missed)}
		}
		return nil
	}
	return cmd
}

// planDetect returns c for every factor and family.
func planDetect(
	c bench.DetectConfig, factors []float64, families []string,
) (plan []bench.DetectConfig, err error) {
	if err := checkDetect(&c, factors, families); err != nil {
		return nil, err
	}
	for _, family := range families {
		for _, factor := range factors {
			c.IPv6, c.Factor = family == "ipv6", factor
			plan = append(plan, c)
		}
	}
	return plan, nil
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
		fmt.Fprintf(out, "%s over %d packets/s, amid %d packets/s to 65,536 hosts; %d of each\n\n",
			r.Vector, r.LimitPPS, r.Background, r.Phases)
		fmt.Fprintf(out, "%-7s%12s%10s%10s%10s%10s%8s%7s\n", "FAMILY", "ATTACK pps", "LEAST ms",
			"MEDIAN", "P95", "MOST", "MISSED", "WRONG")
	}
	_, err := fmt.Fprintf(out, "%-7s%12d%10.1f%10.1f%10.1f%10.1f%8d%7d\n", r.Family, r.AttackPPS,
		r.Least, r.Median, r.P95, r.Most, r.Missed, r.Wrong)
	return err
}
