// Package nic knows the machine's network interfaces: where they are, how many receive queues
// they have, which of them carries the default route, and when any of that changes; and what driver
// and hardware can do, are set to, and may be told (Facts, and the Set methods of Handle). Sources
// that capture from an interface ask it; it moves no packet itself.
//
// A Handle keeps the network namespace that it was opened in, whatever thread uses it later.
package nic

import "errors"

// ErrMissing says that there is no interface of that name.
var ErrMissing = errors.New("no such interface")

// Interface is what is known of one interface at the moment of asking.
type Interface struct {
	Name     string
	Index    int
	MTU      int    // bytes, without the link header
	Up       bool   // switched on
	Running  bool   // switched on, and its link is there
	RXQueues int    // in use
	Kind     string // of virtual ones: veth, bond, vlan, …; "device" for hardware
	// Encapsulation is what frames begin with: ether, loopback, or, as for none and ppp, IP.
	Encapsulation string
	Received      uint64 // packets since it exists, by its own count
	Began         uint64 // of Received, before it was here under this name; Find knows it
	Missed        uint64 // that the hardware had no room for, by its own count
}

// State returns "up", or "link_down" when nothing can arrive, for a status.
func (i *Interface) State() string {
	if i.Up && i.Running {
		return "up"
	}
	return "link_down"
}
