package api

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// Mitigation says what is done about attacks, and how those fare who do it.
type Mitigation struct {
	Frozen   bool              `json:"frozen"` // nothing new is announced
	KillFile string            `json:"kill_file"`
	Killed   bool              `json:"killed"`   // the kill file is there: nothing stands at all
	Routes   int               `json:"routes"`   // on their way or in force; in observe, would be
	Standing int               `json:"standing"` // seen to have arrived; dry runs are not
	Refused  map[string]uint64 `json:"refused"`  // asks, by the rule that refused, since the start
	Peers    []Peer            `json:"peers"`
	Speaker  *Speaker          `json:"speaker,omitempty"` // there are BGP peers
	Journal  *Journal          `json:"journal,omitempty"`
	Script   *Script           `json:"script,omitempty"`
	ExaBGP   *ExaBGP           `json:"exabgp,omitempty"`
}

// Peer is a router that routes are announced to.
type Peer struct {
	Address string    `json:"address"`
	AS      uint32    `json:"as"`
	State   string    `json:"state"`  // idle, connect, active, opensent, openconfirm, established
	Since   time.Time `json:"since"`  // of State; zero while unknown
	Routes  int       `json:"routes"` // in its adj-rib-out
	Flaps   uint64    `json:"flaps"`  // sessions lost since the speaker's start
	Error   string    `json:"error,omitempty"`
}

// Speaker is the BGP child process.
type Speaker struct {
	Alive    bool   `json:"alive"`
	PID      int    `json:"pid"`
	Restarts uint64 `json:"restarts"`
	Error    string `json:"error,omitempty"` // why it ended last
}

// Journal is where routes are written down before they are announced.
type Journal struct {
	Healthy bool   `json:"healthy"` // false: no new route is announced
	Error   string `json:"error,omitempty"`
	Note    string `json:"note,omitempty"` // what was found at the start
	Routes  int    `json:"routes"`
	Bytes   int64  `json:"bytes"`
	Queued  int    `json:"queued"` // changes that wait for the disk
	Refused uint64 `json:"refused"`
}

// Script is the operator's program.
type Script struct {
	Path     string `json:"path"`
	Queued   int    `json:"queued"`
	Running  int    `json:"running"`
	Done     uint64 `json:"done"`
	Failed   uint64 `json:"failed"`    // exit status other than 0, or not started
	TimedOut uint64 `json:"timed_out"` // killed with all that it started
	Dropped  uint64 `json:"dropped"`   // found the queue full
	Error    string `json:"error,omitempty"`
}

// ExaBGP is the named pipe of an ExaBGP process.
type ExaBGP struct {
	Pipe    string `json:"pipe"`
	Open    bool   `json:"open"`    // somebody reads it
	Written uint64 `json:"written"` // lines
	Pending int    `json:"pending"` // lines that wait for room or a reader
	Error   string `json:"error,omitempty"`
}

// Route is a blackhole that is in force, on its way, or in a dry run would be.
type Route struct {
	Prefix      string    `json:"prefix"`
	ID          string    `json:"id"` // of the incident or the manual ban
	Manual      bool      `json:"manual"`
	State       string    `json:"state"` // pending, asked, announced
	DryRun      bool      `json:"dry_run"`
	Since       time.Time `json:"since"` // of State
	Lease       time.Time `json:"lease"` // when it ends unless it is renewed
	Communities []string  `json:"communities"`
	Reason      string    `json:"reason,omitempty"` // a person's, or restored
}

// RouteList is the answer to GET /api/v1/routes, in order of prefix.
type RouteList struct {
	Type   string    `json:"type"` // "routes"
	Time   time.Time `json:"time"`
	Routes []Route   `json:"routes"`
}

// BanRequest is what a person asks for: a blackhole of one address, or its end.
type BanRequest struct {
	Address netip.Addr    // of one host: without a zone, and IPv4 as such
	Reason  string        // 1 to MaxReason characters, printable
	TTL     time.Duration // of a ban, up to MaxTTL; an unban has none
}

// Bounds of what a person may ask for.
const (
	MaxReason = 200 // characters
	MaxTTL    = 365 * 24 * time.Hour
)

// Outcome says what became of something that a person asked for. A refusal is an Outcome too: the
// question was understood, and nothing was done.
type Outcome struct {
	Type    string `json:"type"` // "ban", "unban", "freeze", "withdraw_all"
	OK      bool   `json:"ok"`
	DryRun  bool   `json:"dry_run"`           // mode is observe: nothing was announced
	Refusal string `json:"refusal,omitempty"` // the rule's name, unless OK
	Text    string `json:"text"`              // for people: what was done, or why not
	Routes  int    `json:"routes"`            // that it was about
}

// Operator does what people ask for. Every method may be called from any goroutine, and returns
// when the control loop has decided, not when routers know. The server holds requests to their
// bounds before it asks.
type Operator interface {
	// Routes returns what is in force, on its way, or in a dry run would be, in order of prefix.
	Routes() RouteList
	// Ban announces a route to the address, or makes the one that stands last so long.
	Ban(ctx context.Context, r BanRequest) (Outcome, error)
	// Unban withdraws the address's route and spares an attack on it that goes on; ErrNotFound.
	Unban(ctx context.Context, r BanRequest) (Outcome, error)
	// Freeze refuses every new route from now on, or ends that.
	Freeze(ctx context.Context, on bool) (Outcome, error)
	// WithdrawAll ends every route and freezes. expect is how many the person believes there are,
	// or ErrUnexpected; below 0: however many.
	WithdrawAll(ctx context.Context, expect int) (Outcome, error)
}

// ErrUnexpected says that there are not as many routes as a person believed.
var ErrUnexpected = errors.New("not as many routes as expected")
