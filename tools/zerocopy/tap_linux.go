package zerocopy

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// tapCard is a card with several queues: a tap in a network namespace without a name, which ends
// with the card. The tap gives each flow one of its queues.
type tapCard struct {
	queues []*os.File
	packet int // socket that sends to the tap
	handle *netlink.Handle
	index  int
}

// tapRoom is how many frames each queue of the tap holds: all that are asked for at a time.
const tapRoom = 16384

// newTapCard makes a card with so many queues. It needs root.
func newTapCard(queues int) (card, error) {
	c := &tapCard{packet: -1}
	if err := elsewhere(func() error { return c.open(queues) }); err != nil {
		return nil, errors.Join(fmt.Errorf("make a tap of %d queues: %w", queues, err), c.close())
	}
	return c, nil
}

// elsewhere calls f on a thread that is in a new network namespace, and ends with it.
func elsewhere(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: no other goroutine is to be in the namespace
		ns, err := netns.New()
		if err == nil {
			err = errors.Join(f(), ns.Close())
		}
		done <- err
	}()
	return <-done
}

func (c *tapCard) open(queues int) error {
	const name = "card"
	// The thread's namespace is what /proc/sys/net shows. With IPv6 the tap would speak up itself.
	const ipv6 = "/proc/sys/net/ipv6/conf/default/disable_ipv6"
	err := os.WriteFile(ipv6, []byte("1"), 0)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for range queues {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		c.queues = append(c.queues, os.NewFile(uintptr(fd), name))
		request, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_MULTI_QUEUE)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
			return err
		}
	}
	if c.handle, err = netlink.NewHandle(unix.NETLINK_ROUTE); err != nil {
		return err
	}
	link, err := c.handle.LinkByName(name)
	if err != nil {
		return err
	}
	c.index = link.Attrs().Index
	if err := c.handle.LinkSetTxQLen(link, tapRoom); err != nil {
		return err
	}
	if err := c.handle.LinkSetUp(link); err != nil {
		return err
	}
	c.packet, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	return err
}

func (c *tapCard) arguments(number, fd int) ([]string, []*os.File) {
	var fds []string
	for n := range c.queues {
		fds = append(fds, fmt.Sprint(fd+n))
	}
	vectors := 2*len(c.queues) + 2
	return append([]string{
		"-netdev", fmt.Sprintf("tap,id=net%d,vhost=off,fds=%s", number, strings.Join(fds, ":")),
	}, device(number, fmt.Sprintf(",mq=on,vectors=%d", vectors))...), c.queues
}

func (c *tapCard) ready() error { return nil }

func (c *tapCard) send(card int, first, count uint32) (uint32, error) {
	before, err := c.lost()
	if err != nil {
		return 0, err
	}
	to := &unix.SockaddrLinklayer{
		Protocol: unix.ETH_P_IP<<8&0xff00 | unix.ETH_P_IP>>8, Ifindex: c.index, Halen: 6,
	}
	var b [MaxFrame]byte
	for n := range count {
		if err := unix.Sendto(c.packet, b[:PutFrame(&b, card, first+n)], 0, to); err != nil {
			return n, err
		}
	}
	after, err := c.lost()
	return count - uint32(after-before), err
}

// lost returns how many frames the tap had no room for.
func (c *tapCard) lost() (uint64, error) {
	link, err := c.handle.LinkByIndex(c.index)
	if err != nil {
		return 0, err
	}
	if s := link.Attrs().Statistics; s != nil {
		return s.TxDropped + s.TxErrors, nil
	}
	return 0, errors.New("the tap has no statistics")
}

func (c *tapCard) close() error {
	var errs []error
	for _, q := range c.queues {
		errs = append(errs, q.Close())
	}
	if c.packet >= 0 {
		errs = append(errs, unix.Close(c.packet))
	}
	if c.handle != nil {
		c.handle.Close()
	}
	c.queues, c.packet, c.handle = nil, -1, nil
	return errors.Join(errs...)
}
