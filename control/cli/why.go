package cli

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/control/api"
)

func newWhy() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "why ADDR",
		Short: "explain an address: hostgroup, limits with their values now, state, decisions",
		Args:  cobra.ExactArgs(1),
	}
	cmd.RunE = ask(askFlags(cmd),
		func(cmd *cobra.Command, args []string, c *api.Client) (api.Why, error) {
			a, err := netip.ParseAddr(args[0])
			if err != nil {
				return api.Why{}, usageError("%q is not an IP address", args[0])
			}
			return c.Why(cmd.Context(), a)
		}, printWhy)
	return cmd
}

func printWhy(w io.Writer, y api.Why) {
	fmt.Fprintf(w, "%s: %s\n%s\n", visible(y.Address), visible(y.State), visible(y.Verdict))
	if y.Ours {
		group := y.Group
		if y.Prefix != "" {
			group += " (by " + y.Prefix + ")"
		}
		rows := [][]string{
			{"network", y.Network + ", counted " + strings.ReplaceAll(y.Counted, "_", " ")},
			{"hostgroup", group}, {"incoming", ratesText(&y.In)}, {"outgoing", ratesText(&y.Out)},
		}
		if y.Allowed {
			rows = append(rows, []string{"allowlist", "by " + y.AllowedBy + ": never mitigated"})
		}
		fmt.Fprintln(w)
		columns(w, rows)
	}
	if len(y.Limits) > 0 {
		fmt.Fprintln(w)
		rows := [][]string{{"LIMIT", " NOW", " OF", "", " ", "SET BY"}}
		for _, l := range y.Limits {
			rows = append(rows, []string{l.Metric, rateText(l.Value, ""), rateText(l.Limit, ""),
				bar(l.Percent), fmt.Sprintf("%.0f %%", l.Percent), l.From})
		}
		columns(w, rows)
	}
	if y.Attack != nil {
		id := visible(y.Attack.ID)
		fmt.Fprintf(w, "\nattack %s since %s: %s\n  try: weir attacks show %s\n", id,
			y.Attack.Begin.Format(time.RFC3339), visible(vectorText(y.Attack.Vectors)), id)
	}
	if len(y.Decisions) == 0 {
		fmt.Fprintf(w, "\nNothing was decided about it since the daemon's start.\n")
		return
	}
	fmt.Fprintf(w, "\nLast decisions (UTC):\n")
	for _, d := range y.Decisions {
		fmt.Fprintf(w, "  %s  %s  %s\n", d.Time.UTC().Format("2006-01-02 15:04:05.000"),
			visible(d.ID), visible(d.What))
	}
}

// bar draws a part of a limit, twenty characters wide.
func bar(percent float64) string {
	const width = 20
	full := int(min(width, max(0, percent/100*width+0.5)))
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}

func vectorText(vs []api.Vector) string {
	var out []string
	for _, v := range vs {
		out = append(out, fmt.Sprintf("%s %.0f %%", v.Name, 100*v.Share))
	}
	if len(out) == 0 {
		return "no family"
	}
	return strings.Join(out, ", ")
}
