package nic

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"weir/tools/lab"
)

func TestFacts_Success(t *testing.T) {
	l := lab.New(t, lab.Options{Queues: 4})
	h := open(t, l)
	if err := l.AddAddress(lab.Sut, 0, netip.MustParsePrefix("192.0.2.1/24")); err != nil {
		t.Fatal(err)
	}
	f, err := h.Facts("mirror0")
	if err != nil {
		t.Fatal(err)
	}
	if f.Name != "mirror0" || f.Kind != "veth" || f.Driver != "veth" || f.NUMANode != -1 ||
		f.Speed == 0 || !f.Address || f.Default {
		t.Errorf("%+v", f)
	}
	want := Channels{RX: 4, TX: 4, MaxRX: 4, MaxTX: 4}
	if f.Channels != want {
		t.Errorf("%+v, want %+v", f.Channels, want)
	}
	if lro, ok := f.Offloads[LRO]; !ok || !lro.Fixed || lro.On {
		t.Errorf("lro: %+v", lro)
	}
	if vlan, ok := f.Offloads[RXVLAN]; !ok || vlan.Fixed || !vlan.On {
		t.Errorf("rx-vlan: %+v", vlan)
	}
	if _, missing := f.Missing["xdp"]; !missing && (!f.XDP.Basic || f.XDP.ZeroCopy) {
		t.Errorf("%+v", f.XDP)
	}
	for _, what := range []string{"rss", "rules", "rings", "irqs", "hash udp4"} {
		if f.Missing[what] == "" {
			t.Errorf("%s is said to be known", what)
		}
	}
	lo, err := h.Facts("lo")
	if err != nil || lo.Missing["channels"] != ErrUnsupported.Error() || lo.Address != lo.Up {
		t.Errorf("%+v, %v", lo, err)
	}
}

func TestFacts_Failure(t *testing.T) {
	h := open(t, lab.New(t, lab.Options{}))
	if f, err := h.Facts("nosuch0"); !errors.Is(err, ErrMissing) {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestSettings_Success(t *testing.T) {
	h := open(t, lab.New(t, lab.Options{Queues: 4}))
	if err := h.SetChannels("mirror0", Channels{RX: 2, TX: 3}); err != nil {
		t.Error(err)
	}
	for _, offload := range []string{GRO, RXVLAN} {
		for _, on := range []bool{true, false} {
			if err := h.SetOffload("mirror0", offload, on); err != nil {
				t.Error(err)
			}
			if f, err := h.Facts("mirror0"); err != nil || f.Offloads[offload].On != on {
				t.Error(offload, on, f.Offloads, err)
			}
		}
	}
	f, err := h.Facts("mirror0")
	if err != nil || f.Channels.RX != 2 || f.Channels.TX != 3 || f.RXQueues != 2 {
		t.Errorf("%+v, %v", f.Channels, err)
	}
}

func TestSettings_Failure(t *testing.T) {
	h := open(t, lab.New(t, lab.Options{Queues: 2}))
	for what, err := range map[string]error{
		"rings": h.SetRings("mirror0", 512, 0),
		"pause": h.SetPause("mirror0", Pause{}),
		"table": h.SetTable("mirror0", []int{0, 1}),
		"reset": h.SetTable("mirror0", nil),
		"key":   h.SetKey("mirror0", make([]byte, 40)),
		"hash":  h.SetHash("mirror0", UDP4, Hosts),
		"rule":  h.Steer("mirror0", UDP4, 2055, 1),
		"tcp":   h.Steer("mirror0", TCP4, 2055, 1),
	} {
		if !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := h.SetHash("mirror0", UDP4, "sdx"); err == nil || errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
	if err := h.SetChannels("mirror0", Channels{RX: 9, TX: 9}); err == nil {
		t.Error("nine of two queues")
	}
	if err := h.SetRings("nosuch0", 512, 0); !errors.Is(err, ErrMissing) {
		t.Error(err)
	}
	if err := h.SetOffload("mirror0", "rx-nosuch", true); err == nil {
		t.Error("an offload that there is not")
	}
	if err := h.ioctl("a name that is longer than any can be", nil); !errors.Is(err, ErrMissing) {
		t.Error(err)
	}
	if meaning(unix.EPERM) != ErrRefused || meaning(unix.EIO) != unix.EIO || meaning(nil) != nil {
		t.Error("errors have lost their meaning")
	}
}

// TestLayout holds the structures to the sizes and places of include/uapi/linux/ethtool.h.
func TestLayout(t *testing.T) {
	if unsafe.Sizeof(uintptr(0)) != 8 {
		t.Skip("the figures are those of 64-bit machines")
	}
	for what, is := range map[string][2]uintptr{
		"struct ethtool_rxfh":              {unsafe.Sizeof(rss{}), rssHeader},
		"struct ethtool_rx_flow_spec":      {unsafe.Sizeof(spec{}), 168},
		"ring_cookie":                      {unsafe.Offsetof(spec{}.cookie), 152},
		"struct ethtool_rxnfc":             {unsafe.Sizeof(rxnfc{}), 192},
		"ethtool_rxnfc.fs":                 {unsafe.Offsetof(rxnfc{}.spec), 16},
		"ethtool_rxnfc.rule_cnt":           {unsafe.Offsetof(rxnfc{}.count), 184},
		"struct ifreq":                     {unsafe.Sizeof(request{}), 40},
		"ethtool_rxfh.hfunc":               {unsafe.Offsetof(rss{}.function), 16},
		"ethtool_rx_flow_spec.m_u":         {unsafe.Offsetof(spec{}.mask), 76},
		"ethtool_rx_flow_spec.location":    {unsafe.Offsetof(spec{}.location), 160},
		"ethtool_rxfh.key_size":            {unsafe.Offsetof(rss{}.key), 12},
		"ethtool_rxfh.indir_size":          {unsafe.Offsetof(rss{}.table), 8},
		"ethtool_rx_flow_spec.h_u.hdata":   {unsafe.Offsetof(spec{}.value), 4},
		"ethtool_rxnfc.data":               {unsafe.Offsetof(rxnfc{}.data), 8},
		"ethtool_rxnfc.flow_type":          {unsafe.Offsetof(rxnfc{}.flow), 4},
		"ethtool_rx_flow_spec.flow_type":   {unsafe.Offsetof(spec{}.flow), 0},
		"struct ifreq's pointer":           {unsafe.Offsetof(request{}.data), 16},
		"ethtool_rxnfc.rule_locs, as read": {unsafe.Offsetof(rxnfc{}.count) + 4, 188},
	} {
		if is[0] != is[1] {
			t.Errorf("%s: %d, want %d", what, is[0], is[1])
		}
	}
}

func TestFields(t *testing.T) {
	for fields, bits := range map[Fields]uint64{
		"": 0, Hosts: 1<<4 | 1<<5, Flows: 1<<4 | 1<<5 | 1<<6 | 1<<7, "v": 1 << 2,
	} {
		if got, err := fields.bits(); err != nil || got != bits || fieldsOf(bits) != fields {
			t.Errorf("%q: %x, %v; %q", fields, got, err, fieldsOf(bits))
		}
	}
}

func TestRule(t *testing.T) {
	for _, f := range []FlowType{UDP4, UDP6} {
		s := portSpec(f, 2055, 3)
		s.location = 7
		want := Rule{Location: 7, Flow: f, Port: 2055, Queue: 3}
		if got := s.rule(); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		if s.value[f.portAt()] != 8 || binary.BigEndian.Uint16(s.mask[f.portAt():]) != 0xffff {
			t.Errorf("%s: % x, % x", f, s.value, s.mask)
		}
		s.mask[0] = 0xff // a source address too
		if got := s.rule(); !got.Other {
			t.Errorf("%+v", got)
		}
		drop := portSpec(f, 2055, 0)
		drop.cookie = ^uint64(0)
		if got := drop.rule(); !got.Other {
			t.Errorf("%+v", got)
		}
	}
}

func TestFreePlace(t *testing.T) {
	for _, c := range []struct {
		taken []uint32
		size  uint64
		want  uint32
		ok    bool
	}{
		{nil, 8, 7, true},
		{[]uint32{7}, 8, 6, true},
		{[]uint32{0, 1, 2, 3}, 4, 0, false},
		{[]uint32{0, 7}, 8 | placeSpecial, anyPlace, true},
		{nil, 0, 0, false},
	} {
		got, err := freePlace(slices.Clone(c.taken), c.size)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%v of %x: %d, %v", c.taken, c.size, got, err)
		}
	}
}

// unprivileged calls f on a thread without capabilities in effect.
func unprivileged(f func() error) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var all [2]unix.CapUserData
	if err := unix.Capget(&header, &all[0]); err != nil {
		return err
	}
	none := all
	none[0].Effective, none[1].Effective = 0, 0
	if err := unix.Capset(&header, &none[0]); err != nil {
		return err
	}
	return errors.Join(f(), unix.Capset(&header, &all[0]))
}

// TestOpen_Unprivileged: facts take no privilege, settings do.
func TestOpen_Unprivileged(t *testing.T) {
	l := lab.New(t, lab.Options{Queues: 2})
	err := l.Sut().Do(func() error {
		return unprivileged(func() error {
			h, err := Open()
			if err != nil {
				return err
			}
			f, err := h.Facts("mirror0")
			if err != nil || f.Channels.RX != 2 || f.Driver != "veth" {
				t.Errorf("%+v, %v", f, err)
			}
			if i, err := h.Find("lo"); err != nil || !h.births.know(&i) {
				t.Error("what lo had received is not known", err)
			}
			err = h.SetChannels("mirror0", Channels{RX: 1, TX: 2})
			if !errors.Is(err, ErrRefused) {
				t.Error(err)
			}
			return h.Close()
		})
	})
	if err != nil {
		t.Error(err)
	}
}
