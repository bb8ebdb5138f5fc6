package nic

import (
	"fmt"
	"maps"
	"net"
	"slices"

	"github.com/safchain/ethtool"
	"github.com/vishvananda/netlink"
)

// Facts asks for all that can be known of the interface of that name. What a driver does not have
// is in the answer's Missing; the error is ErrMissing where there is no such interface. It takes
// no privilege, and some milliseconds.
func (h *Handle) Facts(name string) (Facts, error) {
	i, err := h.Find(name)
	if err != nil {
		return Facts{}, err
	}
	defaults, err := h.DefaultRoutes()
	if err != nil {
		return Facts{}, err
	}
	f := Facts{
		Interface: i, NUMANode: -1, Default: defaults[name],
		Hash: map[FlowType]Fields{}, Offloads: map[string]Offload{}, Missing: map[string]string{},
	}
	f.note("address", h.readAddress(&f))
	f.note("driver", h.readDriver(&f))
	f.note("speed", h.readSpeed(&f))
	f.note("channels", h.readChannels(&f))
	f.note("rings", h.readRings(&f))
	f.note("offloads", h.readOffloads(&f))
	f.note("coalesce", h.readCoalesce(&f))
	f.note("pause", h.readPause(&f))
	f.RSS, err = h.readRSS(name)
	f.note("rss", err)
	for _, flow := range FlowTypes() {
		fields, err := h.readHash(name, flow)
		if err == nil && fields == "" {
			err = ErrUnsupported // virtio_net says so
		}
		if f.note("hash "+string(flow), err); err == nil {
			f.Hash[flow] = fields
		}
	}
	f.Rules, err = h.readRules(name)
	f.note("rules", err)
	f.XDP, err = h.readXDP(i.Index)
	f.note("xdp", err)
	f.note("irqs", h.readIRQs(&f))
	return f, nil
}

// note writes down why something is missing.
func (f *Facts) note(what string, err error) {
	if err != nil {
		f.Missing[what] = err.Error()
	}
}

func (h *Handle) readAddress(f *Facts) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	link, err := h.route.LinkByName(f.Name)
	if err != nil {
		return err
	}
	addresses, err := h.route.AddrList(link, netlink.FAMILY_ALL)
	f.Address = slices.ContainsFunc(addresses, func(a netlink.Addr) bool {
		return a.IPNet != nil && global(a.IP)
	})
	return err
}

func global(ip net.IP) bool { return !ip.IsLinkLocalUnicast() && !ip.IsUnspecified() }

func (h *Handle) readDriver(f *Facts) error {
	d, err := h.ethtool.DriverInfo(f.Name)
	if err != nil {
		return meaning(err)
	}
	f.Driver, f.Firmware, f.Bus = d.Driver, d.FwVersion, d.BusInfo
	if f.Bus != "" {
		f.NUMANode = numaNode("/", f.Bus)
	}
	return nil
}

func (h *Handle) readSpeed(f *Facts) error {
	// GetLinkSettings of this library writes to standard output where the kernel knows more link
	// modes than it does.
	speed, err := h.ethtool.CmdGet(&ethtool.EthtoolCmd{}, f.Name)
	if err != nil {
		return meaning(err)
	}
	if speed == ethtool.SPEED_UNKNOWN || speed == 0 {
		return fmt.Errorf("the driver does not say, as without a link")
	}
	f.Speed = int(speed)
	return nil
}

func (h *Handle) readChannels(f *Facts) error {
	c, err := h.ethtool.GetChannels(f.Name)
	f.Channels = Channels{
		RX: int(c.RxCount), TX: int(c.TxCount), Combined: int(c.CombinedCount),
		MaxRX: int(c.MaxRx), MaxTX: int(c.MaxTx), MaxCombined: int(c.MaxCombined),
	}
	return meaning(err)
}

func (h *Handle) readRings(f *Facts) error {
	r, err := h.ethtool.GetRing(f.Name)
	f.Rings = Rings{
		RX: int(r.RxPending), TX: int(r.TxPending),
		MaxRX: int(r.RxMaxPending), MaxTX: int(r.TxMaxPending),
	}
	return meaning(err)
}

// readOffloads asks for the offloads that matter to what receives frames as they were on the wire.
func (h *Handle) readOffloads(f *Facts) error {
	all, err := h.ethtool.FeaturesWithState(f.Name)
	if err != nil {
		return meaning(err)
	}
	for _, name := range []string{LRO, GRO, GROHW, RXVLAN, NTuple} {
		if s, ok := all[name]; ok {
			f.Offloads[name] = Offload{
				On: s.Active, Requested: s.Requested, Fixed: s.NeverChanged || !s.Available,
			}
		}
	}
	return nil
}

func (h *Handle) readCoalesce(f *Facts) error {
	c, err := h.ethtool.GetCoalesce(f.Name)
	f.Coalesce = Coalesce{
		Microseconds: int(c.RxCoalesceUsecs), Frames: int(c.RxMaxCoalescedFrames),
		Adaptive: c.UseAdaptiveRxCoalesce != 0,
	}
	return meaning(err)
}

func (h *Handle) readPause(f *Facts) error {
	p, err := h.ethtool.GetPause(f.Name)
	f.Pause = Pause{Autonegotiate: p.Autoneg != 0, RX: p.RxPause != 0, TX: p.TxPause != 0}
	return meaning(err)
}

// readIRQs asks the kernel which interrupt each receive queue has, and, where it does not know
// (before 6.8, and some drivers), the names of the device's interrupts.
func (h *Handle) readIRQs(f *Facts) error {
	numbers, err := h.queueIRQs(f.Index)
	if err != nil || len(numbers) == 0 {
		if f.Bus == "" {
			return fmt.Errorf("no device, no interrupt")
		}
		if numbers, err = namedIRQs("/", f.Bus); err != nil {
			return err
		}
	}
	for _, queue := range slices.Sorted(maps.Keys(numbers)) {
		f.IRQs = append(f.IRQs, IRQ{queue, numbers[queue], irqName("/", numbers[queue])})
	}
	if len(f.IRQs) == 0 {
		return fmt.Errorf("neither the kernel nor the interrupts' names tell which is whose")
	}
	return nil
}
