package tune

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"weir/control/host"
	"weir/ring/nic"
)

// server returns a machine of sockets × cores × threads, whose CPUs are numbered as Intel's are:
// first threads of all cores, socket after socket, then second threads.
func server(sockets, cores, threads int) *host.Facts {
	h := &host.Facts{HugePages: "madvise", Sysctl: map[string]string{
		"net.core.rmem_max": "212992", "vm.nr_hugepages": "0",
	}}
	all := sockets * cores
	for id := range all * threads {
		core := id % all
		c := host.CPU{ID: id, Core: core % cores, Package: core / cores, Node: core / cores}
		for thread := range threads {
			c.Siblings = append(c.Siblings, core+thread*all)
		}
		h.CPUs = append(h.CPUs, c)
	}
	for s := range sockets {
		n := host.Node{ID: s, Pools: []host.Pool{{Size: hugePage}, {Size: 1 << 30}}}
		for _, c := range h.CPUs {
			if c.Node == s {
				n.CPUs = append(n.CPUs, c.ID)
			}
		}
		h.Nodes = append(h.Nodes, n)
	}
	return h
}

// card returns a network card with a number of queues in use, all of them, and their interrupts,
// which it adds to the machine from number irq on.
func card(h *host.Facts, name, driver string, speed, node, queues, irq int, form string) nic.Facts {
	x := nic.Facts{
		Interface: nic.Interface{Name: name, RXQueues: queues, Kind: "device"},
		Driver:    driver, Speed: speed, NUMANode: node, Bus: "0000:3b:00.0",
		Channels: nic.Channels{Combined: queues, MaxCombined: queues},
		Rings:    nic.Rings{RX: 1024, TX: 1024, MaxRX: 8192, MaxTX: 8192},
		RSS: nic.RSS{
			Table: equalTable(128, max(queues, 1)), Key: make([]byte, 40), Function: "toeplitz",
		},
		Hash: map[nic.FlowType]nic.Fields{
			nic.TCP4: nic.Flows, nic.TCP6: nic.Flows, nic.UDP4: nic.Flows, nic.UDP6: nic.Flows,
		},
		Offloads: map[string]nic.Offload{
			nic.LRO: {}, nic.GRO: {On: true}, nic.RXVLAN: {On: true}, nic.NTuple: {},
		},
		Pause:   nic.Pause{Autonegotiate: true, RX: true, TX: true},
		Missing: map[string]string{},
	}
	for i := range x.RSS.Key {
		x.RSS.Key[i] = byte(7 * i)
	}
	for q := range queues {
		i := nic.IRQ{Queue: q, Number: irq + q, Name: fmt.Sprintf(form, q)}
		x.IRQs = append(x.IRQs, i)
		h.IRQs = append(h.IRQs, host.IRQ{
			Number: i.Number, Name: i.Name, Affinity: spread(h, q, queues),
		})
	}
	return x
}

// spread returns where a driver sends the interrupt of one of n queues, of its own accord.
func spread(h *host.Facts, queue, n int) (cpus []int) {
	for i := range h.CPUs {
		if id := h.CPUs[i].ID; id*n/len(h.CPUs) == queue || n > len(h.CPUs) {
			cpus = append(cpus, id)
		}
	}
	return cpus
}

func missing(x *nic.Facts, what ...string) {
	for _, w := range what {
		x.Missing[w] = nic.ErrUnsupported.Error()
	}
}

// machines are the hosts that plans are tested on, by the golden file's name.
func machines() map[string]func() (*Facts, *Wish) {
	return map[string]func() (*Facts, *Wish){
		"mlx5-100g":   mlx5,
		"ice-flows":   ice,
		"ixgbe":       ixgbe,
		"ixgbe-one":   func() (*Facts, *Wish) { f, w := ixgbe(); w.Cores = OneCore; return f, w },
		"two-mirrors": twoMirrors,
		"virtio":      virtio,
		"veth":        veth,
	}
}

// mlx5 is a 100 Gbit/s card on the second of two sockets of 24 cores with two threads each.
func mlx5() (*Facts, *Wish) {
	h := server(2, 24, 2)
	h.Programs = []string{"irqbalance"}
	x := card(h, "ens3f0", "mlx5_core", 100_000, 1, 63, 200, "mlx5_comp%d@pci:0000:3b:00.0")
	x.Channels.MaxCombined = 63
	x.Offloads[nic.LRO] = nic.Offload{On: true}
	return &Facts{Host: h, Interfaces: []nic.Facts{x}}, &Wish{}
}

// ice has a mirror on one port and flow exports on the other.
func ice() (*Facts, *Wish) {
	h := server(2, 16, 2)
	for i := range h.CPUs {
		h.CPUs[i].Governor = "schedutil"
	}
	mirror := card(h, "eth1", "ice", 25_000, 0, 16, 100, "ice-eth1-TxRx-%d")
	flows := card(h, "eth0", "ice", 25_000, 0, 16, 140, "ice-eth0-TxRx-%d")
	flows.Address = true
	flows.Channels.MaxCombined = 64
	return &Facts{Host: h, Interfaces: []nic.Facts{flows, mirror}},
		&Wish{FlowPorts: []uint16{2055, 6343}}
}

// ixgbe is a 10 Gbit/s card with queues still to come, on one socket without threads.
func ixgbe() (*Facts, *Wish) {
	h := server(1, 8, 1)
	x := card(h, "enp1s0", "ixgbe", 10_000, -1, 1, 30, "enp1s0-TxRx-%d")
	x.Channels.MaxCombined = 63
	x.Rings = nic.Rings{RX: 512, TX: 512, MaxRX: 4096, MaxTX: 4096}
	return &Facts{Host: h, Interfaces: []nic.Facts{x}}, &Wish{}
}

func twoMirrors() (*Facts, *Wish) {
	h := server(2, 8, 2)
	a := card(h, "eth1", "i40e", 40_000, 0, 32, 50, "i40e-eth1-TxRx-%d")
	b := card(h, "eth2", "i40e", 40_000, 1, 32, 90, "i40e-eth2-TxRx-%d")
	return &Facts{Host: h, Interfaces: []nic.Facts{a, b}}, &Wish{}
}

func virtio() (*Facts, *Wish) {
	h := server(1, 2, 1)
	x := card(h, "eth0", "virtio_net", 0, -1, 1, 38, "virtio2-input.%d")
	x.Default = true
	x.RSS, x.Hash, x.Pause = nic.RSS{}, nil, nic.Pause{}
	x.Rings = nic.Rings{RX: 256, MaxRX: 256}
	x.Offloads = map[string]nic.Offload{
		nic.GRO: {On: true}, nic.GROHW: {On: true, Fixed: true}, nic.LRO: {Fixed: true},
		nic.RXVLAN: {Fixed: true},
	}
	missing(&x, "pause", "rss", "rules", "speed", "hash udp4")
	return &Facts{Host: h, Interfaces: []nic.Facts{x}}, &Wish{Force: true}
}

func veth() (*Facts, *Wish) {
	h := server(1, 4, 1)
	h.HugePages = "never"
	x := card(h, "mirror0", "veth", 10_000, -1, 0, 0, "")
	x.Kind, x.Bus, x.RXQueues = "veth", "", 4
	x.Channels = nic.Channels{RX: 4, TX: 4, MaxRX: 4, MaxTX: 4}
	x.Rings, x.RSS, x.Hash, x.Pause = nic.Rings{}, nic.RSS{}, nil, nic.Pause{}
	x.Offloads = map[string]nic.Offload{nic.GRO: {On: true}, nic.RXVLAN: {On: true}}
	missing(&x, "pause", "rss", "rules", "rings", "irqs", "hash udp4")
	return &Facts{Host: h, Interfaces: []nic.Facts{x}}, &Wish{}
}

// machine is a Machine made of facts, with the kernel's rules of which settings go together. It
// fails at the call of Set with the number of fail, from 1 on.
type machine struct {
	*Facts
	irqOf map[string][]nic.IRQ // of all queues that there could be
	sets  int
	fail  int
	round map[Kind]string // what a driver makes of any value
}

var errFake = errors.New("the driver does not like it")

func newMachine(f *Facts) *machine { return &machine{Facts: f, irqOf: map[string][]nic.IRQ{}} }

func (m *machine) of(name string) *nic.Facts {
	i := slices.IndexFunc(m.Interfaces, func(x nic.Facts) bool { return x.Name == name })
	return &m.Interfaces[i]
}

func (m *machine) Get(s Setting) (string, error) {
	if s.Kind == File {
		return m.file(s.Name, nil), nil
	}
	x := m.of(s.Interface)
	switch s.Kind {
	case Channels:
		return formatChannels(x.Channels), nil
	case Ring:
		return strconv.Itoa(x.Rings.RX), nil
	case Offload:
		return onOff(x.Offloads[s.Name].On), nil
	case Pause:
		return formatPause(x.Pause), nil
	case Table:
		return formatTable(x.RSS.Table), nil
	case Key:
		return formatKey(x.RSS.Key), nil
	case HashOf:
		return string(x.Hash[nic.FlowType(s.Name)]), nil
	case Steer:
		for _, r := range x.Rules {
			if ruleName(r.Flow, r.Port) == s.Name {
				return strconv.Itoa(r.Queue), nil
			}
		}
		return "", nil
	case Affinity:
		for _, irq := range x.IRQs {
			if strconv.Itoa(irq.Queue) == s.Name {
				return list(m.Host.IRQ(irq.Number).Affinity...), nil
			}
		}
	}
	return "", fmt.Errorf("no %s", s)
}

func (m *machine) Set(s Setting, value string) error {
	if m.sets++; m.sets == m.fail {
		return errFake
	}
	if v, ok := m.round[s.Kind]; ok {
		value = v
	}
	if s.Kind == File {
		m.file(s.Name, &value)
		return nil
	}
	x := m.of(s.Interface)
	var err error
	switch s.Kind {
	case Channels:
		return m.setChannels(x, value)
	case Ring:
		x.Rings.RX, err = strconv.Atoi(value)
	case Offload:
		o := x.Offloads[s.Name]
		o.On = value == "on"
		x.Offloads[s.Name] = o
	case Pause:
		x.Pause, err = parsePause(value)
	case Table:
		table, err := parseTable(value, len(x.RSS.Table))
		if err != nil || slices.Max(table) >= x.RXQueues {
			return errors.Join(err, errFake)
		}
		x.RSS.Table = table
	case Key:
		x.RSS.Key, err = parseKey(value)
	case HashOf:
		x.Hash[nic.FlowType(s.Name)] = nic.Fields(value)
	case Steer:
		return m.setRule(x, s.Name, value)
	case Affinity:
		for _, irq := range x.IRQs {
			if strconv.Itoa(irq.Queue) == s.Name {
				m.Host.IRQ(irq.Number).Affinity = host.ParseCPUs(value)
				return nil
			}
		}
		return errFake
	}
	return err
}

// setChannels does as the kernel does: no queue goes that the table names.
func (m *machine) setChannels(x *nic.Facts, value string) error {
	c, err := parseChannels(value)
	if err != nil {
		return err
	}
	n := c.Receive()
	if n > x.Channels.MaxReceive() || len(x.RSS.Table) > 0 && slices.Max(x.RSS.Table) >= n {
		return errFake
	}
	x.Channels.RX, x.Channels.TX, x.Channels.Combined = c.RX, c.TX, c.Combined
	x.RXQueues = n
	if len(x.IRQs) == 0 {
		return nil
	}
	known := m.irqOf[x.Name]
	if len(known) < len(x.IRQs) {
		known = slices.Clone(x.IRQs)
	}
	for q := len(known); q < n; q++ {
		irq := nic.IRQ{
			Queue: q, Number: known[0].Number + q, Name: nameForQueue(known, q),
		}
		known = append(known, irq)
		m.Host.IRQs = append(m.Host.IRQs, host.IRQ{Number: irq.Number})
	}
	m.irqOf[x.Name] = known
	x.IRQs = slices.Clone(known[:n])
	for q := range n { // virtio_net does so
		m.Host.IRQ(known[q].Number).Affinity = spread(m.Host, q, n)
	}
	return nil
}

func (m *machine) setRule(x *nic.Facts, name, value string) error {
	if !x.Offloads[nic.NTuple].On {
		return errFake
	}
	flow, port, err := parseRule(name)
	x.Rules = slices.DeleteFunc(x.Rules, func(r nic.Rule) bool {
		return r.Flow == flow && r.Port == port
	})
	if value == "" || err != nil {
		return err
	}
	queue, err := strconv.Atoi(value)
	x.Rules = append(x.Rules, nic.Rule{Flow: flow, Port: port, Queue: queue})
	return err
}

// file reads and, with a value, writes a file.
func (m *machine) file(name string, value *string) (content string) {
	var node, cpu int
	_, err := fmt.Sscanf(name, "/sys/devices/system/node/node%d/", &node)
	if err == nil || name == sysctlDir+"vm/nr_hugepages" {
		pool := &m.Host.Nodes[node].Pools[0]
		if value != nil {
			used := pool.Total - pool.Free
			pool.Total, _ = strconv.Atoi(*value)
			pool.Free = pool.Total - used
		}
		return strconv.Itoa(pool.Total)
	}
	at := &m.Host.HugePages
	if _, err := fmt.Sscanf(name, "/sys/devices/system/cpu/cpu%d/", &cpu); err == nil {
		at = &m.Host.CPU(cpu).Governor
	}
	if name == rmemMax {
		content = m.Host.Sysctl["net.core.rmem_max"]
		at = &content
		defer func() { m.Host.Sysctl["net.core.rmem_max"] = content }()
	}
	if value != nil {
		*at = *value
	}
	return *at
}

// copyOf copies facts deep enough for a machine to work on.
func copyOf(f *Facts) *Facts {
	h := *f.Host
	h.CPUs, h.IRQs, h.Sysctl = slices.Clone(h.CPUs), slices.Clone(h.IRQs), maps.Clone(h.Sysctl)
	h.Nodes = slices.Clone(h.Nodes)
	for i := range h.Nodes {
		h.Nodes[i].Pools = slices.Clone(h.Nodes[i].Pools)
	}
	c := &Facts{Host: &h, Running: f.Running, Interfaces: slices.Clone(f.Interfaces)}
	for i := range c.Interfaces {
		x := &c.Interfaces[i]
		x.Hash, x.Offloads = maps.Clone(x.Hash), maps.Clone(x.Offloads)
		x.Rules, x.IRQs = slices.Clone(x.Rules), slices.Clone(x.IRQs)
	}
	return c
}
