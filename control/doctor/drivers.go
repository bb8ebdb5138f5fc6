package doctor

import "fmt"

// version is a kernel's.
type version struct{ major, minor int }

// zeroCopySince returns since when drivers have AF_XDP zero-copy; the zero version: never, in
// Linux itself.
func zeroCopySince() map[string]version {
	return map[string]version{
		"ixgbe": {4, 20}, "i40e": {4, 20}, "mlx5_core": {5, 3}, "ice": {5, 5}, "stmmac": {5, 13},
		"igc": {5, 14}, "nfp": {5, 18}, "fsl_dpaa2_eth": {6, 2}, "gve": {6, 4}, "tsnep": {6, 4},
		"virtio_net": {6, 11}, "igb": {6, 14}, "idpf": {6, 18},
		"bnxt_en": {}, "ena": {}, "qede": {}, "sfc": {}, "mana": {}, "ionic": {}, "vmxnet3": {},
		"fbnic": {}, "tun": {}, "veth": {}, "bonding": {}, "e1000": {}, "e1000e": {}, "r8169": {},
		"tg3": {}, "hv_netvsc": {},
	}
}

// mtuLimits returns the largest MTU with which a driver takes an XDP program that knows nothing of
// frames in several buffers.
func mtuLimits() map[string]int {
	return map[string]int{
		"ixgbe": 3050, "i40e": 3046, "ice": 3046, "mlx5_core": 3498, "veth": 3520,
	}
}

// quirk is what is known to go wrong with a driver, on some kernels.
type quirk struct {
	driver string
	from   version // first kernel that has it; zero: from the beginning
	before version // first that has not; zero: all have it
	weight State   // Fail: a crash or a hang; Warn: a matter of speed; OK: to be known
	text   string
}

// quirks lists what users of AF_XDP have reported.
func quirks() []quirk {
	return []quirk{
		{driver: "ixgbe", weight: OK, text: "its link is trained anew when a program is " +
			"attached: ten seconds without frames at each start of weir"},
		{driver: "ixgbe", from: version{6, 14}, weight: Warn, text: "preferred busy polling was " +
			"seen to be stuck at 10 Mpps"},
		{driver: "ice", before: version{6, 11}, weight: Fail, text: "taking queues under load " +
			"was seen to hang or crash the machine: fixed in 6.11"},
		{driver: "mlx5_core", before: version{6, 1}, weight: Warn, text: "zero-copy queues have " +
			"numbers above those of the channels: capture.afxdp[].queues must name them"},
		{driver: "ena", weight: OK, text: "zero-copy needs Amazon's own driver, from 2.17 on, " +
			"frames of 4096 bytes and an MTU of 3498 at most"},
	}
}

// driver looks at what is known of the driver.
func (e *examination) driver(n *NIC, m *Mirror) {
	c := e.add(Check{
		ID: "nic.driver", Subject: n.Name, Title: "driver",
		Wanted: "one that has zero-copy, on a kernel where it works",
		Why: "7 to 14 Mpps per queue were reported with zero-copy; the kernel's copy takes " +
			"1.25 to 1.8 times the CPU, and generic mode ends at about 1 Mpps",
	})
	if n.Kind == "bond" {
		c.fail("a bond: AF_XDP on it loses every frame",
			"name the bond's members under capture.afxdp")
		return
	}
	if n.Driver == "" {
		c.skip("it has no driver that could be asked")
		return
	}
	found := n.Driver
	if n.Firmware != "" && n.Firmware != "N/A" {
		found += ", firmware " + n.Firmware
	}
	worst, text := e.known(n)
	switch found += text; {
	case worst == Fail && m != nil && m.AFXDP:
		c.fail(found, "install another kernel")
	case worst == Fail, worst == Warn:
		c.warn(found, "install another kernel")
	default:
		c.ok(found)
	}
}

// known returns what goes wrong with n's driver on this kernel, and how grave that is.
func (e *examination) known(n *NIC) (worst State, text string) {
	k := e.Host.Kernel
	worst = OK
	for _, q := range quirks() {
		switch {
		case q.driver != n.Driver,
			q.from != version{} && !k.Least(q.from.major, q.from.minor),
			q.before != version{} && k.Least(q.before.major, q.before.minor):
		default:
			text += "; " + q.text
			if worst == OK || q.weight == Fail {
				worst = q.weight
			}
		}
	}
	return worst, text
}

// otherCard is what to do about a driver that cannot.
const otherCard = "mirror to a card that has zero-copy, as those of ice, i40e and mlx5_core, or " +
	"set zerocopy: off for it in capture.afxdp"

// xdp looks at what the driver says that it can do with XDP.
func (e *examination) xdp(n *NIC, m *Mirror) {
	c := e.add(Check{
		ID: "nic.xdp", Subject: n.Name, Title: "XDP", Wanted: "zero-copy",
		Why: "7 to 14 Mpps per queue were reported with zero-copy; the kernel's copy takes " +
			"1.25 to 1.8 times the CPU, and generic mode ends at about 1 Mpps",
	})
	if m != nil && !m.AFXDP {
		c.skip("captured through AF_PACKET")
		return
	}
	if m != nil && m.ZeroCopy == "off" {
		c.skip("zerocopy is off in the configuration")
		return
	}
	required := m != nil && m.ZeroCopy == "required"
	prove := "weir doctor --prove " + n.Name
	if n.Proof != nil {
		prove = otherCard // it was tried: see there
	}
	if why, not := n.Missing["xdp"]; not {
		e.guess(c, n, required, why)
		return
	}
	found := "basic"
	for _, f := range []struct {
		has  bool
		name string
	}{
		{n.XDP.Redirect, "redirect"}, {n.XDP.ZeroCopy, "zero-copy"},
		{n.XDP.RXSG, "frames of several buffers"},
	} {
		if f.has {
			found += ", " + f.name
		}
	}
	switch {
	case !n.XDP.Basic:
		c.c.Fix = otherCard
		c.end(severity(required, Warn), "none in the driver: generic mode, 1 Mpps or less")
	case n.XDP.ZeroCopy:
		c.ok(found)
	case required:
		c.fail(found+", no zero-copy", prove)
	default:
		c.warn(found+", no zero-copy", prove)
	}
}

// able reports whether the driver has zero-copy, as the kernel tells or its name does.
func (e *examination) able(n *NIC) bool {
	if _, untold := n.Missing["xdp"]; !untold {
		return n.XDP.ZeroCopy
	}
	since, known := zeroCopySince()[n.Driver]
	return known && since != version{} && e.Host.Kernel.Least(since.major, since.minor)
}

// severity is Fail where what is not there is required.
func severity(required bool, otherwise State) State {
	if required {
		return Fail
	}
	return otherwise
}

// guess judges by the driver's name, where the kernel does not tell what it can.
func (e *examination) guess(c *outcome, n *NIC, required bool, why string) {
	since, known := zeroCopySince()[n.Driver]
	never := known && since == version{}
	switch {
	case !known:
		c.skip(why + "; weir doctor --prove " + n.Name + " tries")
	case never:
		c.c.Fix = otherCard
		c.end(severity(required, Warn), n.Driver+" has no zero-copy")
	case e.able(n):
		c.ok(fmt.Sprintf("%s has zero-copy since %d.%d", n.Driver, since.major, since.minor))
	default:
		c.c.Fix = "install a newer kernel"
		c.end(severity(required, Warn),
			fmt.Sprintf("%s has zero-copy from %d.%d on", n.Driver, since.major, since.minor))
	}
}
