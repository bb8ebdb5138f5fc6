package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"weir/control/api"
	"weir/control/config"
)

// asked is what the commands that talk to the daemon have in common.
type asked struct {
	socket *string
	output func() (asJSON bool, err error)
}

// askFlags adds --socket and -o.
func askFlags(cmd *cobra.Command) asked {
	c := config.Default()
	return asked{
		socket: cmd.Flags().String("socket", c.API.Socket, "the daemon's socket"),
		output: outputFlag(cmd),
	}
}

func (a *asked) client() *api.Client { return api.Dial(*a.socket) }

// unreachable gives an error of the client the exit status that it stands for.
func unreachable(err error) error {
	var u *api.Unreachable
	var p *api.Problem
	switch {
	case errors.As(err, &u):
		return &exitError{exitUnreachable, err}
	case errors.As(err, &p):
		status := exitFailed
		if p.Status == http.StatusBadRequest { // the question did not fit, not the daemon
			status = exitUsage
		}
		return &exitError{status, errors.New(visible(p.Detail))}
	}
	return err
}

// ask makes a command's run: it asks, and shows the answer as JSON or as a table.
func ask[T any](
	a asked, question func(*cobra.Command, []string, *api.Client) (T, error),
	table func(io.Writer, T),
) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		asJSON, err := a.output()
		if err != nil {
			return err
		}
		client := a.client()
		defer client.Close()
		answer, err := question(cmd, args, client)
		if err != nil {
			return unreachable(err)
		}
		if !asJSON {
			table(cmd.OutOrStdout(), answer)
			return nil
		}
		return encodeLine(cmd.OutOrStdout(), answer)
	}
}

// encodeLine writes v as JSON on one line.
func encodeLine(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// columns prints rows in columns as wide as they need, two spaces apart. A column whose first cell
// begins with a space is one of numbers: they end below each other.
func columns(w io.Writer, rows [][]string) {
	var widths []int
	for r, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if r == 0 {
				cell = strings.TrimPrefix(cell, " ")
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for r, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			width := -widths[i]
			if i < len(rows[0]) && strings.HasPrefix(rows[0][i], " ") {
				width = widths[i]
			}
			if r == 0 {
				cell = strings.TrimPrefix(cell, " ")
			}
			fmt.Fprintf(&b, "%*s  ", width, visible(cell))
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

// visible replaces what could upset a terminal.
func visible(text string) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}, text)
}

// hang returns text fit to be shown: its first line after prefix, the others below it.
func hang(prefix, text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = visible(line)
	}
	return prefix + strings.Join(lines, "\n"+strings.Repeat(" ", len(prefix)))
}

// none says why a list has nothing to show, and what to try.
func none(w io.Writer, why, try string) { fmt.Fprintf(w, "%s\n  try: %s\n", why, try) }

// severity returns one of a finding's severities, as wide as the widest; coloured where asked.
func severity(word string, colour bool) string {
	text := fmt.Sprintf("%-7s", visible(word))
	codes := map[string]string{"error": "1;31", "warning": "1;33", "ok": "32"}
	if code := codes[word]; colour && code != "" {
		return "\x1b[" + code + "m" + text + "\x1b[0m"
	}
	return text
}

// colour says whether w is a terminal that shows colours to somebody who wants them.
func colour(w io.Writer) bool {
	return terminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// pps and bps write rates for people.
func pps(v uint64) string { return rateText(v, "pps") }

func bps(v uint64) string { return rateText(v, "bps") }
