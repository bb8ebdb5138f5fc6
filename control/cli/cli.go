// Package cli is weir's command line: one file per sub-command, and the only place that knows
// every name. It assembles the other packages and decides nothing itself.
package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// Exit statuses of every command.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitWarnings    = 3 // checks found warnings
	exitUnreachable = 4 // no daemon at the socket
	exitUnmet       = 5 // --expect, or a comparison, was not met
)

// exitError carries the exit status that its cause asks for. A nil cause prints nothing: the
// command has said what there is to say.
type exitError struct {
	status int
	cause  error
}

func (e *exitError) Error() string {
	if e.cause == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.cause.Error()
}

func (e *exitError) Unwrap() error { return e.cause }

// Main runs weir with args (without the program's name), data to out and talk to errOut, and
// returns the exit status. Errors that a command returns plainly are exitFailed, as is data that
// could not be written; those of the command line itself are exitUsage.
func Main(args []string, out, errOut io.Writer) int {
	root := newRoot()
	data := &output{w: out}
	root.SetArgs(args)
	root.SetOut(data)
	root.SetErr(errOut)
	started := false
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	status, err := outcome(root.Execute(), started)
	if err == nil && data.err != nil { // nothing was said yet, and something has to be
		status, err = exitFailed, fmt.Errorf("write output: %w", data.err)
	}
	if err != nil {
		fmt.Fprintf(errOut, "weir: %v\n", err)
	}
	return status
}

// outcome returns the exit status that a command's error asks for, and what there is to say of it;
// nil: nothing. started tells whether it is the command's own, or one of the command line.
func outcome(err error, started bool) (status int, say error) {
	var exit *exitError
	switch {
	case err == nil:
		return exitOK, nil
	case errors.As(err, &exit) && exit.cause == nil:
		return exit.status, nil
	case exit != nil:
		return exit.status, err
	case started:
		return exitFailed, err
	}
	return exitUsage, err
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "weir",
		Short:         "weir detects DDoS attacks and takes the victim out of harm's way",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(
		newConfig(),
		newDecode(),
		newBench(),
		newBlast(),
		newDemo(),
		newDoctor(),
		newReplay(),
		newRun(),
		newReload(),
		newSpeaker(),
		newStatus(),
		newWhy(),
		newAttacks(),
		newBan(),
		newUnban(),
		newFreeze(),
		newWithdrawAll(),
		newHosts(),
		newNetworks(),
		newExporters(),
		newCores(),
		newTop(),
		newTune(),
		newVersion(),
	)
	return root
}

// outputFlag adds -o table|json and returns a function that reads it.
func outputFlag(cmd *cobra.Command) func() (asJSON bool, err error) {
	format := cmd.Flags().StringP("output", "o", "table", "table or json")
	return func() (bool, error) {
		switch *format {
		case "table":
			return false, nil
		case "json":
			return true, nil
		}
		return false, usageError("--output is %q, not table or json", *format)
	}
}

// usageError is a command line that does not fit.
func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}
