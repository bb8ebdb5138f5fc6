package doctor

import (
	"strings"
	"testing"

	"weir/control/host"
	"weir/ring/nic"
)

// TestCheck changes one thing about the good server, and looks at one check.
func TestCheck(t *testing.T) {
	machine := machines(t)
	f := func(id string, change func(f *Facts), state State, found string) {
		t.Helper()
		facts := machine("server")
		change(facts)
		for _, c := range Examine(facts) {
			if c.ID != id {
				continue
			}
			if c.State != state || !strings.Contains(c.Found, found) ||
				(state == Warn || state == Fail) != (c.Fix != "") {
				t.Errorf("%s: %s %q, want %s %q; fix %q", id, c.State, c.Found, state, found, c.Fix)
			}
			return
		}
		t.Errorf("no check %s", id)
	}
	kernel := func(major, minor int) func(*Facts) {
		return func(f *Facts) { f.Host.Kernel.Major, f.Host.Kernel.Minor = major, minor }
	}
	f("kernel.version", kernel(5, 8), Fail, "6.12")
	f("kernel.version", kernel(5, 10), Warn, "")
	f("kernel.version", kernel(5, 11), OK, "")
	f("clock.sync", func(f *Facts) { f.Host.Clock.Known = false }, Skip, "")
	f("clock.sync", func(f *Facts) { f.Host.Clock.Synchronized = false }, Warn, "though chronyd")

	cores := func(c ...int) func(*Facts) { return func(f *Facts) { f.Plan.Mirrors[0].Cores = c } }
	f("cpu.cores", cores(2, 3, 4, 99), Fail, "not there: 99")
	f("cpu.cores", cores(2, 3, 4, 6), Warn, "several workers: 6")
	f("cpu.cores", func(f *Facts) { f.Host.Allowed = []int{0, 1, 2, 3, 4} }, Fail, "5-6")
	f("cpu.count", func(f *Facts) { f.Host.Allowed = []int{0, 1, 2, 3, 4, 5} }, Warn, "6 ×")
	f("cpu.isolated", cores(1, 3, 4, 5), Warn, "not isolated: 1")
	f("cpu.isolated", func(f *Facts) { f.Host.NoHzFull = []int{2, 3} }, Warn, "tick: 4-6")
	f("cpu.smt", cores(2, 18, 4, 5), Warn, "workers on both 2 and 18")
	f("cpu.smt", cores(1, 3, 4, 5), Warn, "anything may run on 17, beside 1")
	f("cpu.smt", func(f *Facts) {
		for i := range f.Host.CPUs {
			f.Host.CPUs[i].Siblings = nil
		}
	}, Skip, "")
	f("cpu.governor", func(f *Facts) { f.Host.CPUs[9].Governor = "powersave" }, OK, "")
	f("cpu.governor", func(f *Facts) { f.Host.CPUs[3].Governor = "schedutil" }, Warn,
		"schedutil on 3")
	f("cpu.idle", func(f *Facts) { f.Host.CPUs[4].Idle[2].Disabled = false }, Warn, "C6 takes 170")
	f("cpu.steal", func(f *Facts) { f.Spent.All = host.CPUTime{Total: 100, Steal: 1} }, Warn,
		"1.0 % now")
	f("cpu.steal", func(f *Facts) { f.Spent.All = host.CPUTime{Total: 1000, Steal: 9} }, OK, "")
	f("irq.balance", func(f *Facts) { f.Host.Programs = []string{"irqbalance"} }, Warn, "running")

	f("memory.hugepages", func(f *Facts) { f.Host.Nodes[0].Pools[0].Total = 31 }, Warn, "31")
	f("memory.hugepages", func(f *Facts) { f.Host.Nodes[1].Pools[0].Total = 0 }, OK, "") // far
	f("memory.transparent", func(f *Facts) { f.Host.HugePages = "never" }, Warn, "never")
	limits := func(hard uint64) func(*Facts) {
		return func(f *Facts) {
			f.Host.Limits.MemlockHard = hard
			f.Host.Capability = 1<<capNetRaw | 1<<capNetAdmin | 1<<capBPF
		}
	}
	f("limits.memlock", limits(128<<20), OK, "128 MiB")
	f("limits.memlock", limits(64<<20), Warn, "64 MiB")
	f("limits.memlock", func(f *Facts) { f.Host.Capability = 0 }, Skip, "in this shell")
	f("process.capabilities", func(f *Facts) { f.Host.Capability = 0 }, Skip, "")
	f("memory.hugepages", func(f *Facts) { f.Plan.Mirrors = nil }, Skip, "nothing is captured")
	driver := func(name string, major, minor int) func(*Facts) {
		return func(f *Facts) {
			f.NICs[0].Driver = name
			kernel(major, minor)(f)
		}
	}
	f("nic.driver", driver("ixgbe", 6, 14), Warn, "stuck")
	f("nic.driver", driver("ice", 6, 10), Fail, "crash")
	f("nic.driver", driver("ice", 6, 11), OK, "ice")
	f("nic.driver", driver("mlx5_core", 6, 0), Warn, "numbers above")
	f("bpf.jit", func(f *Facts) { f.Host.Sysctl["net.core.bpf_jit_enable"] = "0" }, Warn, "0")
	f("bpf.jit", func(f *Facts) { delete(f.Host.Sysctl, "net.core.bpf_jit_enable") }, Skip, "")
	f("kernel.numa-balancing", func(f *Facts) { f.Host.Sysctl["kernel.numa_balancing"] = "1" },
		Warn, "1")
}

// TestCheck_NIC changes one thing about the good server's interface or what is planned of it.
func TestCheck_NIC(t *testing.T) {
	machine := machines(t)
	f := func(id string, change func(n *NIC, m *Mirror), state State, found string) {
		t.Helper()
		facts := machine("server")
		change(&facts.NICs[0], &facts.Plan.Mirrors[0])
		for _, c := range Examine(facts) {
			if c.ID != id {
				continue
			}
			if c.State != state || !strings.Contains(c.Found, found) ||
				(state == Warn || state == Fail) != (c.Fix != "") {
				t.Errorf("%s: %s %q, want %s %q; fix %q", id, c.State, c.Found, state, found, c.Fix)
			}
			return
		}
		t.Errorf("no check %s", id)
	}
	unplanned := func(change func(n *NIC)) func(*NIC, *Mirror) {
		return func(n *NIC, m *Mirror) {
			m.Interface, n.Named = "other", true
			change(n)
		}
	}
	route := func(n *NIC) { n.Default = true }
	f("nic.link", func(n *NIC, _ *Mirror) { n.Err = "there is no such interface" }, Fail, "no such")
	f("nic.link", func(n *NIC, _ *Mirror) { n.Running = false }, Fail, "carrier")
	f("nic.link", unplanned(func(n *NIC) { n.Running = false }), Warn, "carrier")
	f("nic.link", unplanned(func(n *NIC) { n.Err = "there is no such interface" }), Fail, "no such")
	f("nic.link", unplanned(func(n *NIC) { n.Err, n.Named = "not told", false }), Warn, "not told")
	f("nic.management", func(n *NIC, _ *Mirror) { route(n) }, Fail, "default route")
	f("nic.management", func(n *NIC, m *Mirror) { route(n); m.Force = true }, Warn, "force")
	f("nic.management", func(n *NIC, m *Mirror) { route(n); m.AFXDP = false }, OK, "AF_PACKET")
	f("nic.management", func(n *NIC, _ *Mirror) { n.Address = true }, Warn, "an IP address")
	f("nic.management", unplanned(route), Warn, "default route")
	f("nic.management", unplanned(func(n *NIC) { route(n); n.Named = false }), Skip, "")
	f("nic.driver", func(n *NIC, _ *Mirror) { n.Kind = "bond" }, Fail, "bond")
	f("nic.driver", func(n *NIC, _ *Mirror) { n.Driver = "ixgbe" }, OK, "trained anew")
	f("nic.driver", func(n *NIC, _ *Mirror) { n.Driver = "" }, Skip, "")
	f("nic.xdp", func(n *NIC, _ *Mirror) { n.XDP.ZeroCopy = false }, Warn, "no zero-copy")
	f("nic.xdp", func(n *NIC, _ *Mirror) { n.XDP = nic.XDP{} }, Warn, "generic")
	f("nic.xdp", func(n *NIC, m *Mirror) { n.XDP, m.ZeroCopy = nic.XDP{}, "required" }, Fail, "")
	f("nic.xdp", func(n *NIC, m *Mirror) { m.ZeroCopy = "off" }, Skip, "off")
	untold := func(driver string) func(n *NIC, m *Mirror) {
		return func(n *NIC, m *Mirror) {
			n.Driver, n.Missing["xdp"] = driver, "not told"
		}
	}
	f("nic.xdp", untold("ice"), OK, "since 5.5")
	f("nic.xdp", untold("idpf"), Warn, "from 6.18 on")
	f("nic.xdp", untold("veth"), Warn, "has no zero-copy")
	f("nic.xdp", untold("newest"), Skip, "not told")
	f("nic.program", func(n *NIC, _ *Mirror) { n.Attached = Attached{true, 3, "other"} }, Fail, "3")
	f("nic.program", func(n *NIC, _ *Mirror) { n.Attached = Attached{true, 3, ""} }, Warn, "3")
	f("nic.program", func(n *NIC, _ *Mirror) { n.Attached = Attached{true, 3, "weir_mirror"} }, OK,
		"")
	f("nic.program", func(n *NIC, _ *Mirror) { n.Attached = Attached{} }, Skip, "")
	proof := func(p Proof) func(*NIC, *Mirror) { return func(n *NIC, _ *Mirror) { n.Proof = &p } }
	f("nic.proof", proof(Proof{Mode: "zerocopy"}), OK, "queue 0")
	f("nic.proof", proof(Proof{Mode: "copy", Reason: "EOPNOTSUPP"}), Warn, "EOPNOTSUPP")
	f("nic.proof", func(n *NIC, m *Mirror) {
		n.Proof, m.ZeroCopy = &Proof{Mode: "copy"}, "off"
	}, OK, "off in the configuration")
	f("nic.proof", func(n *NIC, _ *Mirror) {
		n.Proof, n.XDP.ZeroCopy = &Proof{Mode: "copy", Reason: "EOPNOTSUPP"}, false
	}, Warn, "EOPNOTSUPP")
	f("nic.xdp", func(n *NIC, _ *Mirror) {
		n.Proof, n.XDP.ZeroCopy = &Proof{Mode: "copy"}, false
	}, Warn, "no zero-copy")
	f("nic.proof", proof(Proof{Err: "EBUSY"}), Fail, "EBUSY")
	f("nic.proof", proof(Proof{Skipped: "no rights"}), Skip, "no rights")
	mtu := func(mtu int, sg bool, driver string) func(*NIC, *Mirror) {
		return func(n *NIC, _ *Mirror) { n.MTU, n.XDP.RXSG, n.Driver = mtu, sg, driver }
	}
	f("nic.mtu", mtu(9000, true, "ice"), OK, "9000")
	f("nic.mtu", mtu(9000, false, "ice"), Fail, "ice takes 3046")
	f("nic.mtu", mtu(3000, false, "ice"), OK, "")
	f("nic.mtu", mtu(3000, false, "newest"), Warn, "")
	f("nic.mtu", func(n *NIC, m *Mirror) {
		n.MTU, n.XDP.RXSG, m.AFXDP = 9000, false, false
	}, OK, "")
	offload := func(name string, o nic.Offload) func(*NIC, *Mirror) {
		return func(n *NIC, _ *Mirror) { n.Offloads[name] = o }
	}
	f("nic.lro", offload(nic.LRO, nic.Offload{On: true}), Warn, "on")
	f("nic.lro", offload(nic.LRO, nic.Offload{On: true, Fixed: true}), Skip, "")
	f("nic.vlan", offload(nic.RXVLAN, nic.Offload{On: true}), Warn, "on")
	f("nic.vlan", func(n *NIC, m *Mirror) {
		n.Offloads[nic.RXVLAN], m.AFXDP = nic.Offload{On: true}, false
	}, OK, "counts the tag")
	f("nic.gro", func(n *NIC, m *Mirror) { m.AFXDP = false }, Warn, "on")
}
