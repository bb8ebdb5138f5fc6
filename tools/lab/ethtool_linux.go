package lab

import (
	"errors"
	"fmt"

	"github.com/safchain/ethtool"
	"github.com/vishvananda/netlink"
)

// ethtool calls f with a handle on the namespace's interfaces.
func (n Namespace) ethtool(f func(*ethtool.Ethtool) error) error {
	return n.Do(func() error {
		e, err := ethtool.NewEthtool()
		if err != nil {
			return err
		}
		defer e.Close()
		return f(e)
	})
}

// SetQueues changes how many receive and transmit queues both ends of a link use, at most those
// that it was made with. Generators wait meanwhile: veth takes none of their frames, without a
// trace, while its ends differ. What SendFrames sends then may be lost as well.
func (l *Lab) SetQueues(link, n int) error {
	l.bursts.Lock()
	defer l.bursts.Unlock()
	now, err := l.queues(Sut, link)
	if err != nil {
		return err
	}
	sides := [...]Side{Gen, Sut}
	if n > now { // at no moment more to send than the peer has to receive
		sides = [...]Side{Sut, Gen}
	}
	if err := l.setQueues(sides[0], link, n); err != nil {
		return err
	}
	if err := l.setQueues(sides[1], link, n); err != nil {
		return errors.Join(err, l.setQueues(sides[0], link, now)) // as it was
	}
	return l.ready(link)
}

func (l *Lab) queues(side Side, link int) (n int, err error) {
	err = l.Namespace(side).ethtool(func(e *ethtool.Ethtool) error {
		c, err := e.GetChannels(side.Interface(link))
		n = int(c.RxCount)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("read the queues of %s: %w", side.Interface(link), err)
	}
	return n, nil
}

func (l *Lab) setQueues(side Side, link, n int) error {
	err := l.Namespace(side).ethtool(func(e *ethtool.Ethtool) error {
		c, err := e.GetChannels(side.Interface(link))
		if err != nil {
			return err
		}
		c.RxCount, c.TxCount = uint32(n), uint32(n)
		_, err = e.SetChannels(side.Interface(link), c)
		return err
	})
	if err != nil {
		return fmt.Errorf("set the queues of %s to %d: %w", side.Interface(link), n, err)
	}
	return nil
}

// SetPolled makes Sut's end of a link receive in bursts, as hardware does, without an XDP program:
// a Generator's frames are lost otherwise.
func (l *Lab) SetPolled(link int) error {
	err := l.Sut().ethtool(func(e *ethtool.Ethtool) error {
		return e.Change(Sut.Interface(link), map[string]bool{"rx-gro": true})
	})
	if err != nil {
		return fmt.Errorf("make %s polled: %w", Sut.Interface(link), err)
	}
	return nil
}

// Counters returns the counters of one end of a link: the driver's, e.g. rx_queue_0_xdp_packets,
// rx_queue_0_drops and tx_queue_0_xdp_xmit_errors, and the kernel's, link_rx_packets,
// link_rx_dropped, link_tx_packets and link_tx_dropped.
func (l *Lab) Counters(side Side, link int) (all map[string]uint64, err error) {
	name := side.Interface(link)
	err = l.Namespace(side).ethtool(func(e *ethtool.Ethtool) error {
		if all, err = e.Stats(name); err != nil {
			return err
		}
		i, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		if s := i.Attrs().Statistics; s != nil {
			all["link_rx_packets"], all["link_rx_dropped"] = s.RxPackets, s.RxDropped
			all["link_tx_packets"], all["link_tx_dropped"] = s.TxPackets, s.TxDropped
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the counters of %s: %w", name, err)
	}
	return all, nil
}
