package afxdp

import (
	"errors"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"weir/ring/nic"
	"weir/tools/lab"
)

// master makes an interface in sut that others can be members of, with mirror0 as its first, and
// skips the test where the kernel has none of that kind.
func master(t *testing.T, l *lab.Lab, link netlink.Link) {
	t.Helper()
	inSut(t, l, func(i netlink.Link) error {
		err := netlink.LinkAdd(link)
		if errors.Is(err, unix.EOPNOTSUPP) {
			t.Skipf("this kernel has no %s", link.Type())
		}
		if err != nil {
			return err
		}
		// A bond takes no member that is up.
		return errors.Join(netlink.LinkSetDown(i), netlink.LinkSetMaster(i, link),
			netlink.LinkSetUp(i), netlink.LinkSetUp(link))
	})
}

// TestBond is refused, forced or not: its members receive for it, and the kernel would lose every
// frame that a program sends from there to a socket of the bond.
func TestBond(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		l := lab.New(t, lab.Options{})
		bond := netlink.NewLinkBond(netlink.LinkAttrs{Name: "bond0"})
		bond.Mode = netlink.BOND_MODE_ACTIVE_BACKUP
		master(t, l, bond)
		m, err := openIn(l, Config{Interface: "bond0", Force: true})
		if err == nil {
			_ = m.Close()
		}
		if err == nil || !strings.Contains(err.Error(), "name its members instead") {
			t.Error(err)
		}
	})
	for _, force := range []bool{false, true} {
		m := &Mirror{config: Config{Force: force}}
		err := m.permit(&nic.Interface{Name: "bond0", Kind: "bond"})
		if err == nil || !strings.Contains(err.Error(), "name its members instead") {
			t.Errorf("force %v: %v", force, err)
		}
	}
}

// TestBridge receives from a bridge what its members hand up to the host, in generic mode.
func TestBridge(t *testing.T) {
	l := lab.New(t, lab.Options{})
	mac := lab.MAC()
	attrs := netlink.LinkAttrs{Name: "br0", HardwareAddr: mac[:]}
	master(t, l, &netlink.Bridge{LinkAttrs: attrs})
	eventually(t, "has a link", func() (up bool) {
		err := l.Sut().Do(func() error {
			i, err := netlink.LinkByName("br0")
			up = err == nil && i.Attrs().RawFlags&unix.IFF_RUNNING != 0
			return err
		})
		return err == nil && up
	})
	r := newRig(t, l, Config{Interface: "br0", Promiscuous: true})
	if q := r.mirror.Status().Queues[0]; q.Mode != ModeGeneric {
		t.Errorf("%+v", q)
	}
	const frames = 200
	r.sendFlows(frames)
	eventually(t, "received", func() bool { return r.taken.Load() >= frames })
	if st := r.mirror.Status(); st.State != StateUp || st.Queues[0].Received != frames {
		t.Errorf("%+v", st)
	}
}
