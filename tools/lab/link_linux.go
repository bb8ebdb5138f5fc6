package lab

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Make makes a link that Remove removed, and sets it up.
func (l *Lab) Make(link int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.make(link)
}

// Remove removes both interfaces of a link.
func (l *Lab) Remove(link int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.remove(link)
}

// Replace removes both interfaces of a link and makes them again: same names, new indexes.
func (l *Lab) Replace(link int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.remove(link); err != nil {
		return err
	}
	return l.make(link)
}

func (l *Lab) make(link int) error {
	sut, err := netns.GetFromName(l.Sut().Name)
	if err != nil {
		return fmt.Errorf("open namespace %s: %w", l.Sut().Name, err)
	}
	defer sut.Close()
	queues, mac := l.options.Queues, MAC()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = Gen.Interface(link)
	attrs.MTU = l.options.MTU
	attrs.NumTxQueues, attrs.NumRxQueues = queues, queues
	attrs.HardwareAddr = mac[:]
	veth := netlink.NewVeth(attrs)
	veth.PeerName = Sut.Interface(link)
	veth.PeerNamespace = netlink.NsFd(sut)
	veth.PeerHardwareAddr = mac[:]
	veth.PeerNumTxQueues, veth.PeerNumRxQueues = uint32(queues), uint32(queues)
	veth.PeerMTU = uint32(l.options.MTU)
	if err := l.ends[Gen].netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("make veth %s: %w", attrs.Name, err)
	}
	l.indexes[link].Store(uint32(veth.Attrs().Index))
	for side := range l.ends {
		if err := l.ends[side].start(Side(side).Interface(link)); err != nil {
			return err
		}
	}
	return l.ready(link)
}

// readyPatience bounds the wait for what the kernel does a little later than it says.
const readyPatience = 5 * time.Second

// ready waits until a link whose ends are both up sends what it is given: until the kernel has
// noticed that there is a link, it drops that without a trace.
func (l *Lab) ready(link int) error {
	for end := time.Now().Add(readyPatience); ; time.Sleep(time.Millisecond) {
		up, running := true, true
		for side := range l.ends {
			dev, err := l.ends[side].link(Side(side).Interface(link))
			if err != nil {
				return err
			}
			flags := dev.Attrs().RawFlags
			up = up && flags&unix.IFF_UP != 0
			running = running && flags&unix.IFF_RUNNING != 0
		}
		if !up || running {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("link %d is up and does not run", link)
		}
	}
}

func (l *Lab) remove(link int) error {
	e := &l.ends[Gen]
	name := Gen.Interface(link)
	dev, err := e.link(name)
	if err != nil {
		return err
	}
	if err := e.netlink.LinkDel(dev); err != nil {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	l.indexes[link].Store(0)
	return nil
}

// start sets a new interface up, without ARP.
func (e *end) start(name string) error {
	dev, err := e.link(name)
	if err != nil {
		return err
	}
	if err := e.netlink.LinkSetARPOff(dev); err != nil {
		return fmt.Errorf("turn ARP off at %s: %w", name, err)
	}
	return e.up(name)
}

func (e *end) link(name string) (netlink.Link, error) {
	dev, err := e.netlink.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("find %s in %s: %w", name, e.namespace.Name, err)
	}
	return dev, nil
}

func (e *end) up(name string) error {
	dev, err := e.link(name)
	if err != nil {
		return err
	}
	if err := e.netlink.LinkSetUp(dev); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}

// LinkUp sets one end of a link up. If the other is up, the link then carries frames.
func (l *Lab) LinkUp(side Side, link int) error {
	if err := l.ends[side].up(side.Interface(link)); err != nil {
		return err
	}
	return l.ready(link)
}

// LinkDown sets one end of a link down; the other then has no carrier.
func (l *Lab) LinkDown(side Side, link int) error {
	e, name := &l.ends[side], side.Interface(link)
	dev, err := e.link(name)
	if err != nil {
		return err
	}
	if err := e.netlink.LinkSetDown(dev); err != nil {
		return fmt.Errorf("set %s down: %w", name, err)
	}
	return nil
}

// SetMTU changes the MTU of both ends of a link.
func (l *Lab) SetMTU(link, mtu int) error {
	for side := range l.ends {
		e, name := &l.ends[side], Side(side).Interface(link)
		dev, err := e.link(name)
		if err != nil {
			return err
		}
		if err := e.netlink.LinkSetMTU(dev, mtu); err != nil {
			return fmt.Errorf("set MTU of %s to %d: %w", name, mtu, err)
		}
	}
	return nil
}

// AddAddress gives an address, and the route to its prefix, to one end of a link. The first IPv6
// address turns IPv6 on there: that end then sends multicast listener reports, and nothing else,
// without being asked.
func (l *Lab) AddAddress(side Side, link int, prefix netip.Prefix) error {
	e, name := &l.ends[side], side.Interface(link)
	dev, err := e.link(name)
	if err != nil {
		return err
	}
	addr := &netlink.Addr{IPNet: &net.IPNet{
		IP:   prefix.Addr().AsSlice(),
		Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen()),
	}}
	if prefix.Addr().Is6() {
		addr.Flags = unix.IFA_F_NODAD
		if err := e.enableIPv6(name); err != nil {
			return err
		}
	}
	if err := e.netlink.AddrAdd(dev, addr); err != nil {
		return fmt.Errorf("add %v to %s: %w", prefix, name, err)
	}
	return e.reachable(prefix.Addr())
}

// reachable waits until an address of this end is taken for its own: with IPv6 that is a little
// later than it was added.
func (e *end) reachable(addr netip.Addr) error {
	for end := time.Now().Add(readyPatience); ; time.Sleep(time.Millisecond) {
		routes, err := e.netlink.RouteGet(addr.AsSlice())
		if err == nil && len(routes) > 0 && routes[0].Type == unix.RTN_LOCAL {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("no local route to %v in %s (%w)", addr, e.namespace.Name, err)
		}
	}
}

func (e *end) enableIPv6(name string) error {
	conf := "ipv6/conf/" + name + "/"
	// No link-local address: it would be checked for duplicates and solicit routers.
	if err := e.namespace.write("1", conf+"addr_gen_mode"); err != nil {
		return err
	}
	return e.namespace.write("0", conf+"accept_dad", conf+"accept_ra",
		conf+"router_solicitations", conf+"disable_ipv6")
}
