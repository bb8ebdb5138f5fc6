package doctor

import (
	"fmt"
	"slices"
	"strings"

	"weir/control/host"
	"weir/ring/nic"
)

// channels looks at the number of receive queues.
func (e *examination) channels(n *NIC, m *Mirror) {
	c := e.add(Check{
		ID: "nic.queues", Subject: n.Name, Title: "receive queues",
		Wanted: "as many as workers have cores; all of them captured from",
		Why: "a queue takes 7 to 14 Mpps with zero-copy; one that nobody captures from takes its " +
			"part of the traffic to the host",
	})
	if n.RXQueues == 0 {
		c.skip("their number is not told")
		return
	}
	found := fmt.Sprint(n.RXQueues)
	if most := n.Channels.MaxReceive(); most > 0 {
		found += fmt.Sprintf(" of %d", most)
	}
	if m == nil || !m.AFXDP {
		c.ok(found)
		return
	}
	fix := tuning(n.Name)
	var missing []int
	for _, q := range m.Queues {
		if q >= n.RXQueues {
			missing = append(missing, q)
		}
	}
	switch {
	case len(missing) > 0:
		c.fail(found+"; not there: "+list(missing), fix)
	case len(m.Queues) > 0 && len(m.Queues) < n.RXQueues && tableHas(n, m.Queues):
		c.warn(fmt.Sprintf("%s, of which %s captured from", found, list(m.Queues)), fix)
	case len(m.Cores) > 0 && len(m.Cores) != max(len(m.Queues), 1) && len(m.Queues) > 0,
		len(m.Cores) > 0 && len(m.Queues) == 0 && len(m.Cores) != n.RXQueues:
		c.warn(fmt.Sprintf("%s for %d cores", found, len(m.Cores)), fix)
	default:
		c.ok(found)
	}
}

// tableHas reports whether hashed traffic goes to a queue that is not among those.
func tableHas(n *NIC, queues []int) bool {
	if len(n.RSS.Table) == 0 {
		return true
	}
	return len(without(n.RSS.Table, queues)) > 0
}

// spread looks at how traffic is spread over queues.
func (e *examination) spread(n *NIC) {
	c := e.add(Check{
		ID: "nic.rss", Subject: n.Name, Title: "spread over queues", Wanted: "evenly, over all",
		Why: "the fullest queue loses first",
	})
	if n.RXQueues == 1 {
		c.skip("there is one queue")
		return
	}
	if unknown(c, n, "rss") {
		return
	}
	counts := map[int]int{}
	for _, q := range n.RSS.Table {
		counts[q]++
	}
	if len(counts) == 0 {
		c.skip("the driver has no table")
		return
	}
	least, most := len(n.RSS.Table), 0
	for _, k := range counts {
		least, most = min(least, k), max(most, k)
	}
	found := fmt.Sprintf("%d of %d queues, %d to %d of %d entries each", len(counts), n.RXQueues,
		least, most, len(n.RSS.Table))
	c.when(len(counts) < n.RXQueues || most > least+1, found, tuning(n.Name))
}

// What a hardware ring should hold, frames, as weir tune sets it: up to 10 Gbit/s, and above.
const (
	ringSize     = 4096
	fastRingSize = 8192
	fastLink     = 10_000 // Mbit/s
)

// hash tells what the hardware hashes.
func (e *examination) hash(n *NIC) {
	c := e.add(Check{
		ID: "nic.hash", Subject: n.Name, Title: "hash", Wanted: "addresses in it",
		Why: "without, the traffic of many hosts comes to one queue",
	})
	if n.RXQueues == 1 {
		c.skip("there is one queue")
		return
	}
	var parts []string
	bad := false
	for _, flow := range nic.FlowTypes() {
		fields, known := n.Hash[flow]
		if !known {
			continue
		}
		parts = append(parts, string(flow)+" by "+string(fields))
		bad = bad || !strings.ContainsAny(string(fields), "sd")
	}
	if len(parts) == 0 {
		c.skip(missing(n, "hash udp4", "the driver does not tell"))
		return
	}
	found := strings.Join(parts, ", ")
	if symmetric(n.RSS.Key) {
		found += "; both directions of a flow to one queue"
	}
	c.when(bad, found, tuning(n.Name))
}

// symmetric reports whether a Toeplitz key hashes both directions of a flow alike: its words of 16
// bits are all the same.
func symmetric(key []byte) bool {
	for i := 2; i < len(key); i++ {
		if key[i] != key[i-2] {
			return false
		}
	}
	return len(key) > 0
}

// rings looks at the hardware's receive ring.
func (e *examination) rings(n *NIC) {
	want := ringSize
	if n.Speed > fastLink {
		want = fastRingSize
	}
	if n.Rings.MaxRX > 0 {
		want = min(want, n.Rings.MaxRX)
	}
	c := e.add(Check{
		ID: "nic.rings", Subject: n.Name, Title: "receive ring",
		Wanted: fmt.Sprintf("%d or more", want),
		Why: fmt.Sprintf("the ring bridges the time until the driver is called: %d frames are "+
			"%.0f µs of 10 GbE's smallest", want, float64(want)/lineRate*1e6),
	})
	if unknown(c, n, "rings") || n.Rings.RX == 0 {
		if _, told := n.Missing["rings"]; !told {
			c.skip("the driver does not tell")
		}
		return
	}
	c.when(n.Rings.RX < want, fmt.Sprintf("%d of %d", n.Rings.RX, n.Rings.MaxRX),
		tuning(n.Name))
}

// coalescing looks whether the hardware waits longer than its ring lasts.
func (e *examination) coalescing(n *NIC) {
	c := e.add(Check{
		ID: "nic.coalescing", Subject: n.Name, Title: "interrupt delay",
		Wanted: "shorter than half of the ring lasts",
		Why:    "frames that come while the hardware waits must find room",
	})
	if unknown(c, n, "coalesce") {
		return
	}
	us := n.Coalesce.Microseconds
	found := fmt.Sprintf("%d µs, %d frames", us, n.Coalesce.Frames)
	if n.Coalesce.Adaptive {
		found += ", adaptive"
	}
	late := n.Rings.RX > 0 && n.Coalesce.Frames == 0 &&
		float64(us)*lineRate/1e6 > float64(n.Rings.RX)/2
	c.when(late, found, fmt.Sprintf("ethtool -C %s adaptive-rx off rx-usecs %d", n.Name,
		int(float64(n.Rings.RX)/2/lineRate*1e6)))
}

// pause looks whether the interface may slow down who sends to it.
func (e *examination) pause(n *NIC) {
	c := e.add(Check{
		ID: "nic.pause", Subject: n.Name, Title: "pause frames", Wanted: "off",
		Why: "a full ring would make the switch hold back the mirror's port, and perhaps what is " +
			"mirrored",
	})
	if unknown(c, n, "pause") {
		return
	}
	switch p := n.Pause; {
	case p.TX:
		c.warn("sent", tuning(n.Name))
	default:
		c.ok("not sent")
	}
}

// missed looks at what the hardware had no room for.
func (e *examination) missed(n *NIC) {
	c := e.add(Check{
		ID: "nic.missed", Subject: n.Name, Title: "frames missed", Wanted: "fewer than 1 in 10,000",
		Why: "the hardware had no room for them: its ring was full",
	})
	part := share(n.Missed, n.Missed+n.Received)
	found := fmt.Sprintf("%d of %d since the interface exists", n.Missed, n.Missed+n.Received)
	c.when(part > 1e-4, found, tuning(n.Name))
}

// interrupts looks at which CPUs the queues' interrupts come to.
func (e *examination) interrupts(n *NIC, m *Mirror) {
	c := e.add(Check{
		ID: "irq.place", Subject: n.Name, Title: "interrupts of queues",
		Wanted: "each queue's on another CPU, none on a CPU of another queue's worker",
		Why: "the driver runs where the interrupt comes: 70 to 130 ns per packet, beside " +
			"whatever else is there",
	})
	cpus := map[int]int{} // CPU → queues whose interrupts come to it
	known := 0
	for _, irq := range n.IRQs {
		at := e.Host.IRQ(irq.Number)
		if at == nil {
			continue
		}
		where := at.Effective
		if len(where) == 0 {
			where = at.Affinity
		}
		if len(where) > 0 {
			known++
			cpus[where[0]]++
		}
	}
	if known == 0 {
		c.skip(missing(n, "irqs", "its interrupts are not told"))
		return
	}
	most := 0
	var at []int
	for cpu, k := range cpus {
		most, at = max(most, k), append(at, cpu)
	}
	found := fmt.Sprintf("%d on %s", known, list(at))
	crowded := most > 1 && len(cpus) < min(known, len(e.Host.CPUs))
	c.when(crowded || e.misplaced(n, m), found, tuning(n.Name))
}

// misplaced reports whether an interrupt comes to a CPU of a worker that has another queue.
func (e *examination) misplaced(n *NIC, m *Mirror) bool {
	for _, irq := range n.IRQs {
		at := e.Host.IRQ(irq.Number)
		if at == nil || len(at.Effective) == 0 {
			continue
		}
		cpu := at.Effective[0]
		if !slices.Contains(e.cores, cpu) {
			continue
		}
		if m == nil || !m.AFXDP || len(m.Cores) == 0 || m.worker(irq.Queue) != cpu {
			return true
		}
	}
	return false
}

// worker returns the core of the worker that a queue belongs to: they take turns.
func (m *Mirror) worker(queue int) int {
	if i := slices.Index(m.Queues, queue); i >= 0 {
		queue = i
	}
	return m.Cores[queue%len(m.Cores)]
}

// node looks whether workers run near the hardware.
func (e *examination) node(n *NIC, m *Mirror) {
	c := e.add(Check{
		ID: "nic.node", Subject: n.Name, Title: "NUMA node",
		Wanted: "workers on the interface's node",
		Why:    "frames and descriptors cross from one socket to the other otherwise",
	})
	switch {
	case len(e.Host.Nodes) < 2:
		c.skip("the machine has one node")
		return
	case n.NUMANode < 0 || e.Host.Node(n.NUMANode) == nil:
		c.skip("the interface's node is not told")
		return
	case m == nil || len(m.Cores) == 0:
		c.ok(fmt.Sprintf("node %d: cores %s", n.NUMANode,
			host.FormatCPUs(e.Host.Node(n.NUMANode).CPUs)))
		return
	}
	far := without(m.Cores, e.Host.Node(n.NUMANode).CPUs)
	found := fmt.Sprintf("node %d", n.NUMANode)
	if len(far) > 0 {
		found += "; on another: cores " + list(far)
	}
	c.when(len(far) > 0, found, tuning(n.Name))
}
