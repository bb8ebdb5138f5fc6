package tune

import (
	"fmt"
	"slices"
	"strconv"

	"weir/ring/nic"
)

// Ring sizes, frames: up to 10 Gbit/s, and above. Larger ones outgrow the processor's cache.
const (
	ringSize     = 4096
	fastRingSize = 8192
	fastLink     = 10_000 // Mbit/s
)

// step adds a step unless the setting has that value.
func (p *planner) step(x *nic.Facts, s Setting, found, want, what, why string) {
	if x != nil {
		s.Interface = x.Name
	}
	if found == want || slices.Contains(p.wish.Skip, s.Kind) {
		return
	}
	undo := s.command(x, found)
	if s.Kind == Affinity && found == "" {
		undo = "# goes with the queue"
	}
	p.plan.Steps = append(p.plan.Steps, Step{
		Setting: s, What: what, Why: why, Found: found, Want: want,
		Command: s.command(x, want), Undo: undo,
	})
}

func (p *planner) note(command, what, why string) {
	p.plan.Advice = append(p.plan.Advice, Advice{what, why, command})
}

func (p *planner) interfaceSteps(x *nic.Facts, l *Layout) {
	collects := p.collects(x)
	if collects && len(l.FlowQueues) == 0 {
		p.note("", fmt.Sprintf("%s: flow exports are not steered", x.Name),
			"the driver has no steering rules, or there are too few queues or cores")
		return
	}
	if !collects {
		p.offloadSteps(x)
	}
	p.queueSteps(x, l)
	p.ringStep(x)
	if !collects {
		p.pauseStep(x)
		p.hashSteps(x, l)
	}
	p.steerSteps(x, l)
	p.affinitySteps(x, l)
}

// offloadSteps switch off what makes frames other than they were on the wire.
func (p *planner) offloadSteps(x *nic.Facts) {
	for _, o := range []struct{ name, what, why string }{
		{
			nic.LRO, "large receive offload off",
			"it merges packets: fewer and larger ones would be counted, and XDP refuses it",
		},
		{
			nic.GROHW, "hardware GRO off",
			"it merges packets before XDP sees them",
		},
		{
			nic.GRO, "generic receive offload off",
			"frames that the kernel keeps are merged at the cost of the cores that receive",
		},
		{
			nic.RXVLAN, "VLAN tag stripping off",
			"the tag would be cut out of the frame, and AF_XDP does not hand it over",
		},
	} {
		state, ok := x.Offloads[o.name]
		if !ok || !state.On {
			continue
		}
		if state.Fixed {
			if o.name != nic.GROHW { // virtio_net has it fixed, and XDP switches it off itself
				p.note("", x.Name+": "+o.what+" is not possible, the driver has it fixed", o.why)
			}
			continue
		}
		p.step(x, Setting{Kind: Offload, Name: o.name}, "on", "off", o.what, o.why)
	}
}

// queueSteps set the number of queues and the table that spreads packets over them. The table
// comes first where queues go: the kernel refuses to take away one that the table names. The way
// back is the reverse, and valid for the same reason.
func (p *planner) queueSteps(x *nic.Facts, l *Layout) {
	n := len(l.Queues) + len(l.FlowQueues)
	channels := func() { p.channelStep(x, n) }
	table := func() { p.tableStep(x, l) }
	if n < x.RXQueues {
		table()
		channels()
		return
	}
	channels()
	table()
}

func (p *planner) channelStep(x *nic.Facts, n int) {
	if x.Missing["channels"] != "" || n == x.RXQueues {
		return
	}
	found, want := x.Channels, x.Channels
	if found.MaxCombined > 0 {
		want.Combined, want.RX = n, 0
	} else {
		want.RX = n
	}
	p.step(x, Setting{Kind: Channels}, formatChannels(found), formatChannels(want),
		plural(n, "receive queue"),
		"one queue for each core that receives, no more: a queue without a core of its own is "+
			"served by whoever is interrupted")
}

func (p *planner) tableStep(x *nic.Facts, l *Layout) {
	if len(x.RSS.Table) == 0 || len(l.Queues) == 0 {
		return
	}
	why := "every queue gets its share"
	if len(l.FlowQueues) > 0 {
		why = "what is not a flow export stays off the queues of flow exports"
	}
	p.step(x, Setting{Kind: Table}, formatTable(x.RSS.Table),
		fmt.Sprintf("equal %d", len(l.Queues)),
		"packets spread over "+plural(len(l.Queues), "queue"), why)
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (p *planner) ringStep(x *nic.Facts) {
	want := ringSize
	if x.Speed > fastLink {
		want = fastRingSize
	}
	want = min(want, x.Rings.MaxRX)
	if x.Rings.RX >= want {
		return
	}
	p.step(x, Setting{Kind: Ring, Name: "rx"}, strconv.Itoa(x.Rings.RX), strconv.Itoa(want),
		fmt.Sprintf("receive rings of %d frames", want),
		"they bridge the moments in which a core does something else; more would outgrow its cache")
}

func (p *planner) pauseStep(x *nic.Facts) {
	if x.Missing["pause"] != "" || !x.Pause.TX {
		return
	}
	want := x.Pause
	want.Autonegotiate, want.TX = false, false
	p.step(x, Setting{Kind: Pause}, formatPause(x.Pause), formatPause(want), "no pause frames sent",
		"a mirror that is told to pause loses packets in the switch, where nobody counts them")
}

// hashSteps choose key and fields of the hash.
func (p *planner) hashSteps(x *nic.Facts, l *Layout) {
	if p.wish.Hash == KeepHash || len(l.Queues) < 2 {
		return
	}
	switch f := x.RSS.Function; {
	case len(x.RSS.Key) == 0:
	case f != "" && f != "toeplitz":
		p.note(fmt.Sprintf("ethtool -X %s hfunc toeplitz", x.Name),
			fmt.Sprintf("%s hashes by %s", x.Name, f), "the symmetric key is for toeplitz")
	default:
		key := make([]byte, len(x.RSS.Key))
		for i := range key {
			key[i] = [2]byte{0x6d, 0x5a}[i%2]
		}
		p.step(x, Setting{Kind: Key}, formatKey(x.RSS.Key), formatKey(key), "a symmetric hash key",
			"both directions of a connection come to one queue: one core sees all of it, and "+
				"counts its flow once")
	}
	for _, flow := range nic.FlowTypes() {
		found, ok := x.Hash[flow]
		if !ok {
			continue
		}
		want, why := nic.Flows, "connections of one pair of hosts are spread over queues"
		if udp := flow == nic.UDP4 || flow == nic.UDP6; udp && p.wish.Hash == Fragments {
			want = nic.Hosts
			why = "later fragments have no ports: with ports in the hash, a datagram's first " +
				"fragment and the others, as of DNS and CLDAP reflection, come to different queues"
		}
		p.step(x, Setting{Kind: HashOf, Name: string(flow)}, string(found), string(want),
			fmt.Sprintf("%s hashed by %s", flow, want), why)
	}
}

// steerSteps send the ports of flow exports to their queues.
func (p *planner) steerSteps(x *nic.Facts, l *Layout) {
	if len(l.FlowQueues) == 0 {
		return
	}
	if o, ok := x.Offloads[nic.NTuple]; ok && !o.On && !o.Fixed {
		p.step(x, Setting{Kind: Offload, Name: nic.NTuple}, "off", "on", "steering rules on",
			"without them the rules below are not heeded")
	}
	for i, port := range p.wish.FlowPorts {
		queue := l.FlowQueues[i%len(l.FlowQueues)]
		for _, flow := range []nic.FlowType{nic.UDP4, nic.UDP6} {
			found := ""
			at := slices.IndexFunc(x.Rules, func(r nic.Rule) bool {
				return !r.Other && r.Flow == flow && r.Port == port
			})
			if at >= 0 {
				found = strconv.Itoa(x.Rules[at].Queue)
			}
			p.step(x, Setting{Kind: Steer, Name: ruleName(flow, port)}, found, strconv.Itoa(queue),
				fmt.Sprintf("%s port %d to queue %d", flow, port, queue),
				"flow exports are taken on the core that counts them, and a flood of other "+
					"traffic does not push them out")
		}
	}
}

// affinitySteps send the queues' interrupts to their cores.
func (p *planner) affinitySteps(x *nic.Facts, l *Layout) {
	why := "the kernel's half of a queue runs where the interrupt does: on a core of its own, " +
		"near the network card"
	if slices.Equal(l.IRQ, l.Cores) {
		why = "the kernel's half of a queue runs where the interrupt does: on the core that " +
			"counts its packets, which polls it while busy"
	}
	queues, cores := l.Queues[:min(len(l.Queues), len(l.IRQ))], l.IRQ
	if len(l.FlowQueues) > 0 && len(x.IRQs) > 0 {
		queues, cores = l.FlowQueues, l.FlowCores
		why = "flow exports come up on the core that counts them"
	}
	for i, queue := range queues {
		found := "" // of a queue that is still to come
		at := slices.IndexFunc(x.IRQs, func(q nic.IRQ) bool { return q.Queue == queue })
		if at >= 0 {
			if irq := p.facts.Host.IRQ(x.IRQs[at].Number); irq != nil {
				found = list(irq.Affinity...)
			}
		}
		p.step(x, Setting{Kind: Affinity, Name: strconv.Itoa(queue)}, found, list(cores[i]),
			fmt.Sprintf("the interrupt of queue %d on CPU %d", queue, cores[i]), why)
	}
}
