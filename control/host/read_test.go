package host_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"weir/control/host"
	"weir/control/host/hosttest"
)

func TestRead_VM(t *testing.T) {
	f := host.Read(hosttest.Unpack(t, "vm"))
	same := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	same("kernel", f.Kernel, host.Kernel{Release: "6.18.3-cloud-amd64", Major: 6, Minor: 18})
	same("model", f.Model, "AMD EPYC 9554 64-Core Processor")
	same("virtual", f.Virtual, true)
	same("CPUs", f.CPUs, []host.CPU{
		{ID: 0, Core: 0, Siblings: []int{0}}, {ID: 1, Core: 1, Siblings: []int{1}},
	})
	same("isolated", len(f.Isolated)+len(f.NoHzFull), 0)
	same("allowed", f.Allowed, []int{0, 1})
	same("nodes", f.Nodes, []host.Node{{CPUs: []int{0, 1}, Pools: []host.Pool{{Size: 2 << 20}}}})
	same("IRQs", len(f.IRQs), 8)
	same("IRQ", f.IRQ(29), &host.IRQ{
		Number: 29, Name: "virtio1-input.1", Counts: []uint64{0, 888888},
		Affinity: []int{0, 1}, Effective: []int{1},
	})
	same("device", f.Devices["eth1"], host.Device{Node: -1, IRQs: []int{27, 28, 29, 30, 31}})
	same("programs", f.Programs, []string{"systemd-timesyn"})
	same("sysctl", f.Sysctl["net.core.rmem_max"], "4194304")
	same("pages", f.HugePages, "madvise")
	same("memory", f.Memory, host.Memory{Total: 8148264 << 10, Available: 6500000 << 10})
	same("limits", f.Limits, host.Limits{
		Known: true, Memlock: 8 << 20, MemlockHard: 8 << 20, OpenFiles: 1024,
	})
	same("load", f.Load, 0.42)
	same("times", f.Times.All, host.CPUTime{Total: 100000, Idle: 81000, Steal: 3500})
	same("times", f.Times.Each[1], host.CPUTime{Total: 50000, Idle: 40500, Steal: 1750})
	same("routes", f.DefaultRoutes, []string{"eth0"})
	same("udp", f.UDP, []host.Socket{
		{Local: netip.MustParseAddrPort("0.0.0.0:68"), Inode: 15001},
		{Local: netip.MustParseAddrPort("[::]:2055"), Inode: 20001, Queue: 2560, Drops: 4711},
	})
	same("tcp", f.TCP, []host.Socket{
		{Local: netip.MustParseAddrPort("0.0.0.0:22"), Inode: 14001},
	})
	if f.Can(21) || f.CPU(2) != nil || f.Node(1) != nil || f.IRQ(1) != nil || f.Runs("tuned") {
		t.Error("has what it has not")
	}
}

func TestRead_Server(t *testing.T) {
	f := host.Read(hosttest.Unpack(t, "server"))
	if len(f.CPUs) != 32 || len(f.Nodes) != 2 || f.Virtual {
		t.Fatalf("%+v", f)
	}
	want := host.CPU{
		ID: 2, Core: -1, Package: 0, Node: 0, Siblings: []int{2, 18}, Governor: "performance",
		Idle: []host.Idle{
			{Name: "POLL"}, {Name: "C1", Exit: 2}, {Name: "C6", Exit: 170, Disabled: true},
		},
	}
	if c := f.CPU(2); !reflect.DeepEqual(*c, want) {
		t.Errorf("%+v, want %+v", *c, want)
	}
	pools := []host.Pool{{Size: 2 << 20, Total: 1024, Free: 900}, {Size: 1 << 30}}
	if n := f.Node(1); !slices.Equal(n.Pools, pools) || host.FormatCPUs(n.CPUs) != "8-15,24-31" {
		t.Errorf("%+v", *n)
	}
	if host.FormatCPUs(f.Isolated) != "2-7,18-23" || !slices.Equal(f.Isolated, f.NoHzFull) {
		t.Error(f.Isolated, f.NoHzFull)
	}
	if !f.Can(21) || f.Limits.Memlock != host.Unlimited || !f.Runs("chronyd") {
		t.Error(f.Capability, f.Limits, f.Programs)
	}
	if irq := f.IRQ(102); irq.Counts[4] != 500000 || irq.Name != "ice-ens1f0-TxRx-2" {
		t.Errorf("%+v", *irq)
	}
}

// TestRead_Failure takes nonsense for what is not known.
func TestRead_Failure(t *testing.T) {
	f := host.Read(hosttest.Unpack(t, "broken"))
	if f.Kernel.Least(5, 11) || !f.Kernel.Least(5, 4) || !f.Kernel.Least(4, 18) {
		t.Error(f.Kernel)
	}
	if f.Isolated != nil || f.NoHzFull != nil || f.Allowed != nil || f.Load != -1 ||
		f.Capability != 0 || f.Memory != (host.Memory{}) || len(f.UDP) != 0 {
		t.Errorf("%+v", f)
	}
	if len(f.IRQs) != 1 || !slices.Equal(f.DefaultRoutes, []string{"eth0"}) {
		t.Error(f.IRQs, f.DefaultRoutes)
	}
	for _, root := range []string{t.TempDir(), "/nonexistent"} {
		f := host.Read(root)
		want := &host.Facts{
			Devices: map[string]host.Device{}, Sysctl: map[string]string{}, Load: -1,
			Times: host.Times{Each: map[int]host.CPUTime{}},
		}
		if !reflect.DeepEqual(f, want) || f.Kernel.Least(1, 0) {
			t.Errorf("%+v", f)
		}
	}
}

// TestRead_Links finds driver and interrupts of a device behind links, as sysfs has them.
func TestRead_Links(t *testing.T) {
	root := t.TempDir()
	hosttest.Put(t, root, "sys/devices/pci0/virtio1/modalias", "virtio")
	hosttest.Put(t, root, "sys/devices/pci0/msi_irqs/7", "msix")
	hosttest.Put(t, root, "sys/devices/pci0/numa_node", "1")
	hosttest.Put(t, root, "sys/drivers/virtio_net/x", "")
	for from, to := range map[string]string{
		"sys/class/net/eth0/device":       "../../../devices/pci0/virtio1",
		"sys/devices/pci0/virtio1/driver": "../../../drivers/virtio_net",
	} {
		hosttest.Put(t, root, filepath.Dir(from)+"/type", "1")
		if err := os.Symlink(to, filepath.Join(root, from)); err != nil {
			t.Fatal(err)
		}
	}
	want := host.Device{Node: 1, Driver: "virtio_net", IRQs: []int{7}}
	if got := host.Read(root).Devices["eth0"]; !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestHere(t *testing.T) {
	if f := host.Here(); f.Kernel.Major > 0 && (len(f.CPUs) == 0 || f.Memory.Total == 0) {
		t.Errorf("%+v", f)
	}
}

func TestCPUs(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "0-3,8": "0-3,8", "8,0-3\n": "0-3,8", "1,2,2-4": "1-4", "": "", "5,7": "5,7",
		"a": "", "3-1": "", "-1": "", "0-": "", "0-999999999": "", "0,,1": "", " 4 ": "4",
	} {
		if got := host.FormatCPUs(host.ParseCPUs(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
