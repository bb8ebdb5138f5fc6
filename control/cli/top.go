package cli

import (
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"weir/control/top"
)

func newTop() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Show hosts, networks, attacks and cores of the running daemon, live",
		Args:  cobra.NoArgs,
	}
	a := askFlags(cmd)
	f := cmd.Flags()
	interval := f.Duration("interval", time.Second, "time between two pictures, 100ms at least")
	once := f.Bool("once", false, "print the hosts once instead; with -o json, everything")
	ascii := f.Bool("ascii", false, "draw with ASCII only")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		isJSON, err := a.output()
		switch {
		case err != nil:
			return err
		case *interval < top.MinInterval:
			return usageError("--interval is %v, less than %v", *interval, top.MinInterval)
		case isJSON && !*once:
			return usageError("-o json needs --once")
		}
		client := a.client()
		defer client.Close()
		o := top.Options{
			Socket: *a.socket, Interval: *interval, Look: top.LookFrom(os.Getenv, *ascii),
		}
		switch out := cmd.OutOrStdout(); {
		case isJSON:
			return unreachable(top.OnceJSON(cmd.Context(), client, out))
		case *once:
			return unreachable(top.OnceText(cmd.Context(), client, o, onceWidth(), out))
		case !terminal(cmd.InOrStdin()) || !terminal(out):
			return usageError("no terminal to draw on: --once prints one picture")
		default:
			return top.Run(cmd.Context(), client, o, cmd.InOrStdin(), below(out))
		}
	}
	return cmd
}

// onceWidth is the width of text that may go to a file: COLUMNS, or enough for every column.
func onceWidth() int {
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 && n < 1000 {
		return n
	}
	return 120
}
