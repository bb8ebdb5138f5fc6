// Package tune makes a host ready for line rate: it plans which settings of network interfaces,
// interrupts, memory and kernel should be others than they are, and why; it makes them so, step by
// step, and it puts back what it found.
//
// Make is a pure function from facts and a wish to a Plan. Apply and Undo act on a Machine,
// which reads and writes one Setting at a time, and keep a Journal on the disk of what was found
// before the first change of each. All run on the caller's goroutine.
package tune

import (
	"errors"
	"fmt"

	"weir/control/host"
	"weir/ring/nic"
)

// ErrDefaultRoute says that an interface carries the default route, and that Wish.Force is not set:
// changing its queues may cut off the operator's own session.
var ErrDefaultRoute = errors.New("it carries the default route")

// Facts is what a plan is made from.
type Facts struct {
	Host       *host.Facts
	Interfaces []nic.Facts // those to tune, each once
	Running    bool        // a weir runs: the memory it has is its own
}

// Wish is what the operator asks for. Zero values leave the choice to the plan.
type Wish struct {
	FlowPorts []uint16 // UDP ports of flow exports, steered to cores of their own
	Queues    int      // for the mirror, of each interface
	Cores     Cores
	Hash      Hash
	Skip      []Kind // settings to leave alone
	Force     bool   // also interfaces that carry the default route
}

// Cores says how many cores serve a queue.
type Cores string

// TwoCores is one for the interrupt and one for weir; OneCore is the same for both, which suits
// busy polling. AutoCores takes two where there are enough.
const (
	AutoCores Cores = ""
	OneCore   Cores = "one"
	TwoCores  Cores = "two"
)

// Hash says how packets are spread over queues.
type Hash string

// Fragments hashes UDP by addresses alone, so that all fragments of a datagram come to one queue;
// Symmetric hashes ports too; both use a key that brings both directions of a flow to one queue.
// KeepHash leaves key and fields as they are.
const (
	Fragments Hash = "" // the choice where none is made
	Symmetric Hash = "symmetric"
	KeepHash  Hash = "keep"
)

// Plan is what to change, in order, and what else to know.
type Plan struct {
	Layout []Layout
	Steps  []Step
	Advice []Advice
	Stanza string // of weir.yaml: what the plan is for
}

// Layout says which cores serve an interface. IRQ is empty where interrupts stay where they are;
// Cores is empty where the machine has none to give.
type Layout struct {
	Interface  string `json:"interface"`
	Queues     []int  `json:"queues"`
	Cores      []int  `json:"cores,omitempty"`       // weir's, by queue
	IRQ        []int  `json:"irq_cores,omitempty"`   // the interrupts', by queue
	FlowQueues []int  `json:"flow_queues,omitempty"` // that flow exports are steered to
	FlowCores  []int  `json:"flow_cores,omitempty"`  // by flow queue
	Node       int    `json:"numa_node"`             // of the interface; -1: not known
	Remote     bool   `json:"remote,omitempty"`      // some cores are on another node
}

// Setting names one thing that can be set. Name is the kind's own: an offload, a queue, a file.
type Setting struct {
	Kind      Kind   `json:"kind"`
	Interface string `json:"interface,omitempty"`
	Name      string `json:"name,omitempty"`
}

// String names a setting for people.
func (s Setting) String() string {
	switch {
	case s.Kind == File:
		return s.Name
	case s.Name == "":
		return fmt.Sprintf("%s of %s", s.Kind, s.Interface)
	}
	return fmt.Sprintf("%s %s of %s", s.Kind, s.Name, s.Interface)
}

// Kind is what a setting is of. The values of each are text, in one canonical form.
type Kind string

// The kinds of settings.
const (
	Channels Kind = "channels" // "combined 4", "rx 4 tx 4"
	Ring     Kind = "ring"     // Name "rx": "4096"
	Offload  Kind = "offload"  // Name as the kernel's: "on", "off"
	Pause    Kind = "pause"    // "autoneg off rx off tx off"
	Table    Kind = "table"    // "equal 4", or the queues: "0*64 1*64"
	Key      Kind = "key"      // "6d:5a:…"
	HashOf   Kind = "hash"     // Name a flow type: "sd"
	Steer    Kind = "steer"    // Name "udp4 2055": the queue, "" without a rule
	Affinity Kind = "affinity" // Name a queue: the CPUs that its interrupt may go to, "2-3"
	File     Kind = "file"     // Name a path: its content, or the choice in brackets
)

// Kinds returns all kinds.
func Kinds() []Kind {
	return []Kind{Channels, Ring, Offload, Pause, Table, Key, HashOf, Steer, Affinity, File}
}

// Step is one change. The commands are what an operator would type; weir itself runs none.
type Step struct {
	Setting
	What    string `json:"what"`
	Why     string `json:"why"`
	Found   string `json:"found"`
	Want    string `json:"want"`
	Command string `json:"command"`
	Undo    string `json:"undo"`
}

// Advice is what weir does not change itself, or what the plan had to do without.
type Advice struct {
	What    string `json:"what"`
	Why     string `json:"why"`
	Command string `json:"command,omitempty"`
}
