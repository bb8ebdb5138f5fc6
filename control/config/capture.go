package config

import (
	"net/netip"

	"weir/ring/udp"
)

// Capture says where traffic comes from.
type Capture struct {
	AFXDP    []AFXDP    `yaml:"afxdp"`
	AFPacket []AFPacket `yaml:"afpacket"`
	Flows    []Flows    `yaml:"flows"`
}

// Mirror is a network interface that receives a copy of the network's traffic.
type Mirror struct {
	Interface    string    `yaml:"interface" required:"y" example:"eth1" form:"interface"`
	Cores        []int     `yaml:"cores" range:"0,4095" unique:"y"`    // none: chosen at start
	Queues       []int     `yaml:"queues" range:"0,4095" unique:"y"`   // none: all of them
	SamplingRate uint32    `yaml:"sampling_rate" range:"1,4294967295"` // N of the switch's 1:N
	LengthFromIP bool      `yaml:"length_from_ip"`                     // frames arrive cropped
	Direction    Direction `yaml:"direction" enum:"both,incoming,outgoing"`
	Force        bool      `yaml:"force"` // also on the interface of the default route
	Promiscuous  bool      `yaml:"promiscuous"`
}

// AFXDP is a mirror read through AF_XDP.
type AFXDP struct {
	Mirror   `yaml:",inline"`
	ZeroCopy ZeroCopy `yaml:"zerocopy" enum:"prefer,required,off"`
	BusyPoll BusyPoll `yaml:"busy_poll" enum:"off,auto,on"`
	// DeferIRQs: napi_defer_hard_irqs and gro_flush_timeout are set while the interface is held.
	DeferIRQs bool `yaml:"defer_irqs"`
}

// AFPacket is a mirror read through AF_PACKET.
type AFPacket struct {
	Mirror `yaml:",inline"`
}

// Flows is a port that exporters send NetFlow, IPFIX or sFlow to.
type Flows struct {
	Listen        string         `yaml:"listen" required:"y" example:"\":2055\"" form:"listen"`
	TCP           bool           `yaml:"tcp"`                               // IPFIX over TCP too
	Cores         []int          `yaml:"cores" range:"0,4095" unique:"y"`   // none: one worker
	Exporters     []netip.Prefix `yaml:"exporters" unique:"y"`              // none: everybody
	SamplingRate  uint32         `yaml:"sampling_rate" range:"1,16777216"`  // where it is not told
	Overrides     []Override     `yaml:"overrides"`                         // where it is wrong
	View          string         `yaml:"view" form:"name"`                  // auto: of its own
	ReceiveBuffer Size           `yaml:"receive_buffer" range:"64KiB,1GiB"` // of each socket
}

// Override is a sampling rate that exporters tell wrongly or not at all.
type Override struct {
	Exporter     netip.Prefix `yaml:"exporter" required:"y" example:"192.0.2.9"`
	SamplingRate uint32       `yaml:"sampling_rate" required:"y" example:"1000" range:"1,16777216"`
}

// AutoView is the view of a port that shares none.
const AutoView = "auto"

// Direction says which of the network's traffic a mirror carries.
type Direction string

// The directions of a mirror.
const (
	Both     Direction = "both"
	Incoming Direction = "incoming"
	Outgoing Direction = "outgoing"
)

// ZeroCopy says whether the driver hands over frames without copying them.
type ZeroCopy string

// Prefer takes what the driver can, Required fails without, Off never asks.
const (
	Prefer   ZeroCopy = "prefer"
	Required ZeroCopy = "required"
	Off      ZeroCopy = "off"
)

// BusyPoll says whether a worker drives the kernel's half on its own core.
type BusyPoll string

// BusyOff leaves that half to interrupts; BusyAuto and BusyOn go back to them where it brings less.
const (
	BusyOff  BusyPoll = "off"
	BusyAuto BusyPoll = "auto" // once there is traffic enough to compare
	BusyOn   BusyPoll = "on"   // from the first frame on; to be refused is worth a warning
)

func (m *Mirror) setDefaults() {
	m.SamplingRate, m.Direction, m.Promiscuous = 1, Both, true
}

func (f *Flows) setDefaults() {
	f.SamplingRate, f.View, f.ReceiveBuffer = 1, AutoView, udp.DefaultReceiveBuffer
}

func (x *AFXDP) setDefaults() {
	x.Mirror.setDefaults()
	x.ZeroCopy, x.BusyPoll, x.DeferIRQs = Prefer, BusyOff, true
}

// mirrors returns all mirrors with their paths in the file.
func (c *Capture) mirrors() ([]*Mirror, []string) {
	var mirrors []*Mirror
	var paths []string
	for i := range c.AFXDP {
		mirrors = append(mirrors, &c.AFXDP[i].Mirror)
		paths = append(paths, index("capture.afxdp", i))
	}
	for i := range c.AFPacket {
		mirrors = append(mirrors, &c.AFPacket[i].Mirror)
		paths = append(paths, index("capture.afpacket", i))
	}
	return mirrors, paths
}

// FlowWorkers returns how many goroutines count flow exports, by view: one for each core that the
// file names, at least one for a port, and one more for TCP.
func (c *Capture) FlowWorkers() map[string]int {
	n := map[string]int{}
	for i := range c.Flows {
		f := &c.Flows[i]
		n[f.ViewName()] += max(len(f.Cores), 1)
		if f.TCP {
			n[f.ViewName()]++
		}
	}
	return n
}

// ViewName returns the name of the view that f is in.
func (f *Flows) ViewName() string {
	if f.View == AutoView {
		return "flows " + f.Listen
	}
	return f.View
}

// Workers returns how many goroutines count the mirrors' packets: one for each queue or core that
// the file names, at least one for a mirror, and one if there is neither a mirror nor a port for
// flow exports.
func (c *Capture) Workers() int {
	n := 0
	mirrors, _ := c.mirrors()
	for _, m := range mirrors {
		n += max(len(m.Queues), len(m.Cores), 1)
	}
	if len(c.Flows) == 0 {
		return max(n, 1)
	}
	return n
}
