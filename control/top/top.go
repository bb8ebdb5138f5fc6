// Package top is the live screen of weir: hosts, networks, attacks and cores of a running daemon.
// Update and View are pure; the daemon is asked in commands only.
package top

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"weir/control/api"
)

// Source is what top asks the daemon.
type Source interface {
	Status(ctx context.Context) (api.Status, error)
	Hosts(ctx context.Context, q api.HostQuery) (api.HostList, error)
	Networks(ctx context.Context) (api.NetworkList, error)
	Attacks(ctx context.Context, state string) (api.AttackList, error)
	Cores(ctx context.Context) (api.CoreList, error)
	Why(ctx context.Context, a netip.Addr) (api.Why, error)
}

// MinInterval is the shortest interval between two questions of one kind. The daemon's picture
// changes once per second, so that asking more often shows nothing new.
const MinInterval = 100 * time.Millisecond

// Options say what to show and how.
type Options struct {
	Socket   string // for messages only
	Interval time.Duration
	Look     Look
}

// Run shows the screen until the user quits or ctx ends.
func Run(ctx context.Context, src Source, o Options, in io.Reader, out io.Writer) error {
	m := New(src, o, time.Now())
	p := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out))
	_, err := p.Run()
	if ctx.Err() != nil || errors.Is(err, tea.ErrInterrupted) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("screen: %w", err)
	}
	return nil
}

// Look is what the terminal can show.
type Look struct {
	ASCII  bool // nothing but ASCII
	Styles bool // colour, bold, faint and reverse; without, no escape sequence in the text
}

// LookFrom derives the look from the environment, as getenv returns it.
func LookFrom(getenv func(string) string, ascii bool) Look {
	dumb := getenv("TERM") == "dumb"
	return Look{
		ASCII:  ascii || dumb || !utf8Locale(getenv),
		Styles: !dumb && getenv("NO_COLOR") == "",
	}
}

// utf8Locale follows the order of setlocale(3).
func utf8Locale(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := strings.ToLower(getenv(name)); v != "" {
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}
