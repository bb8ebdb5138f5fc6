package zerocopy

// Message is one line, as JSON, of the guest's second serial port. The guest asks, and goes on
// when the host has answered with an Answer on the same port; Result, Failed and Done have no
// answer.
type Message struct {
	Kind string `json:"kind"`

	Text string `json:"text,omitempty"` // of Booted the kernel's release, of Failed the reason

	Card  int    `json:"card,omitempty"`  // of Send, Pull and Plug
	First uint32 `json:"first,omitempty"` // of Send: the number of the first frame
	Count uint32 `json:"count,omitempty"` // of Send: how many

	Result *Result `json:"result,omitempty"`
}

// Kinds of Message.
const (
	Booted = "booted"
	Send   = "send" // frames to a card
	Pull   = "pull" // the cable out of a card
	Plug   = "plug" // and in again
	Done   = "done" // all that the guest had to show
	Failed = "failed"
	Shown  = "result"
)

// Answer is the host's line: what was asked for has been done.
type Answer struct {
	Sent uint32 `json:"sent"` // frames handed to the card
}
