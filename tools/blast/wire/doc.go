// Package wire sends the traffic of tools/blast from a network interface, and counts what it sent.
//
// There are three ways. AF_XDP's transmit rings count exactly and need no program at the interface;
// one queue is one sender's. Live frames run a program in the kernel that redirects frames to the
// interface's driver (Linux 5.18); any number of senders share a queue, and what the driver does
// not take is lost without a trace, but for the driver's own counters: a veth takes them only
// while its other end has a native XDP program or GRO. An AF_PACKET socket works everywhere, at
// the cost of a system call and a packet of the kernel's for each frame.
//
// Run does all of it: cores, rates, counts. It needs Linux, and privileges.
package wire

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"weir/tools/blast"
)

// Ways to send.
const (
	Auto   = "auto" // AF_XDP; AF_PACKET where that cannot be had
	AFXDP  = "afxdp"
	Live   = "live"
	Packet = "packet"
)

// File is Result.Via where frames were written to a file: no way to send.
const File = "file"

// Ways returns the names of all ways to send.
func Ways() []string { return []string{Auto, AFXDP, Live, Packet} }

// ErrDefaultRoute says that the interface carries the default route, and Config.Force is not set.
var ErrDefaultRoute = errors.New("it carries the default route")

// shortest is the length of the shortest frame that any way sends: Ethernet's header. Shorter ones,
// which W8 has, are filled up with zeros.
const shortest = blast.EthernetLen

// Config says what to send, where, and how fast.
type Config struct {
	Interface string
	Load      blast.Load
	Seed      uint64 // 0: the load's own
	Via       string // one of Ways; "": Auto
	// Cores are the CPUs to send on, each with a stream of the load and a queue of its own, in
	// this order from queue 0 on. None: one sender, on any CPU.
	Cores  []int
	Shape  Shape         // of all cores together
	Frames uint64        // to send; 0: no bound
	Time   time.Duration // to send for; 0: no bound
	Force  bool          // also where the default route is
	// Clock has frames that tell a time, those of flow exports, tell that at which they are sent;
	// else they are the same each time. A Load that is a Loop's stays as it is.
	Clock bool

	// Dst and Src replace the made-up hardware addresses of the frames. nil: they stay.
	Dst, Src *[6]byte

	// Progress, unless nil, is called each second.
	Progress func(Progress)
	// Enter, unless nil, calls f in the network namespace to send in. Each sender calls it.
	Enter func(f func() error) error
}

// Check sets what is not set, and returns what is wrong with the rest.
func (c *Config) Check() error {
	if c.Via == "" {
		c.Via = Auto
	}
	if c.Enter == nil {
		c.Enter = func(f func() error) error { return f() }
	}
	if !slices.Contains(Ways(), c.Via) {
		return fmt.Errorf("way %q is none of %v", c.Via, Ways())
	}
	if n := c.Load.Parts; n > 0 && len(c.Cores) > n {
		return fmt.Errorf("%s is sent by %d core, not %d", c.Load.Name, n, len(c.Cores))
	}
	if c.Time < 0 {
		return fmt.Errorf("time to send is %v", c.Time)
	}
	for i, core := range c.Cores {
		if core < 0 {
			return fmt.Errorf("core %d is none", core)
		}
		if slices.Contains(c.Cores[:i], core) {
			return fmt.Errorf("core %d is named twice", core)
		}
	}
	return c.Shape.check()
}

// Total returns how many frames are due in all, with a rate; without an end it is as many as there
// are.
func (c *Config) Total() uint64 {
	n := uint64(math.MaxUint64)
	if c.Frames > 0 {
		n = c.Frames
	}
	if c.Time > 0 {
		n = min(n, c.Shape.due(c.Time))
	}
	return n
}

// Progress is how far a Run is.
type Progress struct {
	Elapsed time.Duration
	Frames  uint64 // given to the kernel so far
	Bytes   uint64
	PPS     float64 // since the last Progress
	BPS     float64 // bits, without FCS
}

// Result is what a Run did.
type Result struct {
	Type      string  `json:"type"` // blast
	Interface string  `json:"interface,omitempty"`
	File      string  `json:"file,omitempty"` // where there is no interface
	Load      string  `json:"load"`
	Via       string  `json:"via"`              // AFXDP, Live, Packet or File
	Mode      string  `json:"mode"`             // of AF_XDP: zerocopy or copy
	Reason    string  `json:"reason,omitempty"` // why not a better way or mode
	Sent      uint64  `json:"sent"`             // frames that the kernel took
	Bytes     uint64  `json:"bytes"`            // of those sent, without FCS
	Refused   uint64  `json:"refused"`          // frames that it was given and did not take
	Padded    uint64  `json:"padded"`           // frames below 14 bytes, which none can send
	Seconds   float64 `json:"seconds"`
	PPS       float64 `json:"pps"`
	BPS       float64 `json:"bps"` // bits, without FCS
	Cores     []Core  `json:"cores"`
	// What the interface's own counters advanced by meanwhile: other senders are in it too, and
	// some drivers leave out what did not come through the stack. A file has none.
	Interfaced *Counters `json:"interface_counters,omitempty"`
}

// Core is what one sender did.
type Core struct {
	CPU     int     `json:"cpu"` // -1: any
	Queue   int     `json:"queue"`
	Sent    uint64  `json:"sent"`
	Bytes   uint64  `json:"bytes"`
	PPS     float64 `json:"pps"`
	CPUTime float64 `json:"cpu_seconds"` // of the thread, in user and kernel
	Refused uint64  `json:"refused"`
	Padded  uint64  `json:"padded"`
}

// NSPerFrame returns the CPU time of the sender per frame.
func (c *Core) NSPerFrame() float64 {
	if c.Sent == 0 {
		return 0
	}
	return c.CPUTime * 1e9 / float64(c.Sent)
}

// Counters are an interface's of what it sends.
type Counters struct {
	TXPackets uint64 `json:"tx_packets"`
	TXBytes   uint64 `json:"tx_bytes"`
	TXDropped uint64 `json:"tx_dropped"`
	TXErrors  uint64 `json:"tx_errors"`
}

func (c Counters) since(o Counters) Counters {
	return Counters{
		c.TXPackets - o.TXPackets, c.TXBytes - o.TXBytes, c.TXDropped - o.TXDropped,
		c.TXErrors - o.TXErrors,
	}
}
