package cli

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"weir/control/api"
	"weir/control/brake"
	"weir/control/config"
)

func newBan() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ban ADDR --reason R --ttl D",
		Short: "announce a blackhole of one address for a time; status 1 if a rule refuses",
		Args:  cobra.ExactArgs(1),
	}
	a := askFlags(cmd)
	reason := cmd.Flags().String("reason", "", "why, for the log (required)")
	ttl := cmd.Flags().Duration("ttl", 0, "for how long, e.g. 30m (required)")
	cmd.RunE = operate(a,
		func(cmd *cobra.Command, args []string, c *api.Client) (api.Outcome, error) {
			if !cmd.Flags().Changed("ttl") {
				return api.Outcome{}, usageError("--ttl is missing: for how long, e.g. 30m")
			}
			r, err := banRequest(args[0], *reason)
			if err != nil {
				return api.Outcome{}, err
			}
			r.TTL = *ttl
			return c.Ban(cmd.Context(), r)
		})
	return cmd
}

func newUnban() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "unban ADDR --reason R",
		Short: "withdraw the blackhole of an address; an attack that goes on gets no other",
		Args:  cobra.ExactArgs(1),
	}
	a := askFlags(cmd)
	reason := cmd.Flags().String("reason", "", "why, for the log (required)")
	cmd.RunE = operate(a,
		func(cmd *cobra.Command, args []string, c *api.Client) (api.Outcome, error) {
			r, err := banRequest(args[0], *reason)
			if err != nil {
				return api.Outcome{}, err
			}
			return c.Unban(cmd.Context(), r)
		})
	return cmd
}

func banRequest(address, reason string) (api.BanRequest, error) {
	a, err := netip.ParseAddr(address)
	switch {
	case err != nil:
		return api.BanRequest{}, usageError("%q is not an IP address", address)
	case reason == "":
		return api.BanRequest{}, usageError("--reason is missing: why, for the log")
	}
	return api.BanRequest{Address: a, Reason: reason}, nil
}

// operate makes the run of a command that has something done. The daemon's refusal is an answer;
// the command has failed all the same.
func operate(
	a asked, question func(*cobra.Command, []string, *api.Client) (api.Outcome, error),
) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		var refusal error
		run := ask(a,
			func(cmd *cobra.Command, args []string, c *api.Client) (api.Outcome, error) {
				o, err := question(cmd, args, c)
				if err == nil && !o.OK {
					refusal = errors.New(visible(o.Text))
				}
				return o, err
			}, printOutcome)
		return errors.Join(run(cmd, args), refusal)
	}
}

func printOutcome(w io.Writer, o api.Outcome) {
	if o.OK {
		fmt.Fprintf(w, "%s%s\n", visible(o.Text), dryRun(o.DryRun))
	}
}

// brakeLong is what freeze and withdraw-all say about the kill file.
const brakeLong = `
Where no daemon answers, the wish is carried out as far as it can be: the kill file is written,
STATE_DIR/kill, with the folder of the configuration. A weir that starts heeds it. The exit status
is 0 then, and 4 if there is neither a daemon nor a kill file.`

func newFreeze() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "freeze [--off]",
		Short: "refuse every new blackhole; those that stand stay until their leases end",
		Long: `Refuse every new blackhole from now on; those that stand stay until their leases end.
--off ends that, and removes the kill file.
` + brakeLong,
		Args: cobra.NoArgs,
	}
	b := brakeFlags(cmd)
	off := cmd.Flags().Bool("off", false, "announce again, and remove the kill file")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *off {
			return b.release(cmd)
		}
		return b.pull(cmd, brake.Freeze, func(c *api.Client) (api.Outcome, error) {
			return c.Freeze(cmd.Context(), true)
		})
	}
	return cmd
}

func newWithdrawAll() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "withdraw-all [--expect N]",
		Short: "withdraw every blackhole, and freeze",
		Long: `Withdraw every blackhole, and refuse every new one from now on. With --expect nothing
is done unless there are so many; without a daemon that is not known, and no kill file is written.
` + brakeLong,
		Args: cobra.NoArgs,
	}
	b := brakeFlags(cmd)
	expect := cmd.Flags().Int("expect", -1, "only if there are so many; else however many")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		given := cmd.Flags().Changed("expect")
		if given && *expect < 0 {
			return usageError("--expect is %d, not a number of blackholes", *expect)
		}
		ask := func(c *api.Client) (api.Outcome, error) {
			return c.WithdrawAll(cmd.Context(), *expect)
		}
		if given {
			return b.run(cmd, ask)
		}
		return b.pull(cmd, brake.Withdraw, ask)
	}
	return cmd
}

// killAnswer is what is printed in place of a daemon's answer.
type killAnswer struct {
	Type    string    `json:"type"` // "kill_file"
	Time    time.Time `json:"time"`
	Path    string    `json:"path"`
	Content string    `json:"content"` // freeze or withdraw; "" where the file was removed
	Text    string    `json:"text"`
}

// brakes is a command that stops announcements with a daemon or without one.
type brakes struct {
	asked
	config *string
}

func brakeFlags(cmd *cobra.Command) *brakes {
	return &brakes{askFlags(cmd), cmd.Flags().StringP("config", "c", "",
		"configuration file, for the places of the socket and the kill file (default "+
			config.DefaultPath+")")}
}

// run asks the daemon.
func (b *brakes) run(cmd *cobra.Command, do func(*api.Client) (api.Outcome, error)) error {
	if err := b.place(cmd); err != nil {
		return err
	}
	return operate(b.asked,
		func(_ *cobra.Command, _ []string, c *api.Client) (api.Outcome, error) { return do(c) },
	)(cmd, nil)
}

// pull asks the daemon, and where there is none writes the kill file.
func (b *brakes) pull(
	cmd *cobra.Command, want brake.Brake, do func(*api.Client) (api.Outcome, error),
) error {
	err := b.run(cmd, do)
	var none *api.Unreachable
	if !errors.As(err, &none) {
		return err
	}
	path, failed := b.killPath()
	content, verb := want, "wrote "+path
	if failed == nil {
		content, failed = brake.Write(path, want)
	}
	if failed != nil {
		return &exitError{exitUnreachable, fmt.Errorf("%w; and no kill file: %w", none, failed)}
	}
	if content != want {
		verb = fmt.Sprintf("left %s, which says %q", path, content.String())
	}
	what := "nothing new while it is there"
	if content == brake.Withdraw {
		what = "nothing while it is there; " +
			"routers drop what they learned when graceful restart ends"
	}
	return b.tell(cmd, path, content.String(),
		fmt.Sprintf("no daemon answers; %s: a weir that starts announces %s", verb, what))
}

// release removes the kill file, which a daemon minds too, and asks the daemon.
func (b *brakes) release(cmd *cobra.Command) error {
	if _, err := b.output(); err != nil {
		return err
	}
	path, failed := b.killPath()
	removed := false
	switch {
	case failed == nil:
		removed, failed = brake.Remove(path)
	case *b.config != "":
		return failed
	}
	err := b.run(cmd, func(c *api.Client) (api.Outcome, error) {
		return c.Freeze(cmd.Context(), false)
	})
	var none *api.Unreachable
	switch {
	case failed != nil && err != nil:
		return fmt.Errorf("%w; and a kill file would stay: %w", err, failed)
	case failed != nil:
		return fmt.Errorf("a kill file would stay: %w", failed)
	case errors.As(err, &none) && !removed:
		return &exitError{exitUnreachable, fmt.Errorf("%w; and there is no %s", none, path)}
	case errors.As(err, &none):
		return b.tell(cmd, path, "", fmt.Sprintf(
			"no daemon answers; removed %s: a weir that starts announces again", path))
	case removed:
		fmt.Fprintf(cmd.ErrOrStderr(), "weir: removed %s\n", visible(path))
	}
	return err
}

// tell prints what was done without a daemon.
func (b *brakes) tell(cmd *cobra.Command, path, content, text string) error {
	asJSON, err := b.output()
	if err != nil {
		return err
	}
	if asJSON {
		return encodeLine(cmd.OutOrStdout(),
			killAnswer{"kill_file", time.Now().UTC(), path, content, text})
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), visible(text))
	return err
}
