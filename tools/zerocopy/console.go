package zerocopy

// Message is one line, as JSON, of the guest's second serial port. The guest asks, and goes on
// when the host has answered with an Answer on the same port; Result, Failed and Done have no
// answer.
type Message struct {
	Kind string `json:"kind"`

	Text string `json:"text,omitempty"` // of Booted the kernel's release, of Failed the reason

	Card  int    `json:"card,omitempty"`  // of Send and Link
	First uint32 `json:"first,omitempty"` // of Send: the number of the first frame
	Count uint32 `json:"count,omitempty"` // of Send: how many

	Result *Result `json:"result,omitempty"`
}

// Kinds of Message.
const (
	Booted = "booted"
	Send   = "send" // frames to a card
	Done   = "done" // all that the guest had to show
	Failed = "failed"
	Shown  = "result"
)

// Answer is the host's line: what was asked for has been done.
type Answer struct {
	Sent uint32 `json:"sent"` // frames handed to the card
}

// Result is what weir was granted and has counted in one scene.
type Result struct {
	Scene   string            `json:"scene"`
	Card    int               `json:"card"`
	Queues  []Queue           `json:"queues"`
	Sent    uint64            `json:"sent"` // to the card, as the host answered
	Dropped map[string]uint64 `json:"dropped"`
	Passed  uint64            `json:"passed"`  // to the guest's own stack
	Counted uint64            `json:"counted"` // in the tables of the workers, or by the pipeline

	// Of scenes that look at every frame themselves.
	Frames *Frames `json:"frames,omitempty"`

	Took float64 `json:"took_seconds"`
}

// Queue is one receive queue.
type Queue struct {
	Mode     string `json:"mode"` // zerocopy, copy, generic
	Reason   string `json:"reason,omitempty"`
	Received uint64 `json:"received"`
}

// Frames says how the frames of a scene arrived.
type Frames struct {
	Once       uint64 `json:"once"`    // sent, arrived, unchanged
	Twice      uint64 `json:"twice"`   // again
	Damaged    uint64 `json:"damaged"` // with other bytes than were sent
	Strange    uint64 `json:"strange"` // that nobody sent
	Hosts      int    `json:"hosts"`   // with a counter above zero
	HostsWrong int    `json:"hosts_wrong"`
}

// Received returns the frames of all queues.
func (r *Result) Received() (n uint64) {
	for _, q := range r.Queues {
		n += q.Received
	}
	return n
}

// Scenes, in the order in which the guest shows them.
const (
	SceneRing     = "ring"        // one queue, every frame looked at
	SceneReopened = "ring, again" // closed and opened in the same process, thrice
	SceneFlapped  = "ring, link down and up"
	SceneCopy     = "ring, in copy mode"
	SceneBack     = "ring, zero-copy again"
	SceneQueues   = "ring, two queues"
	SceneDaemon   = "weir run"
	SceneKilled   = "weir run, killed and started"
	SceneDown     = "weir run, link down and up"
	SceneRebound  = "weir run, in copy mode"
)
