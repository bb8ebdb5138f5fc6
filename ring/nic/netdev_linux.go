package nic

import (
	"encoding/binary"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// The kernel's generic netlink family "netdev" (Documentation/netlink/specs/netdev.yaml).
const (
	netdevFamily  = "netdev"
	netdevVersion = 1

	netdevDevGet   = 1
	netdevQueueGet = 10
	netdevNAPIGet  = 11

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
)

// attributes are a message's, by type.
type attributes map[uint16][]byte

func (a attributes) uint32(t uint16) (n int, ok bool) {
	if len(a[t]) < 4 {
		return 0, false
	}
	return int(binary.NativeEndian.Uint32(a[t])), true
}

// generic asks a generic netlink family.
func (h *Handle) generic(family uint16, command uint8, flags int, with *nl.RtAttr) (
	[]attributes, error,
) {
	r := nl.NewNetlinkRequest(int(family), flags)
	r.AddData(&nl.Genlmsg{Command: command, Version: netdevVersion})
	r.AddData(with)
	r.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_GENERIC: h.netdev}
	h.mu.Lock()
	messages, err := r.Execute(unix.NETLINK_GENERIC, 0)
	h.mu.Unlock()
	if err != nil {
		return nil, meaning(err)
	}
	all := make([]attributes, 0, len(messages))
	for _, m := range messages {
		if len(m) < nl.SizeofGenlmsg {
			continue
		}
		list, err := nl.ParseRouteAttr(m[nl.SizeofGenlmsg:])
		if err != nil {
			return nil, fmt.Errorf("understand the answer: %w", err)
		}
		a := attributes{}
		for _, item := range list {
			a[item.Attr.Type&nl.NLA_TYPE_MASK] = item.Value
		}
		all = append(all, a)
	}
	return all, nil
}

// askNetdev asks the family "netdev" about the interface with that index.
func (h *Handle) askNetdev(command uint8, flags int, attribute, index int) ([]attributes, error) {
	name := nl.NewRtAttr(nl.GENL_CTRL_ATTR_FAMILY_NAME, nl.ZeroTerminated(netdevFamily))
	families, err := h.generic(nl.GENL_ID_CTRL, nl.GENL_CTRL_CMD_GETFAMILY, 0, name)
	if err != nil || len(families) != 1 || len(families[0][nl.GENL_CTRL_ATTR_FAMILY_ID]) < 2 {
		return nil, fmt.Errorf("kernels from 6.3 on say, this one does not")
	}
	id := binary.NativeEndian.Uint16(families[0][nl.GENL_CTRL_ATTR_FAMILY_ID])
	return h.generic(id, command, flags, nl.NewRtAttr(attribute, nl.Uint32Attr(uint32(index))))
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
