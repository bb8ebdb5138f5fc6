package zerocopy

import (
	"fmt"
	"strings"
)

// Result is what weir was granted and has counted in one scene.
type Result struct {
	Scene   string            `json:"scene"`
	Queues  []Queue           `json:"queues"`
	Sent    uint64            `json:"sent"` // to the cards, as the host answered
	Dropped map[string]uint64 `json:"dropped"`
	Passed  uint64            `json:"passed"`  // to the guest's own stack
	Counted uint64            `json:"counted"` // in the workers' tables, or by the pipeline
	Shed    uint64            `json:"shed"`    // not counted: the ring was nearly full
	Took    float64           `json:"took_seconds"`

	Frames *Frames `json:"frames,omitempty"` // where every frame was looked at
}

// Queue is one receive queue.
type Queue struct {
	Mode     string `json:"mode"` // zerocopy, copy, generic; "": not held
	Reason   string `json:"reason,omitempty"`
	Received uint64 `json:"received"`
}

// Frames says how the frames of a scene arrived, and what the tables have of them.
type Frames struct {
	Once       uint64 `json:"once"`        // sent, arrived, unchanged
	Twice      uint64 `json:"twice"`       // again
	Damaged    uint64 `json:"damaged"`     // with other bytes than were sent
	Strange    uint64 `json:"strange"`     // that nobody sent
	Fill       int    `json:"fill"`        // of the receive ring, the highest, percent
	Hosts      int    `json:"hosts"`       // with a counter above zero
	HostsWrong int    `json:"hosts_wrong"` // whose counter is not what was sent to them
}

// Received returns the frames of all queues.
func (r *Result) Received() (n uint64) {
	for _, q := range r.Queues {
		n += q.Received
	}
	return n
}

// Lost returns the frames that weir names as lost.
func (r *Result) Lost() (n uint64) {
	for _, lost := range r.Dropped {
		n += lost
	}
	return n
}

// String returns the result as one line for people.
func (r *Result) String() string {
	var queues []string
	for _, q := range r.Queues {
		mode := q.Mode
		if mode == "" {
			mode = "not held"
		}
		queues = append(queues, fmt.Sprintf("%s %d", mode, q.Received))
	}
	text := fmt.Sprintf("%-28s sent %d, queues: %s, counted %d", r.Scene, r.Sent,
		strings.Join(queues, ", "), r.Counted)
	if r.Passed > 0 {
		text += fmt.Sprintf(", passed %d", r.Passed)
	}
	if r.Shed > 0 {
		text += fmt.Sprintf(", left out under overload %d", r.Shed)
	}
	if n := r.Lost(); n > 0 {
		text += fmt.Sprintf(", lost %d (%v)", n, r.Dropped)
	}
	if f := r.Frames; f != nil {
		text += fmt.Sprintf("; unchanged %d", f.Once)
		if f.Hosts > 0 {
			text += fmt.Sprintf(", hosts %d", f.Hosts)
		}
	}
	return text
}
