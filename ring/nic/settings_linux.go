package nic

import (
	"fmt"
	"slices"

	"github.com/safchain/ethtool"
)

// The settings of an interface. Each needs CAP_NET_ADMIN in the interface's namespace, changes
// nothing else as far as the driver lets it, and may take the link down for seconds on hardware.
// Errors are ErrMissing, ErrUnsupported, ErrRefused or the kernel's own. A driver may have rounded
// what it was told: ask Facts.

// SetChannels sets the numbers of queues; the maxima are not looked at.
func (h *Handle) SetChannels(name string, c Channels) error {
	now, err := h.ethtool.GetChannels(name)
	if err == nil {
		now.RxCount, now.TxCount = uint32(c.RX), uint32(c.TX)
		now.CombinedCount = uint32(c.Combined)
		_, err = h.ethtool.SetChannels(name, now)
	}
	return setting(err, "channels", name)
}

// SetRings sets how many frames the receive rings hold; 0 leaves the transmit rings.
func (h *Handle) SetRings(name string, rx, tx int) error {
	now, err := h.ethtool.GetRing(name)
	if err == nil {
		now.RxPending = uint32(rx)
		if tx > 0 {
			now.TxPending = uint32(tx)
		}
		_, err = h.ethtool.SetRing(name, now)
	}
	return setting(err, "rings", name)
}

// SetOffload switches an offload, named as the kernel does.
func (h *Handle) SetOffload(name, offload string, on bool) error {
	return setting(h.ethtool.Change(name, map[string]bool{offload: on}), offload, name)
}

// SetPause sets what becomes of pause frames.
func (h *Handle) SetPause(name string, p Pause) error {
	set := ethtool.Pause{
		Autoneg: bit(p.Autonegotiate), RxPause: bit(p.RX), TxPause: bit(p.TX),
	}
	_, err := h.ethtool.SetPause(name, set)
	return setting(err, "pause frames", name)
}

func bit(on bool) uint32 {
	if on {
		return 1
	}
	return 0
}

// SetTable sets the indirection table, as long as Facts has it; an empty one restores the driver's
// own.
func (h *Handle) SetTable(name string, table []int) error {
	if table == nil {
		table = []int{}
	}
	return setting(h.writeRSS(name, table, nil), "the indirection table", name)
}

// SetKey sets the key of the hash, as long as Facts has it.
func (h *Handle) SetKey(name string, key []byte) error {
	return setting(h.writeRSS(name, nil, key), "the hash key", name)
}

// SetHash sets what is hashed of the packets of a flow type.
func (h *Handle) SetHash(name string, f FlowType, fields Fields) error {
	return setting(h.writeHash(name, f, fields), "the hash fields of "+string(f), name)
}

// Steer sends the UDP datagrams (f is UDP4 or UDP6) to a port to a queue, instead of wherever they
// were sent before. A fragmented datagram's later fragments have no port and are not found.
func (h *Handle) Steer(name string, f FlowType, port uint16, queue int) error {
	what := fmt.Sprintf("a rule for %s port %d", f, port)
	if f != UDP4 && f != UDP6 {
		return setting(ErrUnsupported, what, name)
	}
	if err := h.Unsteer(name, f, port); err != nil {
		return err
	}
	return setting(h.insertRule(name, f, port, queue), what, name)
}

// Unsteer removes all rules for a UDP port; that there is none is no error.
func (h *Handle) Unsteer(name string, f FlowType, port uint16) error {
	rules, err := h.readRules(name)
	for _, r := range slices.Backward(rules) {
		if err == nil && !r.Other && r.Flow == f && r.Port == port {
			err = h.deleteRule(name, r.Location)
		}
	}
	return setting(err, fmt.Sprintf("a rule for %s port %d", f, port), name)
}

// setting says what could not be set.
func setting(err error, what, name string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("set %s of %s: %w", what, name, meaning(err))
}
