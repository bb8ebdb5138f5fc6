package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/control/config"
	"weir/control/doctor"
	"weir/control/doctor/facts"
)

func newDoctor() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor [IFACE...]",
		Short: "is this host ready for line rate, and what to change",
		Long: `Look at kernel, CPUs, memory, settings, interfaces and, where there is a
configuration, at what it plans, and say what stands in the way of line rate. Nothing is changed
without --fix. Without IFACE the configuration's interfaces are looked at, or else all hardware
that is up.
The status is 0 when all is well, 3 with warnings, 1 when something fails, as an IFACE that is not
there.`,
	}
	path := cmd.Flags().StringP("config", "c", config.DefaultPath,
		"configuration file; the default one need not be there")
	prove := cmd.Flags().Bool("prove", false, "bind a queue of each interface for a moment, to "+
		"see what is granted: its frames are lost meanwhile, and some links are trained anew")
	f := fixFlags{
		fix: cmd.Flags().Bool("fix", false, "change those kernel settings that need no restart"),
		dry: cmd.Flags().Bool("dry-run", false, "with --fix: print what would be changed, as a "+
			"script, instead"),
		undo: cmd.Flags().String("undo", "", "with --fix: write the script that takes it back to "+
			"this file (default weir-doctor-undo-TIME.sh)"),
	}
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		asJSON, err := output()
		if err != nil {
			return err
		}
		if (*f.dry || *f.undo != "") && !*f.fix {
			return usageError("--dry-run and --undo go with --fix")
		}
		if err := eachOnce(args); err != nil {
			return err
		}
		o := facts.Options{
			Interfaces: args, Config: *path, Prove: *prove,
			Optional: !cmd.Flags().Changed("config"),
		}
		checks := doctor.Examine(facts.Look(cmd.Context(), o))
		if *f.fix {
			if *f.dry {
				return printFixes(cmd.OutOrStdout(), checks, asJSON)
			}
			if err := f.apply(cmd.ErrOrStderr(), checks); err != nil {
				return err
			}
			o.Prove = false // once is enough
			checks = doctor.Examine(facts.Look(cmd.Context(), o))
		}
		return printChecks(cmd.OutOrStdout(), checks, asJSON)
	}
	return cmd
}

// printChecks prints all checks, and returns the status that they ask for.
func printChecks(w io.Writer, checks []doctor.Check, asJSON bool) error {
	s := doctor.Summarize(checks)
	out := bufio.NewWriter(w)
	if asJSON {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		for i := range checks {
			if err := e.Encode(&checks[i]); err != nil {
				return err
			}
		}
		if err := e.Encode(s); err != nil {
			return err
		}
	} else {
		tableChecks(out, checks, s)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	switch {
	case s.Fail > 0:
		return &exitError{status: exitFailed}
	case s.Warn > 0:
		return &exitError{status: exitWarnings}
	}
	return nil
}

// tableChecks prints a line for each check, and below it, unless it is ok or skipped, what to do.
func tableChecks(w io.Writer, checks []doctor.Check, s doctor.Summary) {
	var id, subject int
	for i := range checks {
		id, subject = max(id, len(checks[i].ID)), max(subject, len(checks[i].Subject))
	}
	for i := range checks {
		c := &checks[i]
		fmt.Fprintf(w, "%-4s  %-*s  %-*s  %s\n", c.State, id, c.ID, subject, c.Subject, c.Found)
		if c.State == doctor.OK || c.State == doctor.Skip {
			continue
		}
		wrapped(w, "wanted", c.Wanted)
		wrapped(w, "why", c.Why)
		if c.Fix != "" {
			fmt.Fprintf(w, "      %-7s %s\n", "fix", c.Fix) // on one line, to be copied
		}
	}
	fmt.Fprintf(w, "%s: %d ok, %s, %d failed, %d skipped\n", count(len(checks), "check"), s.OK,
		count(s.Warn, "warning"), s.Fail, s.Skip)
}

// textWidth is where explanations are wrapped.
const textWidth = 90

// wrapped prints a text after a word, in lines that are not too long.
func wrapped(w io.Writer, word, text string) {
	line := ""
	flush := func() {
		fmt.Fprintf(w, "      %-7s %s\n", word, line)
		word, line = "", ""
	}
	for _, part := range strings.Fields(text) {
		if line != "" && len(line)+1+len(part) > textWidth-14 {
			flush()
		}
		if line != "" {
			line += " "
		}
		line += part
	}
	if line != "" {
		flush()
	}
}

type fixFlags struct {
	fix, dry *bool
	undo     *string
}

// apply changes what can be changed, after it has written down how to take it back.
func (f *fixFlags) apply(talk io.Writer, checks []doctor.Check) error {
	settings := doctor.Settings(checks)
	if len(settings) == 0 {
		fmt.Fprintln(talk, "nothing to fix here")
		return nil
	}
	script, err := doctor.Undo("/", settings)
	if err != nil {
		return err
	}
	name := *f.undo
	if name == "" {
		name = "weir-doctor-undo-" + time.Now().UTC().Format("20060102T150405Z") + ".sh"
	}
	if err := writeNew(name, script); err != nil {
		return err
	}
	for _, s := range settings {
		fmt.Fprintln(talk, s.Command())
	}
	err = doctor.Apply("/", settings)
	fmt.Fprintf(talk, "until the next boot; sh %s takes it back\n", name)
	return err
}

// writeNew writes a file that must not be there yet.
func writeNew(name, text string) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return fmt.Errorf("write how to take it back: %w", err)
	}
	_, err = file.WriteString(text)
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("write how to take it back: %w", err)
	}
	return nil
}
