package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/control/api"
)

func newAttacks() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "attacks",
		Short: "list, show or report attacks",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAttacksList(), newAttacksShow(), newAttacksReport())
	return cmd
}

func newAttacksList() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list",
		Short: "the attacks that go on, and those that are over",
		Args:  cobra.NoArgs,
	}
	state := cmd.Flags().String("state", "all", "active, over or all")
	cmd.RunE = ask(askFlags(cmd),
		func(cmd *cobra.Command, _ []string, c *api.Client) (api.AttackList, error) {
			switch *state {
			case "active", "over", "all":
				return c.Attacks(cmd.Context(), *state)
			}
			return api.AttackList{}, usageError("--state is %q, not active, over or all", *state)
		}, func(w io.Writer, l api.AttackList) { printAttacks(w, *state, l) })
	return cmd
}

func printAttacks(w io.Writer, state string, l api.AttackList) {
	if len(l.Attacks) == 0 {
		noAttack(w, state)
		return
	}
	rows := [][]string{{"ID", "STATE", "SINCE (UTC)", "TARGET", "DIRECTION", "WHAT", " PPS",
		" PEAK", "LIMIT", " DELAY"}}
	for i := range l.Attacks {
		a := &l.Attacks[i]
		target := a.Target
		if a.Allowed {
			target += " (allowlisted)"
		}
		rows = append(rows, []string{
			a.ID, a.State, a.Begin.UTC().Format(time.DateTime), target, a.Direction,
			vectorText(a.Vectors), pps(a.PPS), pps(a.PeakPPS),
			fmt.Sprintf("%s > %s", a.Trigger.Metric, rateText(a.Trigger.Limit, "")),
			fmt.Sprintf("%d ms", a.DelayMS),
		})
	}
	columns(w, rows)
}

// noAttack says why there is none of that state.
func noAttack(w io.Writer, state string) {
	switch state {
	case "active":
		none(w, "No attack goes on: no host is over a limit.", "weir hosts --sort percent")
	case "over":
		none(w, "No attack has ended since the daemon's start.", "weir attacks list --state active")
	default:
		none(w, "No attack since the daemon's start: no host went over a limit.",
			"weir status --pipeline")
	}
}

func newAttacksShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "everything that is known of one attack",
		Args:  cobra.ExactArgs(1),
	}
	cmd.RunE = ask(askFlags(cmd),
		func(cmd *cobra.Command, args []string, c *api.Client) (api.Attack, error) {
			return c.Attack(cmd.Context(), args[0])
		}, printAttack)
	return cmd
}

func printAttack(w io.Writer, a api.Attack) {
	t := &a.Trigger
	end := "goes on"
	if a.End != nil {
		end = a.End.Format(time.RFC3339Nano)
	}
	rows := [][]string{
		{"attack", a.ID + ", " + a.State}, {"target", a.Target + ", " + a.Direction},
		{"begin", a.Begin.Format(time.RFC3339Nano)},
		{"verdict", fmt.Sprintf("%s, after %d ms", a.Detected.Format(time.RFC3339Nano), a.DelayMS)},
		{"end", end}, {"what", vectorText(a.Vectors)},
		{"limit", fmt.Sprintf("%s %d > %d, set for %s, seen by %s", t.Metric, t.Value, t.Limit,
			t.Hostgroup, t.View)},
		{"now", fmt.Sprintf("%s, %s, %s", pps(a.PPS), bps(a.BPS), rateText(a.FPS, "fps"))},
		{"peak", fmt.Sprintf("%s, %s, %s", pps(a.PeakPPS), bps(a.PeakBPS),
			rateText(a.PeakFPS, "fps"))},
		{"evidence", orNone(a.Evidence)},
	}
	if a.Allowed {
		rows = append(rows, []string{"allowlist", "the target is on it: no mitigation"})
	}
	for i := range a.Actions {
		rows = append(rows, []string{"action", actionText(&a.Actions[i])})
	}
	columns(w, rows)
	fmt.Fprintf(w, "\n  try: weir attacks report %s\n", visible(a.ID))
}

// actionText says in one line what was done, or would have been.
func actionText(a *api.Action) string {
	words := []string{a.Time.Format(time.RFC3339), a.Event, a.Kind, a.Prefix}
	text := strings.Join(append(words, a.Communities...), " ")
	if a.Reason != "" {
		text += ": " + a.Reason
	}
	return text + dryRun(a.DryRun)
}

// reportText is what `weir attacks report -o json` prints.
type reportText struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Text string `json:"text"`
}

func newAttacksReport() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "report ID",
		Short: "print the report of one attack",
		Args:  cobra.ExactArgs(1),
	}
	a := askFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		asJSON, err := a.output()
		if err != nil {
			return err
		}
		client := a.client()
		defer client.Close()
		text, err := client.Report(cmd.Context(), args[0])
		if err != nil {
			return unreachable(err)
		}
		if asJSON {
			return encodeLine(cmd.OutOrStdout(), reportText{"report", args[0], string(text)})
		}
		_, err = cmd.OutOrStdout().Write(text)
		return err
	}
	return cmd
}
