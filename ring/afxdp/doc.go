// Package afxdp receives from network interfaces through AF_XDP: one socket, with memory of its
// own, per receive queue, and one ring.Source per worker, which takes turns over the queues that
// are its own.
//
// A Mirror is one interface. Open asks for everything that needs privileges: a small XDP program
// that sends frames of held queues to our sockets and passes, and counts, all others; sockets in
// the best mode that the driver grants (zero-copy, copy, generic), which Status reports; and
// promiscuous mode. The program hangs on a bpf_link: the kernel takes it off when this process
// ends, in whatever way. Run then follows the interface: links that go down and up, interfaces
// that are removed and come back, numbers of queues that change. Sources live on all the while,
// and lend nothing when there is nothing.
//
// The socket layer is our own, on golang.org/x/sys/unix and cilium/ebpf: github.com/asavie/xdp
// cannot free a queue within a process, nor leave the interface after a crash.
package afxdp

import (
	"errors"
	"fmt"
	"time"

	"weir/ring"
)

// ZeroCopy says whether the driver is to hand over frames without copying them.
type ZeroCopy uint8

// Prefer takes what the driver can, Required fails without, Off never asks.
const (
	Prefer ZeroCopy = iota
	Required
	Off
)

// BusyPoll says whether workers drive their queues themselves: each system call by which a worker
// looks for frames has the driver's receive path run on its own core, and interrupts stay off for
// as long as it comes back in time. One core then does what else takes two, at less than their
// speed. It takes Linux 5.11, CAP_NET_ADMIN, and that interrupts are deferred.
type BusyPoll uint8

// BusyOff leaves queues to interrupts. BusyOn polls from the first frame on; BusyAuto once there is
// enough traffic to compare. Both compare then, and go back to interrupts where polling brings
// fewer frames, as it does with some drivers and kernels.
const (
	BusyOff BusyPoll = iota
	BusyAuto
	BusyOn
)

// Sizes that hold where Config has zero.
const (
	DefaultFrames    = 8192 // per queue: 16 MiB, half a millisecond of 10 GbE's smallest packets
	DefaultFrameSize = 2048
)

// Config says what a Mirror receives, and how.
type Config struct {
	Interface   string
	Queues      []int // none: all that the interface uses
	Workers     int   // sources; 0: one for each queue at Open
	ZeroCopy    ZeroCopy
	Promiscuous bool
	Force       bool // also where the default route is
	Frames      int  // receive frames per queue, a power of two; 0: DefaultFrames
	FrameSize   int  // 2048 or 4096 bytes; 0: DefaultFrameSize
	// Spin is how long a source polls without sleeping after its last frame; 0 sleeps at once.
	Spin     time.Duration
	BusyPoll BusyPoll
	// DeferIRQs defers the interface's interrupts as nic.DefaultTiming says, unless somebody else
	// has deferred them already, from Open to Close. What was there before is noted in Notes, a
	// folder, so that Recover can put it back after a process that did not come to Close.
	DeferIRQs bool
	Notes     string
	// Clock gives nanoseconds since 1970 UTC, and never goes back.
	Clock func() int64
}

// ErrDefaultRoute says that the interface carries the default route, and Config.Force is not set:
// frames of held queues no longer reach the host, its operator's session among them.
var ErrDefaultRoute = errors.New("it carries the default route")

func (c *Config) withDefaults() error {
	if c.Frames == 0 {
		c.Frames = DefaultFrames
	}
	if c.FrameSize == 0 {
		c.FrameSize = DefaultFrameSize
	}
	switch {
	case c.Clock == nil:
		return errors.New("no clock")
	case c.Frames < 64 || c.Frames&(c.Frames-1) != 0 || c.Frames > 1<<16:
		return fmt.Errorf("%d frames: not a power of two from 64 to 65536", c.Frames)
	case c.FrameSize != 2048 && c.FrameSize != 4096:
		return fmt.Errorf("frames of %d bytes: not 2048 or 4096", c.FrameSize)
	}
	return nil
}

// Modes that a queue can be granted, the best first.
const (
	ModeZeroCopy = "zerocopy" // the driver writes into our memory
	ModeCopy     = "copy"     // the kernel copies frames before they become its own packets
	ModeGeneric  = "generic"  // the kernel copies them out of its own packets
)

// States of a Mirror.
const (
	StateUp       = "up"
	StateLinkDown = "link_down" // switched off, or no link
	StateMissing  = "missing"   // no such interface now
	StateRefused  = "refused"   // the kernel or driver said no; Reason has it
)

// Status is what a Mirror has got, and has lost.
type Status struct {
	Interface string
	State     string
	Reason    string // of a state other than up
	Passed    uint64 // frames of queues that we do not hold, which went to the host
	Virtual   bool   // it has no hardware, as a veth
	Deferral  string // of interrupts: "2/200µs by sysfs", "as found 0/0s", …
	Fault     string // why interrupts are not deferred as they were to be, or ""
	Queues    []QueueStatus
}

// QueueStatus is one queue that is held, or was. Counts go on when its socket is made anew.
type QueueStatus struct {
	Queue  int
	Worker int    // index of the source that it belongs to
	Mode   string // "" while it is not held
	Reason string // why not a better mode, or not held
	Grant
	ring.Stats
}

// Grant is what the kernel gave a queue that is held; the zero value is that of one that is not.
type Grant struct {
	BusyPoll  string // off, waiting, probing, on, refused
	BusyFault string // why refused
	Lost      bool   // it was held in zero-copy mode once, and is not now
	Huge      string // of the frames' memory: hugetlb, thp, none
	Node      int    // NUMA node of that memory; -1: not known
	Frames    int    // in the queue's memory, and the size of its rings
	NICRing   int    // frames of the interface's own ring; 0: not known
	Fill      int    // of the rx ring at this moment, percent
}

// What Grant.BusyPoll can be.
const (
	PollingOff     = "off"
	PollingWaiting = "waiting" // for a first frame, or for enough to compare
	PollingProbing = "probing"
	PollingOn      = "on"
	PollingRefused = "refused"
)

// What Grant.Huge can be.
const (
	HugeReserved    = "hugetlb" // pages that were set apart at boot or since
	HugeTransparent = "thp"     // pages that the kernel joined
	HugeNone        = "none"
)

// Names of places where frames are lost between the driver and Poll.
const (
	DropRing   = "rx_ring_full"    // the worker was too slow
	DropFill   = "fill_ring_empty" // no frame was free, or the frame was too long
	DropClosed = "queue_closed"    // in the ring when the socket was given up
	DropMissed = "nic_missed"      // by the hardware, which had no room: its own count
	// DropUnattached is at the interface while we were not attached to it, or to a queue that came.
	DropUnattached = "unattached"
)
