package nic

import (
	"encoding/binary"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// The kernel's generic netlink family "netdev" (Documentation/netlink/specs/netdev.yaml).
const (
	netdevFamily = "netdev"

	netdevDevGet   = 1
	netdevQueueGet = 10
	netdevNAPIGet  = 11
	netdevNAPISet  = 14 // since Linux 6.13

	netdevDevIndex    = 1
	netdevDevFeatures = 3
	netdevDevSegments = 4

	netdevQueueNumber = 1
	netdevQueueIndex  = 2
	netdevQueueType   = 3 // 0: receive
	netdevQueueNAPI   = 4

	netdevNAPIIndex  = 1
	netdevNAPINumber = 2
	netdevNAPIIRQ    = 3
	netdevNAPIDefer  = 5
	netdevNAPIFlush  = 6
)

// attributes are a message's, by type.
type attributes map[uint16][]byte

func (a attributes) uint32(t uint16) (n int, ok bool) {
	if len(a[t]) < 4 {
		return 0, false
	}
	return int(binary.NativeEndian.Uint32(a[t])), true
}

// askNetdev asks the family "netdev" about the interface with that index.
func (h *Handle) askNetdev(command uint8, flags uint16, kind uint16, index int) (
	all []attributes, err error,
) {
	if h.netdev == 0 {
		return nil, fmt.Errorf("kernels from 6.3 on say, this one does not")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	err = h.generic.ask(h.netdev, command, flags|unix.NLM_F_ACK,
		attribute(kind, nl.Uint32Attr(uint32(index))), func(answer []byte) {
			a := attributes{}
			eachAttribute(answer[min(genericHeader, len(answer)):],
				func(kind uint16, value []byte) { a[kind] = value })
			all = append(all, a)
		})
	if err != nil {
		return nil, meaning(err)
	}
	return all, nil
}

// readXDP asks what XDP can do at an interface.
func (h *Handle) readXDP(index int) (x XDP, err error) {
	answers, err := h.askNetdev(netdevDevGet, 0, netdevDevIndex, index)
	if err != nil {
		return x, err
	}
	if len(answers) != 1 || len(answers[0][netdevDevFeatures]) < 8 {
		return x, fmt.Errorf("no features in the kernel's answer")
	}
	bits := binary.NativeEndian.Uint64(answers[0][netdevDevFeatures])
	for bit, feature := range []*bool{
		&x.Basic, &x.Redirect, &x.NDOXmit, &x.ZeroCopy, &x.HWOffload, &x.RXSG, &x.NDOXmitSG,
	} {
		*feature = bits&(1<<bit) != 0
	}
	x.ZeroCopyMaxSegments, _ = answers[0].uint32(netdevDevSegments)
	return x, nil
}

// queueIRQs returns the interrupts of receive queues, by queue, as far as the kernel knows them.
func (h *Handle) queueIRQs(index int) (map[int]int, error) {
	napis, err := h.askNetdev(netdevNAPIGet, unix.NLM_F_DUMP, netdevNAPIIndex, index)
	if err != nil {
		return nil, err
	}
	irqOf := map[int]int{}
	for _, a := range napis {
		if irq, ok := a.uint32(netdevNAPIIRQ); ok {
			napi, _ := a.uint32(netdevNAPINumber)
			irqOf[napi] = irq
		}
	}
	queues, err := h.askNetdev(netdevQueueGet, unix.NLM_F_DUMP, netdevQueueIndex, index)
	if err != nil {
		return nil, err
	}
	all := map[int]int{}
	for _, a := range queues {
		number, _ := a.uint32(netdevQueueNumber)
		transmits, _ := a.uint32(netdevQueueType)
		napi, _ := a.uint32(netdevQueueNAPI)
		if irq, ok := irqOf[napi]; ok && transmits == 0 {
			all[number] = irq
		}
	}
	return all, nil
}
