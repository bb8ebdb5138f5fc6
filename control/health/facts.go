// Package health says what the counts of a running weir mean: where packets went, stage by stage,
// and, when nothing comes out at the end, which fault that usually is and what to try next. It is
// pure: facts in, sentences out.
package health

import "time"

// Facts are what is known at one moment. Totals count from the start; those that end in Now are of
// the last second.
type Facts struct {
	Uptime    time.Duration
	Sources   []Source
	Elsewhere []Elsewhere // interfaces that nobody captures from

	Received, ReceivedNow   uint64 // frames that workers took from their rings
	Processed, ProcessedNow uint64 // of those, had addresses
	Shed                    Count
	Dropped                 map[string]Count // frames without addresses, by the decoder's reason
	Foreign                 Count            // neither address is ours
	Ignored                 Count            // a rule left them out
	Unplaced                Count            // of a network, for no host: the tables were full
	InNow, OutNow           uint64           // packets towards and from our hosts

	Ports     []Port
	Exporters []Exporter
	Exports   Exports

	Networks []string // the first few
	Hosts    int      // with a packet in the last second
	Refused  uint64   // verdicts that found the book of incidents full
	Lost     map[string]uint64

	Nearest  Nearest
	Attacks  []Attack // open
	All      uint64   // attacks since the start
	Routes   int      // mitigations in force
	Observe  bool     // nothing is announced
	Stuck    []string // what hangs, as sentences
	Failures []string // of writing reports and the like, as sentences
}

// Count is a total and its part of the last second.
type Count struct{ N, Now uint64 }

// Source is one interface that is captured from.
type Source struct {
	Engine    string // afxdp or afpacket
	Interface string
	State     string // up, link_down, missing, refused
	Reason    string
	Direction string // both, incoming, outgoing: what it is configured to carry
	Received  Count
	Lost      map[string]Count // by place
	Passed    Count            // frames of queues that are not held
	Short     Shortfalls
}

// Shortfalls is what was asked of an interface and is not granted, though frames come.
type Shortfalls struct {
	ZeroCopy []int  // queues
	Mode     string // that the last of them has instead
	Reason   string // "" where nobody says

	BusyPoll   []int // queues
	BusyReason string
	Deferral   string // why interrupts are not deferred; "": they are, or need not be
}

// Elsewhere is an interface that receives something, and that nobody captures from.
type Elsewhere struct {
	Interface string
	PPS       uint64
}

// Nearest is the host that is nearest to a limit of its own.
type Nearest struct {
	Address string // "" when nothing is known
	Metric  string
	Percent float64
}

// Attack is an open incident.
type Attack struct {
	Target  string
	Allowed bool // on the allowlist
}

// Severity of a finding.
const (
	OK      = "ok"
	Warning = "warning"
	Error   = "error"
)

// Finding is one fault, or the statement that there is none.
type Finding struct {
	ID       string
	Severity string
	Stage    string
	Message  string // a whole sentence
	Try      string // a command, or ""
}

// Stage is one step of a packet's way.
type Stage struct {
	Name, Unit    string
	In, Out       uint64
	Lost          []Loss
	InNow, OutNow uint64
}

// Loss is what a stage did not hand on, by name.
type Loss struct {
	Name   string
	N, Now uint64
}
