package nic

import "errors"

// ErrUnsupported says that the interface's driver does not have what was asked for or set.
var ErrUnsupported = errors.New("not supported by the driver")

// ErrRefused says that only a privileged process may (CAP_NET_ADMIN).
var ErrRefused = errors.New("needs CAP_NET_ADMIN")

// Facts is what the kernel, the driver and the hardware say of one interface. Whatever could not
// be learned has its zero value and a line in Missing.
type Facts struct {
	Interface
	Driver   string // mlx5_core, ice, virtio_net, veth, …
	Firmware string
	Bus      string // 0000:3b:00.0; empty without a device
	Speed    int    // Mbit/s; 0: unknown, as without a link and on virtual ones
	NUMANode int    // of the device; -1: the machine does not say
	Default  bool   // a default route leaves by it
	Address  bool   // it has an IP address other than a link-local one

	Channels Channels
	Rings    Rings
	RSS      RSS
	Hash     map[FlowType]Fields // what is hashed of which traffic
	Offloads map[string]Offload  // by the kernel's name; see LRO and the others
	Coalesce Coalesce
	Pause    Pause
	Rules    []Rule // of flow steering, in the order of their places
	IRQs     []IRQ  // of the receive queues, by queue
	XDP      XDP

	Missing map[string]string // which of the above ("rss", "rings", …) is unknown, and why
}

// Channels says how many queues an interface uses, and how many it could.
type Channels struct {
	RX, TX, Combined          int
	MaxRX, MaxTX, MaxCombined int
}

// Receive returns how many receive queues are in use.
func (c *Channels) Receive() int { return c.RX + c.Combined }

// MaxReceive returns how many receive queues there could be.
func (c *Channels) MaxReceive() int {
	if c.MaxCombined > 0 {
		return c.MaxCombined
	}
	return c.MaxRX
}

// Rings says how many frames the hardware's rings hold, and how many they could.
type Rings struct{ RX, TX, MaxRX, MaxTX int }

// RSS says how received frames are spread over queues. Table is indexed by the low bits of the
// hash and names queues; Key is the hash's; Function is toeplitz, xor or crc32, when it is told.
type RSS struct {
	Table    []int
	Key      []byte
	Function string
}

// FlowType names traffic whose hash fields the driver can be told, as ethtool does.
type FlowType string

// The flow types that matter for a mirror.
const (
	TCP4 FlowType = "tcp4"
	UDP4 FlowType = "udp4"
	TCP6 FlowType = "tcp6"
	UDP6 FlowType = "udp6"
)

// FlowTypes are all flow types.
func FlowTypes() []FlowType { return []FlowType{TCP4, UDP4, TCP6, UDP6} }

// Fields says what of a packet goes into its hash, in the letters of ethtool -N: s source and
// d destination address, f source and n destination port; others as ethtool has them.
type Fields string

// Hosts hashes the addresses alone: a datagram's fragments come to the same queue, ports or not.
const Hosts Fields = "sd"

// Flows hashes addresses and ports.
const Flows Fields = "sdfn"

// The names of offloads, as the kernel has them.
const (
	LRO    = "rx-lro"
	GRO    = "rx-gro"
	GROHW  = "rx-gro-hw"
	RXVLAN = "rx-vlan-hw-parse"
	NTuple = "rx-ntuple-filter"
)

// Offload is the state of one offload.
type Offload struct {
	On        bool
	Requested bool // what was asked for; the driver may still have it otherwise
	Fixed     bool // the driver does not let it be changed
}

// Coalesce says how long the hardware waits before it interrupts for what it received.
type Coalesce struct {
	Microseconds int
	Frames       int
	Adaptive     bool
}

// Pause says whether the interface heeds (RX) and sends (TX) pause frames.
type Pause struct{ Autonegotiate, RX, TX bool }

// Rule sends the traffic of one UDP destination port to a queue; Other rules match something else,
// or do something else, and have only a Location.
type Rule struct {
	Location int
	Flow     FlowType // UDP4 or UDP6
	Port     uint16   // destination
	Queue    int
	Other    bool
}

// IRQ is the interrupt of a receive queue.
type IRQ struct {
	Queue  int
	Number int
	Name   string // in /proc/interrupts; empty: not known
}

// XDP is what the driver says that its XDP can do; all false on kernels before 6.3, and then
// Missing has "xdp".
type XDP struct {
	Basic, Redirect, NDOXmit, ZeroCopy, HWOffload, RXSG, NDOXmitSG bool

	ZeroCopyMaxSegments int // of a multi-buffer frame with zero-copy; 0: not told
}
