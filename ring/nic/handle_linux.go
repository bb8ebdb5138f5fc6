package nic

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/safchain/ethtool"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Handle asks the kernel about interfaces.
//
// Concurrency: any goroutine may call its methods.
type Handle struct {
	route   *netlink.Handle
	mu      sync.Mutex // of route: requests and answers on one socket
	ethtool *ethtool.Ethtool
	socket  int // for what ethtool cannot ask
	changed chan struct{}
	done    chan struct{}
	births  births

	namespace uint64 // that it was opened in
	generic   *generic
	netdev    uint16 // the number of the family of devices; 0: the kernel has none
	setsNAPIs bool   // by that family
}

// requestTimeout bounds one question to the kernel.
const requestTimeout = 2 * time.Second

// Open opens a handle on the interfaces of the calling thread's network namespace. Close it.
func Open() (*Handle, error) {
	route, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	h := &Handle{
		route: route, changed: make(chan struct{}, 1), done: make(chan struct{}),
		births: births{all: map[int]birth{}},
	}
	if err := route.SetSocketTimeout(requestTimeout); err != nil {
		route.Close()
		return nil, fmt.Errorf("bound a netlink socket's wait: %w", err)
	}
	if h.ethtool, err = ethtool.NewEthtool(); err != nil {
		route.Close()
		return nil, fmt.Errorf("open a socket for ethtool: %w", err)
	}
	h.socket, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		route.Close()
		h.ethtool.Close()
		return nil, fmt.Errorf("open a socket for ethtool: %w", err)
	}
	if h.namespace, err = namespaceInode(); err == nil {
		err = h.openGeneric()
	}
	if err == nil {
		err = h.subscribe()
	}
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// subscribe makes Changed tell of every change of a link.
func (h *Handle) subscribe() error {
	updates := make(chan netlink.LinkUpdate, 64)
	options := netlink.LinkSubscribeOptions{
		ListExisting:  true,
		ErrorCallback: func(error) {}, // a lost update: whoever watches also looks now and then
	}
	err := netlink.LinkSubscribeWithOptions(updates, h.done, options)
	unprivileged := errors.Is(err, unix.EPERM)
	if unprivileged { // the library asks for the list in a way that only root may
		options.ListExisting, updates = false, make(chan netlink.LinkUpdate, 64)
		err = netlink.LinkSubscribeWithOptions(updates, h.done, options)
	}
	if err != nil {
		return fmt.Errorf("subscribe to changes of links: %w", err)
	}
	go func() { // ends when the subscription does, by Close
		for u := range updates {
			h.births.note(&u)
			select {
			case h.changed <- struct{}{}:
			default: // one is waiting to be taken
			}
		}
	}()
	if unprivileged {
		return h.listExisting()
	}
	return nil
}

// listExisting tells births of the interfaces that there are.
func (h *Handle) listExisting() error {
	all, err := h.List()
	if err != nil {
		return err
	}
	h.births.mu.Lock()
	defer h.births.mu.Unlock()
	for i := range all {
		h.births.add(&all[i])
	}
	return nil
}

// Changed receives whenever something about a link may have changed. An overflow of the kernel's
// buffer can lose a change, so that a watcher should also look by the clock.
func (h *Handle) Changed() <-chan struct{} { return h.changed }

// Close ends the handle.
func (h *Handle) Close() error {
	close(h.done)
	h.route.Close()
	h.ethtool.Close()
	if h.generic != nil {
		h.generic.socket.Close()
	}
	return unix.Close(h.socket)
}

// Find returns the interface of that name, or an error that is ErrMissing when there is none.
func (h *Handle) Find(name string) (Interface, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	link, err := h.route.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return Interface{}, fmt.Errorf("find interface %s: %w", name, ErrMissing)
	}
	if err != nil {
		return Interface{}, fmt.Errorf("find interface %s: %w", name, err)
	}
	i := describe(link)
	if c, err := h.ethtool.GetChannels(name); err == nil {
		i.RXQueues = int(c.RxCount + c.CombinedCount)
	}
	if i.RXQueues == 0 { // a driver without channels: what it made
		i.RXQueues = max(1, link.Attrs().NumRxQueues)
	}
	i.Began = h.births.of(&i)
	return i, nil
}

// List returns all interfaces, without their queues.
func (h *Handle) List() ([]Interface, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	links, err := h.route.LinkList()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	all := make([]Interface, 0, len(links))
	for _, link := range links {
		all = append(all, describe(link))
	}
	return all, nil
}

func describe(link netlink.Link) Interface {
	a := link.Attrs()
	i := Interface{
		Name: a.Name, Index: a.Index, MTU: a.MTU, Kind: link.Type(),
		Encapsulation: a.EncapType,
		Up:            a.Flags&net.FlagUp != 0,
		Running:       a.RawFlags&unix.IFF_RUNNING != 0,
	}
	if a.Statistics != nil {
		i.Received, i.Missed = a.Statistics.RxPackets, a.Statistics.RxMissedErrors
	}
	return i
}

// DefaultRoutes returns the names of the interfaces that carry a default route, IPv4 or IPv6:
// where the operator's own session most likely comes in.
func (h *Handle) DefaultRoutes() (map[string]bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	routes, err := h.route.RouteList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	names := map[string]bool{}
	for i := range routes {
		r := &routes[i]
		if r.Dst != nil {
			if ones, _ := r.Dst.Mask.Size(); ones != 0 {
				continue
			}
		}
		for _, index := range hops(r) {
			if link, err := h.route.LinkByIndex(index); err == nil {
				names[link.Attrs().Name] = true
			}
		}
	}
	return names, nil
}

// hops returns the interfaces that a route leaves by.
func hops(r *netlink.Route) []int {
	out := []int{}
	if r.LinkIndex > 0 {
		out = append(out, r.LinkIndex)
	}
	for _, hop := range r.MultiPath {
		out = append(out, hop.LinkIndex)
	}
	return out
}
