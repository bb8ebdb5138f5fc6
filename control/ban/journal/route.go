package journal

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"
	"unicode/utf8"
)

// Bounds of what the journal holds.
const (
	MaxRoutes = 8192                 // live at the same time
	MaxRecord = 4096                 // bytes of one record, its frame included
	MaxReason = 256                  // bytes of Route.Reason; the rest is cut
	MaxLease  = 366 * 24 * time.Hour // of Route.Lease
)

// Route is an announcement as the journal knows it.
type Route struct {
	Prefix      netip.Prefix // masked; what the journal tells routes apart by
	NextHop     netip.Addr   // the zero value: none
	Communities []string     // as text, e.g. "65535:666"
	ID          string       // of the incident, or of the manual ban
	Reason      string       // for people
	Manual      bool
	Asked       int64 // when it was first asked for, nanoseconds since 1970 UTC

	// Lease is how long the route may stay from the moment of the call, at most MaxLease; in
	// Restored, what was left of it at Open.
	Lease time.Duration
}

// Survivor is a route that was live when the last weir ended. It is live in the new journal too:
// what is not announced again has to be withdrawn.
type Survivor struct {
	Route

	// Announced is false when the last record is the intent: weir ended before it could note
	// that it had announced the route, or while the disk hung and the caller had given up.
	Announced bool
}

// ErrRoute is about a route that the journal cannot hold.
var ErrRoute = errors.New("not a route for the journal")

// valid returns an ErrRoute that says what is wrong with r.
func (r *Route) valid() error {
	switch {
	case !r.Prefix.IsValid() || r.Prefix != r.Prefix.Masked() || r.Prefix.Addr().Is4In6():
		return fmt.Errorf("%w: %v is no masked prefix", ErrRoute, r.Prefix)
	case r.Lease <= 0 || r.Lease > MaxLease:
		return fmt.Errorf("%w: %v has a lease of %v", ErrRoute, r.Prefix, r.Lease)
	}
	for _, s := range append([]string{r.ID}, r.Communities...) {
		if !utf8.ValidString(s) {
			return fmt.Errorf("%w: %v: %q is no UTF-8", ErrRoute, r.Prefix, s)
		}
	}
	return nil
}

// short cuts s to MaxReason bytes, between runes.
func short(s string) string {
	if len(s) <= MaxReason {
		return s
	}
	n := MaxReason
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// entry is a live route with the moment from which its lease counts.
type entry struct {
	Route
	op   op
	from stamp
}

// newEntry copies r, and makes sure that every record of it will fit.
func newEntry(r Route, from stamp) (entry, error) {
	r.Communities = slices.Clone(r.Communities)
	r.Reason = short(r.Reason)
	if err := r.valid(); err != nil {
		return entry{}, err
	}
	e := entry{Route: r, op: intent, from: from}
	longest := e
	longest.op, longest.Lease = announced, MaxLease
	longest.from.Wall, longest.from.Boot = math.MaxInt64, math.MaxInt64
	if n := len(longest.record(math.MaxUint64, math.MaxUint64).appendTo(nil)); n > MaxRecord {
		return entry{}, fmt.Errorf("%w: %v takes %d bytes of %d", ErrRoute, r.Prefix, n, MaxRecord)
	}
	return e, nil
}

func (e *entry) record(gen, seq uint64) *record {
	return &record{
		Seq: seq, Gen: gen, Op: e.op, stamp: e.from, Lease: e.Lease,
		Prefix: e.Prefix, NextHop: e.NextHop, Communities: e.Communities,
		ID: e.ID, Reason: e.Reason, Manual: e.Manual, Asked: e.Asked,
	}
}

// stamp is a moment in both clocks.
type stamp struct {
	Wall int64  `json:"wall"` // nanoseconds since 1970 UTC
	Boot int64  `json:"boot"` // nanoseconds since boot
	ID   string `json:"boot_id"`
}

// left returns what is left at now of a lease that counts from s: at most the lease.
func (s stamp) left(lease time.Duration, now stamp) time.Duration {
	elapsed := now.Wall - s.Wall
	if s.ID == now.ID {
		elapsed = now.Boot - s.Boot
	}
	return lease - time.Duration(max(0, elapsed))
}
