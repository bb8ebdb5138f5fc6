package wire

import (
	"fmt"

	"github.com/safchain/ethtool"
	"github.com/vishvananda/netlink"
)

// queues returns how many transmit queues an interface uses.
func queues(name string) (int, error) {
	if e, err := ethtool.NewEthtool(); err == nil {
		defer e.Close()
		if c, err := e.GetChannels(name); err == nil && c.TxCount+c.CombinedCount > 0 {
			return int(c.TxCount + c.CombinedCount), nil
		}
	}
	i, err := netlink.LinkByName(name)
	if err != nil {
		return 0, fmt.Errorf("find interface %s: %w", name, err)
	}
	return max(1, i.Attrs().NumTxQueues), nil
}

// counters returns what an interface counts.
func counters(name string) (c Counters, err error) {
	i, err := netlink.LinkByName(name)
	if err != nil {
		return c, fmt.Errorf("find interface %s: %w", name, err)
	}
	if s := i.Attrs().Statistics; s != nil {
		c = Counters{s.TxPackets, s.TxBytes, s.TxDropped, s.TxErrors}
	}
	return c, nil
}
