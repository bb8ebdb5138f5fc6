// Package lab makes networks to measure in: two network namespaces, joined by veth pairs, and a
// generator of frames that sends millions per second from inside the kernel.
//
// The namespaces are called weir-<pid>-<n>-gen, which sends, and weir-<pid>-<n>-sut, which holds
// the system under test; `ip netns exec` enters them. Link 0 is the pair gen0 and mirror0, link 1
// is gen1 and mirror1. No frame is on a link that nobody asked for: there is no ARP, and IPv6 is
// off until AddAddress wants it. All ends have the hardware address MAC, so that hosts with
// addresses reach each other without ARP.
//
// A Generator redirects frames straight to the other end's receive queue, which works only while
// a native XDP program is attached there: otherwise its frames count as sent, and are lost.
// SendFrames takes the ordinary way through the stack instead.
//
// This package needs root, and Linux.
package lab

import (
	"errors"
	"fmt"

	"weir/tools/blast"
	"weir/tools/blast/live"
)

// Options says what network is wanted.
type Options struct {
	Queues int // receive and transmit queues at either end of each link; 0: 1
	MTU    int // 0: the kernel's, 1500
	Links  int // pairs of interfaces; 0: 1
}

func (o *Options) setDefaults() {
	o.Queues = max(o.Queues, 1)
	o.Links = max(o.Links, 1)
}

// Side is an end of a link.
type Side uint8

// Gen sends, Sut is the system under test.
const (
	Gen Side = iota
	Sut
)

// Interface returns the name of the interface that is this side's end of a link.
func (s Side) Interface(link int) string {
	if s == Sut {
		return fmt.Sprintf("mirror%d", link)
	}
	return fmt.Sprintf("gen%d", link)
}

// Patch changes a part of each frame that a Generator sends.
type Patch = live.Patch

// GeneratorConfig says what a Generator sends, and where. Frames arrive at receive queue
// CPU % queues of the link's other end, and are handled there on that same CPU.
type GeneratorConfig struct {
	Link    int
	Frame   []byte
	Patches []Patch // applied in order
	// Load, unless nil, is sent instead of Frame, from its first frame on.
	Load *blast.Load
	CPU  int
}

func (c *GeneratorConfig) check(o *Options) error {
	if c.Link < 0 || c.Link >= o.Links {
		return fmt.Errorf("link %d of %d", c.Link, o.Links)
	}
	if c.Load != nil && len(c.Frame)+len(c.Patches) > 0 {
		return errors.New("a frame to patch, and a load")
	}
	for i := range c.Patches {
		if err := c.Patches[i].Check(len(c.Frame)); err != nil {
			return fmt.Errorf("patch %d: %w", i, err)
		}
	}
	return nil
}

// longest returns the length of the longest frame.
func (c *GeneratorConfig) longest() int {
	if c.Load != nil {
		return max(c.Load.MaxLen, ethernetLen)
	}
	return len(c.Frame)
}
