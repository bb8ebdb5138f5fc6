package ban

import (
	"net/netip"

	"weir/control/detect"
	"weir/control/rate"
)

// Point is one second of an incident: the target's rates towards and from it.
type Point struct {
	Time  int64 // end of the second, nanoseconds since 1970 UTC
	Rates [2]rate.Rates
}

// Incident is one attack on one host, from its first packet over a limit to its end.
type Incident struct {
	ID        string // 16 hex digits: a hash of target, start and policy
	Target    netip.Prefix
	Trigger   detect.Trigger
	Allowed   bool  // on the allowlist: recorded, never mitigated
	Manual    bool  // no attack: a person asked for the route
	Begin     int64 // first packet of the unbroken run of windows over the limit, ns since 1970
	Detected  int64 // the verdict
	End       int64 // the last second over a limit; 0 while the attack goes on
	Vectors   []detect.Vector
	AtVerdict [2]rate.Rates                 // last second before the verdict, by rate.Direction
	Averages  [len(rate.Windows)]rate.Rates // up to the verdict, in the trigger's direction
	Last      [2]rate.Rates                 // the most recent second
	PeakPPS   uint64                        // in the trigger's direction, any second
	PeakBPS   uint64
	PeakFPS   uint64
	Timeline  []Point // at most MaxPoints; older seconds are merged pairwise beyond
	Actions   []Action
}

// Direction returns "incoming" or "outgoing"; "other" where there is no attack.
func (in *Incident) Direction() string {
	if in.Manual {
		return "other"
	}
	return in.Trigger.Direction.String()
}

// Action is one change of traffic that was asked for, or would have been.
type Action struct {
	Time        int64 // nanoseconds since 1970 UTC
	Kind        string
	Prefix      netip.Prefix
	Communities []string
	Event       EventKind // Refused, Asked, Announced or Withdrawn
	Reason      string    // of a refusal or withdrawal, or a person's for a manual ban
	DryRun      bool
}
