package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir/ring/nic"
)

// lineRate is 10 GbE of the smallest frames, frames per second.
const lineRate = 14.88e6

// interfaces looks at one interface.
func (e *examination) interfaces(n *NIC) {
	m := e.Plan.mirror(n.Name)
	c := e.add(Check{
		ID: "nic.link", Subject: n.Name, Title: "link", Wanted: "up",
		Why: "nothing can arrive without",
	})
	switch {
	case n.Err != "" && (m != nil || n.Named):
		c.fail(n.Err, "ip -brief link")
		return
	case n.Err != "":
		c.warn(n.Err, "ip -brief link")
		return
	case n.State() != "up" && m != nil:
		c.fail("down, or without a carrier", "ip link set "+n.Name+" up")
	default:
		c.when(n.State() != "up", link(n), "ip link set "+n.Name+" up")
	}
	if e.management(n, m) {
		return
	}
	e.driver(n, m)
	e.xdp(n, m)
	e.attached(n, m)
	e.proof(n, m)
	e.mtu(n, m)
	e.offloads(n, m)
	e.merging(n, m)
	e.channels(n, m)
	e.spread(n)
	e.hash(n)
	e.rings(n)
	e.coalescing(n)
	e.pause(n)
	e.missed(n)
	e.interrupts(n, m)
	e.node(n, m)
}

func link(n *NIC) string {
	if n.State() != "up" {
		return "down, or without a carrier"
	}
	if n.Speed == 0 {
		return "up; its speed is not told"
	}
	return fmt.Sprintf("up, %g Gbit/s", float64(n.Speed)/1000)
}

// unknown skips c where a part of the facts could not be learned, and says why.
func unknown(c *outcome, n *NIC, part string) bool {
	why, missing := n.Missing[part]
	if missing {
		c.skip(why)
	}
	return missing
}

// management looks whether capture would cut the host off. It reports whether that is all there is
// to say: nobody wants to capture from this interface.
func (e *examination) management(n *NIC, m *Mirror) (all bool) {
	c := e.add(Check{
		ID: "nic.management", Subject: n.Name, Title: "not the way to this host",
		Wanted: "AF_XDP only where the host itself needs nothing",
		Why: "the frames of a queue that weir holds do not reach the host: your session would " +
			"end with them",
	})
	route := n.Default || slices.Contains(e.Host.DefaultRoutes, n.Name)
	const fix = "use capture.afpacket for this interface, or mirror to another"
	found := "no default route, no address"
	switch {
	case route:
		found = "carries the default route"
	case n.Address:
		found = "has an IP address"
	}
	switch {
	case m != nil && !m.AFXDP:
		c.ok("captured through AF_PACKET, which leaves the host its frames")
	case route && m != nil && m.Force:
		c.warn(found+", and force is set", fix)
	case route && m != nil:
		c.fail(found, fix)
	case route && !n.Named:
		c.skip(found + ": nothing was asked of it, nor looked at further")
		return true
	case route, n.Address && m != nil:
		c.warn(found, fix)
	default:
		c.ok(found)
	}
	return false
}

// attached looks at whose XDP program is there.
func (e *examination) attached(n *NIC, m *Mirror) {
	c := e.add(Check{
		ID: "nic.program", Subject: n.Name, Title: "XDP program", Wanted: "none but weir's",
		Why: "an interface has one; weir does not take another's off",
	})
	a := n.Attached
	name := a.Name
	if name == "" {
		name = "of unknown name"
	}
	found := fmt.Sprintf("number %d, %s", a.Program, name)
	switch {
	case !a.Known:
		c.skip("the kernel does not tell")
	case a.Program == 0:
		c.ok("none")
	case strings.HasPrefix(a.Name, weir):
		c.ok(found)
	case a.Name == "":
		c.warn(found+": weir's if it runs", "ip link show "+n.Name)
	case m != nil && m.AFXDP:
		c.fail(found, "ip link set "+n.Name+" xdp off")
	default:
		c.warn(found, "ip link set "+n.Name+" xdp off")
	}
}

// proof says what a real bind brought.
func (e *examination) proof(n *NIC, m *Mirror) {
	p := n.Proof
	if p == nil {
		return
	}
	c := e.add(Check{
		ID: "nic.proof", Subject: n.Name, Title: "a bind", Wanted: "zerocopy",
		Why: "what a driver says that it can is not always what it grants",
	})
	switch {
	case p.Skipped != "":
		c.skip(p.Skipped)
	case p.Err != "":
		c.fail(p.Err, "ip -details link show "+n.Name+"; ss --xdp --processes")
	case p.Mode == "zerocopy":
		c.ok(fmt.Sprintf("zerocopy on queue %d", p.Queue))
	case m != nil && m.ZeroCopy == "off":
		c.ok(fmt.Sprintf("%s on queue %d, and zerocopy is off in the configuration", p.Mode,
			p.Queue))
	case e.able(n): // but not as it is set up
		c.warn(fmt.Sprintf("%s on queue %d: %s", p.Mode, p.Queue, p.Reason), tuning(n.Name))
	default:
		c.warn(fmt.Sprintf("%s on queue %d: %s", p.Mode, p.Queue, p.Reason), otherCard)
	}
}

// mtu looks whether frames fit.
func (e *examination) mtu(n *NIC, m *Mirror) {
	limit, known := mtuLimits()[n.Driver]
	c := e.add(Check{
		ID: "nic.mtu", Subject: n.Name, Title: "MTU",
		Wanted: "no more than the driver's XDP takes, and than a frame of 2048 bytes",
		Why:    "larger ones come in several buffers, which not every driver can with XDP",
	})
	found := strconv.Itoa(n.MTU)
	switch {
	case m != nil && !m.AFXDP:
		c.ok(found)
	case known && n.MTU > limit && !n.XDP.RXSG:
		c.fail(fmt.Sprintf("%d: %s takes %d", n.MTU, n.Driver, limit),
			fmt.Sprintf("ip link set %s mtu 1500", n.Name))
	case n.MTU > frameRoom && !n.XDP.RXSG && !known:
		c.warn(found, fmt.Sprintf("ip link set %s mtu 1500", n.Name))
	default:
		c.ok(found)
	}
}

// frameRoom is the MTU whose frames fit in 2048 bytes beside the headroom and the link header.
const frameRoom = 2048 - 256 - 18

// offloads looks at what the hardware does to frames before we see them.
func (e *examination) offloads(n *NIC, m *Mirror) {
	for _, o := range []struct{ id, title, name, why string }{
		{"nic.lro", "LRO", nic.LRO, "frames that are joined are not what was sent, and drivers " +
			"refuse XDP with it"},
		{"nic.gro-hw", "GRO by the hardware", nic.GROHW, "frames that are joined are not what " +
			"was sent"},
		{"nic.vlan", "VLAN tags taken off", nic.RXVLAN, "a tag that the hardware takes off is " +
			"not in the frame that XDP sees"},
	} {
		c := e.add(Check{ID: o.id, Subject: n.Name, Title: o.title, Wanted: "off", Why: o.why})
		state, known := n.Offloads[o.name]
		switch {
		case !known:
			c.skip(missing(n, "offloads", "the driver has no such offload"))
		case !state.On:
			c.ok("off")
		case o.name == nic.RXVLAN && m != nil && !m.AFXDP:
			c.ok("on: AF_PACKET counts the tag")
		case state.Fixed:
			c.skip("on, and the driver does not let it be changed")
		default:
			c.warn("on", tuning(n.Name))
		}
	}
}

// merging looks whether the kernel joins frames before AF_PACKET sees them.
func (e *examination) merging(n *NIC, m *Mirror) {
	c := e.add(Check{
		ID: "nic.gro", Subject: n.Name, Title: "GRO", Wanted: "off where AF_PACKET captures",
		Why: "AF_PACKET sees packets of a flow that the kernel has joined as one: pps are too low",
	})
	state, known := n.Offloads[nic.GRO]
	switch {
	case !known:
		c.skip(missing(n, "offloads", "the driver has no such offload"))
	case !state.On:
		c.ok("off")
	case m != nil && !m.AFXDP:
		c.warn("on", "ethtool -K "+n.Name+" gro off")
	default:
		c.ok("on, behind XDP")
	}
}

// tuning is the command that shows what to change of interfaces.
func tuning(names string) string { return "weir tune --dry-run " + names }

// missing says why a part is not known.
func missing(n *NIC, part, otherwise string) string {
	if why, ok := n.Missing[part]; ok {
		return why
	}
	return otherwise
}
