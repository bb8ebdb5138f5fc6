package nic

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
)

// Program returns the number of the XDP program that is attached to the interface of that name; 0:
// there is none. It takes no privilege.
func (h *Handle) Program(name string) (uint32, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	link, err := h.route.LinkByName(name)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return 0, fmt.Errorf("find interface %s: %w", name, ErrMissing)
	}
	if err != nil {
		return 0, fmt.Errorf("find interface %s: %w", name, err)
	}
	xdp := link.Attrs().Xdp
	if xdp == nil || !xdp.Attached {
		return 0, nil
	}
	return xdp.ProgId, nil
}
