package cli

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"weir/control/doctor"
)

// doctorFix is one thing to change.
type doctorFix struct {
	Type    string `json:"type"`              // fix
	ID      string `json:"id,omitempty"`      // of the check; "": several may want the setting
	Subject string `json:"subject,omitempty"` // of that check
	ByHand  bool   `json:"by_hand"`           // --fix does not do it
	Path    string `json:"path,omitempty"`    // that --fix writes to
	Value   string `json:"value,omitempty"`
	Command string `json:"command"`
}

type doctorFixSummary struct {
	Type   string `json:"type"`    // summary
	Fixes  int    `json:"fixes"`   // that --fix does
	ByHand int    `json:"by_hand"` // and those that it leaves to others
}

// fixes returns what --fix leaves to others, and then what it does.
func fixes(checks []doctor.Check) (all []doctorFix, s doctorFixSummary) {
	for i := range checks {
		c := &checks[i]
		if len(c.Settings) == 0 && c.Fix != "" {
			all = append(all, doctorFix{
				Type: "fix", ID: c.ID, Subject: c.Subject, ByHand: true, Command: c.Fix,
			})
		}
	}
	s = doctorFixSummary{Type: "summary", ByHand: len(all)}
	for _, set := range doctor.Settings(checks) {
		s.Fixes++
		all = append(all, doctorFix{
			Type: "fix", Path: set.Path, Value: set.Value, Command: set.Command(),
		})
	}
	return all, s
}

// printFixes prints a script of what --fix does, and what it leaves to others as comments; or each
// of them as an object.
func printFixes(w io.Writer, checks []doctor.Check, asJSON bool) error {
	all, summary := fixes(checks)
	out := bufio.NewWriter(w)
	if !asJSON {
		fmt.Fprintln(out, "#!/bin/sh")
	}
	for i := range all {
		f := &all[i]
		switch {
		case asJSON:
			if err := encodeLine(out, f); err != nil {
				return err
			}
		case f.ByHand:
			check := strings.TrimSpace(f.ID + " " + f.Subject)
			fmt.Fprintf(out, "# by hand: %s: %s\n", check, f.Command)
		default:
			fmt.Fprintln(out, f.Command)
		}
	}
	if asJSON {
		if err := encodeLine(out, summary); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}
