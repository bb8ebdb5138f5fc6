// Package afpacket receives from network interfaces through AF_PACKET, in blocks that the kernel
// shares with us (TPACKET_V3): slower than AF_XDP, but whatever is received reaches the host too.
// It is for servers and soft routers that watch their own traffic, and for drivers that know
// nothing better.
//
// It sees what the host's stack sees: packets of a flow that the kernel has merged (GRO), or not
// yet split (TSO), are one frame of up to 64 KiB. Bytes are right then, packets too few.
//
// A Mirror is one interface, with one socket per worker in a fanout group: the kernel spreads
// flows over them. It has the shape of afxdp.Mirror: Open takes the privileges, Run follows the
// interface, Sources live as long as the Mirror does.
package afpacket

import (
	"errors"
	"fmt"
	"time"

	"weir/ring"
)

// Sizes that hold where Config has zero: 16 MiB per worker, which is 10 ms of 10 Gbit/s.
const (
	DefaultBlocks    = 64
	DefaultBlockSize = 256 << 10
)

// Config says what a Mirror receives, and how.
type Config struct {
	Interface   string
	Workers     int // sources, at least 1
	Promiscuous bool
	Incoming    bool // leave out what this host sends
	Blocks      int  // per worker; 0: DefaultBlocks
	BlockSize   int  // bytes, a multiple of the page size; 0: DefaultBlockSize
	// Spin is how long a source polls without sleeping after its last frame; 0 sleeps at once.
	Spin time.Duration
	// Clock gives nanoseconds since 1970 UTC, and never goes back.
	Clock func() int64
}

func (c *Config) withDefaults() error {
	c.Workers = max(1, c.Workers)
	if c.Blocks == 0 {
		c.Blocks = DefaultBlocks
	}
	if c.BlockSize == 0 {
		c.BlockSize = DefaultBlockSize
	}
	switch {
	case c.Clock == nil:
		return errors.New("no clock")
	case c.Blocks < 2 || c.BlockSize < 4096 || c.BlockSize%4096 != 0 ||
		uint64(c.Blocks)*uint64(c.BlockSize) > 1<<31:
		return fmt.Errorf("%d blocks of %d bytes", c.Blocks, c.BlockSize)
	}
	return nil
}

// States of a Mirror.
const (
	StateUp       = "up"
	StateLinkDown = "link_down" // switched off, or no link
	StateMissing  = "missing"   // no such interface now
	StateRefused  = "refused"   // the kernel said no; Reason has it
)

// Status is what a Mirror has got, and has lost.
type Status struct {
	Interface string
	State     string
	Reason    string // of a state other than up
	Sockets   []SocketStatus
}

// SocketStatus is one socket of the group. Counts go on when it is made anew.
type SocketStatus struct {
	Worker int
	ring.Stats
}

// Names of places where frames are lost between the interface and Poll.
const (
	DropRing   = "ring_full" // the worker was too slow
	DropClosed = "closed"    // in the ring when the socket was given up
	// DropUnattached is at the interface while we had no socket there.
	DropUnattached = "unattached"
)
