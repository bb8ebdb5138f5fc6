package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

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
	if errors.As(err, &u) {
		return &exitError{exitUnreachable, err}
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
		e := json.NewEncoder(cmd.OutOrStdout())
		e.SetEscapeHTML(false)
		return e.Encode(answer)
	}
}

// columns prints rows in columns as wide as they need, two spaces apart; the last is not padded.
func columns(w io.Writer, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			cell = visible(cell)
			if i == len(row)-1 {
				b.WriteString(cell)
				break
			}
			fmt.Fprintf(&b, "%-*s  ", widths[i], cell)
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

// pps and bps write rates for people.
func pps(v uint64) string { return rateText(v, "pps") }

func bps(v uint64) string { return rateText(v, "bps") }
