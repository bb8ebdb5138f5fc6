package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"weir/control/api"
)

func newReload() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "reload [--dry-run]",
		Short: "have the daemon read its file again; one with errors changes nothing",
		Args:  cobra.NoArgs,
	}
	dry := cmd.Flags().Bool("dry-run", false, "only say what would change")
	var refused bool
	run := ask(askFlags(cmd),
		func(cmd *cobra.Command, _ []string, c *api.Client) (api.ReloadResult, error) {
			r, err := c.Reload(cmd.Context(), *dry)
			if err != nil {
				return r, err
			}
			refused = !r.OK
			talkReload(cmd.ErrOrStderr(), &r)
			return r, nil
		}, printReload)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := run(cmd, args); err != nil {
			return err
		}
		if refused {
			return &exitError{status: exitFailed}
		}
		return nil
	}
	return cmd
}

// talkReload prints what is wrong with the file or doubtful, as `weir config check` does.
func talkReload(w io.Writer, r *api.ReloadResult) {
	for _, text := range slices.Concat(r.Warnings, r.Errors) {
		fmt.Fprintln(w, hang("", text))
	}
	if !r.OK {
		fmt.Fprintln(w, "weir: nothing was changed")
	}
}

func printReload(w io.Writer, r api.ReloadResult) {
	if !r.OK {
		return
	}
	if len(r.Changes)+len(r.Files) == 0 {
		fmt.Fprintln(w, "nothing has changed")
		return
	}
	live := "now"
	if r.DryRun {
		live = "with weir reload"
	}
	if len(r.Changes) > 0 {
		rows := [][]string{{"KEY", "OLD", "NEW", "IN FORCE"}}
		for _, c := range r.Changes {
			force := live
			if c.Class == "restart" {
				force = "after a restart"
			}
			rows = append(rows, []string{c.Path, orNone(c.Old), orNone(c.New), force})
		}
		columns(w, rows)
	}
	for i := range r.Files {
		fmt.Fprintf(w, "%s (in force %s)\n", visible(fileText(&r.Files[i])), live)
	}
}

// fileText returns one line of a file that has another content, e.g. "filter.rules: 12 rules, was
// 10 rules, in /etc/weir/ignore.rules".
func fileText(f *api.FileChange) string {
	switch {
	case f.New == "":
		return fmt.Sprintf("%s: none, was %s", f.Path, f.Old)
	case f.Old == f.New:
		return fmt.Sprintf("%s: other content, %s as before, in %s", f.Path, f.New, f.File)
	}
	return fmt.Sprintf("%s: %s, was %s, in %s", f.Path, f.New, cmp.Or(f.Old, "none"), f.File)
}

func orNone(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
