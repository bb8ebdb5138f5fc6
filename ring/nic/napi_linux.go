package nic

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

const wayNetlink = "netlink"

// napis is the site of an interface's NAPIs, one by one.
type napis struct {
	h     *Handle
	index int
}

func (n *napis) way() string { return wayNetlink }

func (n *napis) read() (map[uint32]Timing, error) {
	n.h.mu.Lock()
	defer n.h.mu.Unlock()
	all := map[uint32]Timing{}
	err := n.h.generic.ask(n.h.netdev, netdevNAPIGet, unix.NLM_F_DUMP,
		attribute(netdevNAPIIndex, nl.Uint32Attr(uint32(n.index))), func(answer []byte) {
			if id, t, ok := parseNAPI(answer); ok {
				all[id] = t
			}
		})
	if gone(err) {
		err = ErrMissing
	}
	if err != nil {
		return nil, fmt.Errorf("list NAPIs of interface %d: %w", n.index, err)
	}
	return all, nil
}

func (n *napis) write(id uint32, t Timing) error {
	n.h.mu.Lock()
	defer n.h.mu.Unlock()
	err := n.h.generic.ask(n.h.netdev, netdevNAPISet, unix.NLM_F_ACK, slices.Concat(
		attribute(netdevNAPINumber, nl.Uint32Attr(id)),
		attribute(netdevNAPIDefer, nl.Uint32Attr(t.Defer)),
		attribute(netdevNAPIFlush, nl.Uint64Attr(uint64(t.Flush)))), nil)
	if gone(err) {
		err = ErrMissing
	}
	if err != nil {
		return fmt.Errorf("set NAPI %d of interface %d: %w", id, n.index, err)
	}
	return nil
}

// parseNAPI reads one answer to a dump: the NAPI's id and timing. It is not ok for a kernel before
// 6.13, which has no timing for each.
func parseNAPI(message []byte) (id uint32, t Timing, ok bool) {
	seen := 0
	native := binary.NativeEndian
	eachAttribute(message[min(genericHeader, len(message)):], func(kind uint16, value []byte) {
		switch {
		case kind == netdevNAPINumber && len(value) == 4:
			id = native.Uint32(value)
			seen++
		case kind == netdevNAPIDefer && len(value) == 4:
			t.Defer = native.Uint32(value)
			seen++
		case kind == netdevNAPIFlush && len(value) == 4:
			t.Flush = time.Duration(native.Uint32(value))
			seen++
		case kind == netdevNAPIFlush && len(value) == 8:
			t.Flush = time.Duration(native.Uint64(value))
			seen++
		}
	})
	return id, t, seen == 3
}
