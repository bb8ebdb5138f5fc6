package api

import (
	"context"
	"errors"
	"net/netip"
)

// Backend answers what clients ask. Every method may be called from any goroutine, returns values
// that nobody changes afterwards, and never makes the control loop wait.
type Backend interface {
	Status() Status
	Pipeline() Pipeline
	// Hosts returns the hosts of the last second that fit q, best first.
	Hosts(ctx context.Context, q HostQuery) (HostList, error)
	// Why explains one address; it may take until the next second's end.
	Why(ctx context.Context, a netip.Addr) (Why, error)
	Networks() NetworkList
	Cores() CoreList
	// Exporters returns the exporters of flows that fit q, those with most flows first.
	Exporters(q ExporterQuery) ExporterList
	// Attacks returns the incidents in that state: active, over or all.
	Attacks(state string) AttackList
	// Attack returns one incident, or ErrNotFound.
	Attack(id string) (Attack, error)
	// Report returns the text report of an incident, or ErrNotFound.
	Report(id string) ([]byte, error)
	// Reload reads the configuration file again; with dryRun it only says what would change. A
	// file with errors changes nothing and is no error here: the result says what is wrong.
	Reload(ctx context.Context, dryRun bool) (ReloadResult, error)

	Operator
}

// ErrNotFound says that there is no such incident or route, or that nothing is kept of it.
var ErrNotFound = errors.New("not found")
