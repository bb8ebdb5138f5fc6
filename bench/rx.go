package bench

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"weir/tools/blast"
)

// Engines that RxConfig.Via names.
const (
	ViaAFXDP    = "afxdp"
	ViaAFPacket = "afpacket"
)

// RxConfig says what `weir bench rx` runs.
type RxConfig struct {
	Interface string         // receives what comes to it; "": a veth made for it, with a generator
	Via       string         // ViaAFXDP, ViaAFPacket
	Workload  blast.Workload // what the generator sends
	Home      netip.Prefix   // whose hosts are counted, on Interface
	Rate      float64
	Seconds   float64 // of a run, or of a trial
	Runs      int
	Force     bool     // also where the default route is
	Degraded  []string // what is known to be amiss with the machine

	Searches []Search // instead of runs: what each finds is one of RxResult.Rates
}

func (c *RxConfig) check() error {
	switch {
	case c.Via != ViaAFXDP && c.Via != ViaAFPacket:
		return fmt.Errorf("receive through %q: it is %s or %s", c.Via, ViaAFXDP, ViaAFPacket)
	case !(c.Rate > 0) && c.Interface == "":
		return fmt.Errorf("send %v packets per second", c.Rate)
	case !(c.Seconds > 0) || c.Seconds > 1e5 || c.Runs < 1:
		return errors.New("runs and their seconds are more than 0")
	}
	return nil
}

func (c *RxConfig) duration() time.Duration {
	return time.Duration(c.Seconds * float64(time.Second))
}

// Places where packets are lost, in the order in which they pass them.
const (
	LostLink  = "nic"   // on the link, or by the card: sent or arrived, and never offered to us
	LostXDP   = "xdp"   // passed to the host by the XDP program, or before it was attached
	LostRing  = "ring"  // no room in the receive or the fill ring: the worker was too slow
	LostTable = "table" // received, and left out by the worker, which fell behind
)

// Lost counts packets by where they were lost.
type Lost map[string]uint64

// Total is how many packets were lost everywhere.
func (l Lost) Total() (n uint64) {
	for _, lost := range l {
		n += lost
	}
	return n
}

// RxRun is one run.
type RxRun struct {
	Sent     uint64            `json:"sent"` // of an interface that is not ours: received and lost
	Received uint64            `json:"received"`
	Lost     Lost              `json:"lost"`  // by place
	Drops    map[string]uint64 `json:"drops"` // as the source names them
	Unplaced uint64            `json:"unplaced"`
	Seconds  float64           `json:"seconds"`
	MPPS     float64           `json:"mpps"`      // received, of wall time
	User     float64           `json:"user_ns"`   // CPU time of the worker per packet
	System   float64           `json:"system_ns"` // without what softirqs do elsewhere
	Fill     int               `json:"ring_fill"` // the highest seen, percent
	// Gap is the longest that the worker left its ring alone, milliseconds.
	Gap   float64 `json:"longest_gap_ms"`
	Steal float64 `json:"steal_s"` // CPU time of this machine that others had
}

// ns returns the CPU time of the worker per packet.
func (r *RxRun) ns() float64 { return r.User + r.System }

func (r *RxRun) loss() float64 {
	if r.Sent == 0 {
		return 0
	}
	return float64(r.Lost.Total()) / float64(r.Sent)
}

// rxVeth is the interface of results where we send.
const rxVeth = "veth"

// LiveWorkload names whatever comes to an interface that has no generator of ours.
const LiveWorkload = "live"

// RxResult is a workload's result: medians of its runs, or what the searches found. Then the
// figures are those of the trial that passed at the rate of the first, and none where none passed.
type RxResult struct {
	Type        string  `json:"type"`
	Bench       string  `json:"bench"`
	Workload    string  `json:"workload"` // LiveWorkload of an interface that is not ours
	Interface   string  `json:"interface"`
	Via         string  `json:"via"`
	Granted     string  `json:"granted"` // zerocopy, copy, generic; of AF_PACKET fanout
	Offered     float64 `json:"offered_pps,omitempty"`
	Packets     uint64  `json:"packets"`                     // received in the median run
	NSPerPacket float64 `json:"cpu_ns_per_packet,omitempty"` // user and system
	User        float64 `json:"user_ns,omitempty"`
	System      float64 `json:"system_ns,omitempty"`
	MPPS        float64 `json:"mpps,omitempty"`  // received, of wall time
	Loss        float64 `json:"loss"`            // of the median run
	Each        []RxRun `json:"each,omitempty"`  // run by run
	Rates       []Rate  `json:"rates,omitempty"` // NDR, PDR: what the searches found
	Hold        []Hold  `json:"hold,omitempty"`  // try by try
	Flows       bool    `json:"flow_tracking"`
	Figures
}
