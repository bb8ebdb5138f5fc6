package nic

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"

	"weir/tools/lab"
)

// patience bounds every wait for the kernel.
const patience = 5 * time.Second

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never", what)
		}
	}
}

// open opens a handle on the interfaces of sut, which it keeps whatever thread uses it.
func open(t *testing.T, l *lab.Lab) *Handle {
	t.Helper()
	var h *Handle
	err := l.Sut().Do(func() (err error) { h, err = Open(); return err })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func find(t *testing.T, h *Handle, name string) Interface {
	t.Helper()
	i, err := h.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestFind_Success(t *testing.T) {
	l := lab.New(t, lab.Options{Queues: 4, MTU: 4000})
	h := open(t, l)
	i := find(t, h, "mirror0")
	want := Interface{
		Name: "mirror0", Index: i.Index, MTU: 4000, Up: true, Running: i.Running, RXQueues: 4,
		Kind: "veth", Encapsulation: "ether",
	}
	if i != want || i.Index == 0 {
		t.Errorf("got %+v, want %+v", i, want)
	}
	eventually(t, "up", func() bool { i = find(t, h, "mirror0"); return i.State() == "up" })
	if err := l.SetQueues(0, 3); err != nil || find(t, h, "mirror0").RXQueues != 3 {
		t.Error(err, find(t, h, "mirror0").RXQueues)
	}
	frames := [][]byte{make([]byte, 60), make([]byte, 60)}
	if _, err := l.SendFrames(0, frames); err != nil {
		t.Fatal(err)
	}
	eventually(t, "received", func() bool { return find(t, h, "mirror0").Received == 2 })
	if lo := find(t, h, "lo"); lo.Encapsulation != "loopback" || lo.RXQueues != 1 || !lo.Up {
		t.Errorf("lo: %+v", lo)
	}
	all, err := h.List()
	if err != nil || len(all) < 2 {
		t.Fatal(all, err)
	}
	names := map[string]bool{}
	for i := range all {
		names[all[i].Name] = true
	}
	if !names["lo"] || !names["mirror0"] || names["gen0"] {
		t.Error(names)
	}
}

func TestFind_Failure(t *testing.T) {
	l := lab.New(t, lab.Options{})
	h := open(t, l)
	for _, name := range []string{"gen0", "nosuch0", "a name that is longer than any can be"} {
		if i, err := h.Find(name); !errors.Is(err, ErrMissing) {
			t.Errorf("%s: %+v, %v", name, i, err)
		}
	}
	if err := l.Remove(0); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Find("mirror0"); !errors.Is(err, ErrMissing) {
		t.Error(err)
	}
}

func TestState(t *testing.T) {
	l := lab.New(t, lab.Options{})
	h := open(t, l)
	is := func(state string) func() bool {
		return func() bool { i := find(t, h, "mirror0"); return i.State() == state }
	}
	for _, side := range []lab.Side{lab.Gen, lab.Sut} {
		if err := l.LinkDown(side, 0); err != nil {
			t.Fatal(err)
		}
		eventually(t, "down", is("link_down"))
		if err := l.LinkUp(side, 0); err != nil {
			t.Fatal(err)
		}
		eventually(t, "up", is("up"))
	}
}

// route adds a route by mirror0 in sut.
func route(t *testing.T, l *lab.Lab, prefix string, hops int) {
	t.Helper()
	p := netip.MustParsePrefix(prefix)
	err := l.Sut().Do(func() error {
		i, err := netlink.LinkByName("mirror0")
		if err != nil {
			return err
		}
		r := &netlink.Route{Dst: &net.IPNet{
			IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
		}}
		if hops == 0 {
			r.LinkIndex, r.Scope = i.Attrs().Index, netlink.SCOPE_LINK
		}
		for range hops {
			r.MultiPath = append(r.MultiPath, &netlink.NexthopInfo{LinkIndex: i.Attrs().Index})
		}
		return netlink.RouteAdd(r)
	})
	if err != nil {
		t.Fatal("add route:", err)
	}
}

func TestDefaultRoutes(t *testing.T) {
	for name, c := range map[string]struct {
		prefix string
		hops   int
		want   bool
	}{
		"IPv4":      {"0.0.0.0/0", 0, true},
		"multipath": {"0.0.0.0/0", 1, true},
		"IPv6":      {"::/0", 0, true},
		"half":      {"0.0.0.0/1", 0, false},
		"network":   {"10.0.0.0/8", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := lab.New(t, lab.Options{})
			h := open(t, l)
			if got, err := h.DefaultRoutes(); err != nil || len(got) != 0 {
				t.Fatal(got, err)
			}
			err := errors.Join(
				l.AddAddress(lab.Sut, 0, netip.MustParsePrefix("192.0.2.1/24")),
				l.AddAddress(lab.Sut, 0, netip.MustParsePrefix("2001:db8::1/64")))
			if err != nil {
				t.Fatal(err)
			}
			route(t, l, c.prefix, c.hops)
			got, err := h.DefaultRoutes()
			if err != nil || got["mirror0"] != c.want || len(got) > 1 {
				t.Error(got, err)
			}
		})
	}
}

func TestChanged(t *testing.T) {
	l := lab.New(t, lab.Options{})
	h := open(t, l)
	for _, change := range []func() error{
		func() error { return l.LinkDown(lab.Sut, 0) },
		func() error { return l.LinkUp(lab.Sut, 0) },
		func() error { return l.Replace(0) },
		func() error { return l.SetMTU(0, 1400) },
		func() error { return l.Remove(0) },
	} {
		for quiet := false; !quiet; { // what earlier changes still have to tell
			select {
			case <-h.Changed():
			case <-time.After(100 * time.Millisecond):
				quiet = true
			}
		}
		if err := change(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-h.Changed():
		case <-time.After(patience):
			t.Fatal("no change told")
		}
	}
}

func TestPromiscuous(t *testing.T) {
	l := lab.New(t, lab.Options{})
	h := open(t, l)
	count := func() (n int) {
		err := l.Sut().Do(func() error {
			i, err := netlink.LinkByName("mirror0")
			if err == nil {
				n = i.Attrs().Promisc
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	index := find(t, h, "mirror0").Index
	var members []*Promiscuous
	for n := range 2 {
		err := l.Sut().Do(func() error {
			p, err := NewPromiscuous(index)
			members = append(members, p)
			return err
		})
		if err != nil || count() != n+1 {
			t.Fatal(err, count())
		}
	}
	for n, p := range members {
		if err := p.Close(); err != nil || count() != len(members)-1-n {
			t.Error(err, count())
		}
	}
	err := l.Sut().Do(func() error { _, err := NewPromiscuous(1 << 20); return err })
	if err == nil {
		t.Error("no error for an interface that is not there")
	}
}

// TestClose_Leak leaves no goroutine behind.
func TestClose_Leak(t *testing.T) {
	l := lab.New(t, lab.Options{})
	before := goleak.IgnoreCurrent()
	for range 20 {
		var h *Handle
		err := l.Sut().Do(func() (err error) { h, err = Open(); return err })
		if err != nil {
			t.Fatal(err)
		}
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
	goleak.VerifyNone(t, before)
}

// TestBegan knows what interfaces had counted before they were here, under their name.
func TestBegan(t *testing.T) {
	l := lab.New(t, lab.Options{})
	h := open(t, l)
	send := func(n int) {
		t.Helper()
		before := find(t, h, "mirror0").Received
		if _, err := l.SendFrames(0, slices.Repeat([][]byte{make([]byte, 60)}, n)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "received", func() bool {
			return find(t, h, "mirror0").Received == before+uint64(n)
		})
	}
	began := func(want uint64) {
		t.Helper()
		if i := find(t, h, "mirror0"); i.Began != want {
			t.Errorf("%+v, want %d", i, want)
		}
	}
	change := func(f func(i netlink.Link) error) {
		t.Helper()
		err := l.Sut().Do(func() error {
			i, err := netlink.LinkByName("mirror0")
			if err != nil {
				return err
			}
			return f(i)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	send(3)
	began(0)
	change(func(i netlink.Link) error {
		return errors.Join(netlink.LinkSetDown(i), netlink.LinkSetName(i, "other0"),
			netlink.LinkSetName(i, "mirror0"), netlink.LinkSetUp(i))
	})
	eventually(t, "up", func() bool { i := find(t, h, "mirror0"); return i.State() == "up" })
	send(2)
	eventually(t, "begun anew", func() bool { return find(t, h, "mirror0").Began == 3 })
	if err := l.Replace(0); err != nil {
		t.Fatal(err)
	}
	send(4)
	began(0)
}
