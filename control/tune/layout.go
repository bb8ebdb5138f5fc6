package tune

import (
	"fmt"
	"slices"

	"weir/ring/nic"
)

const (
	// queuePPS is what one queue's half in the kernel takes, packets per second: published figures
	// for AF_XDP with zero-copy begin there.
	queuePPS = 7_700_000
	// smallest is what the smallest frame takes of the wire: 64 bytes, preamble and gap, in bits.
	smallest  = 84 * 8
	maxQueues = 16
)

// queuesFor returns how many queues a link of that speed (Mbit/s) needs for its smallest packets;
// 0: not known.
func queuesFor(speed int) int {
	pps := int64(speed) * 1_000_000 / smallest
	return int(min((pps+queuePPS-1)/queuePPS, maxQueues))
}

// planner makes one plan.
type planner struct {
	facts  *Facts
	wish   *Wish
	supply *supply
	plan   Plan
	flows  []int // cores of flow exports
}

// Make plans. The error is of a wish that cannot be met, or ErrDefaultRoute. Facts that are not
// known cost the steps that need them, with an Advice where that matters. The same facts and wish
// give the same plan; those of a host where a plan was carried out give one without steps.
func Make(f *Facts, w *Wish) (*Plan, error) {
	p := &planner{facts: f, wish: w, supply: newSupply(f.Host)}
	for i := range f.Interfaces {
		x := &f.Interfaces[i]
		if x.Default && !w.Force {
			return nil, fmt.Errorf("tune %s: %w", x.Name, ErrDefaultRoute)
		}
		if limit := queueLimit(x); w.Queues > limit {
			return nil, fmt.Errorf("tune %s: %d queues of %d", x.Name, w.Queues, limit)
		}
	}
	p.takeFlowCores()
	for i := range f.Interfaces {
		p.plan.Layout = append(p.plan.Layout, p.layout(i))
	}
	for i := range f.Interfaces {
		p.interfaceSteps(&f.Interfaces[i], &p.plan.Layout[i])
	}
	p.machineSteps()
	p.advise()
	p.plan.Stanza = p.stanza()
	return &p.plan, nil
}

// queueLimit returns how many receive queues an interface can have.
func queueLimit(x *nic.Facts) int {
	return max(x.Channels.MaxReceive(), x.RXQueues, 1)
}

// collects reports whether flow exports come to an interface, and no mirror: it has an address.
func (p *planner) collects(x *nic.Facts) bool { return len(p.wish.FlowPorts) > 0 && x.Address }

// takeFlowCores gives each port of flow exports a core where that leaves as many for mirrors, else
// all of them one.
func (p *planner) takeFlowCores() {
	n, node := len(p.wish.FlowPorts), -1
	mirrors := 0
	for i := range p.facts.Interfaces {
		if x := &p.facts.Interfaces[i]; p.collects(x) {
			node = x.NUMANode
		} else {
			mirrors++
		}
	}
	_, all := p.supply.free(node)
	if n*(1+mirrors) > all {
		n = min(n, 1, all/(1+mirrors))
	}
	p.flows, _ = p.supply.take(n, node)
}

// layout chooses queues and cores of the interface with that number.
func (p *planner) layout(i int) Layout {
	x := &p.facts.Interfaces[i]
	l := Layout{Interface: x.Name, Node: x.NUMANode}
	if p.collects(x) {
		return p.collectorLayout(x, l)
	}
	share, all := p.share(i)
	n := p.wish.Queues
	switch {
	case n > share:
		share = all // the operator's number, even from another node
	case n == 0 && fixed(x):
		n = x.RXQueues
	case n == 0:
		n = queuesFor(x.Speed)
		if n == 0 {
			n = maxQueues
		}
		n = max(1, min(n, queueLimit(x), share))
	}
	l.Queues = count(0, n)
	if n > share {
		return l
	}
	each := 1
	if known := len(x.IRQs) > 0; known && p.wish.Cores != OneCore && 2*n <= share {
		each = 2
	}
	cores, remote := p.supply.take(each*n, x.NUMANode)
	l.Cores, l.Remote = cores[:n], remote
	switch {
	case each == 2:
		l.IRQ = cores[n:]
	case len(x.IRQs) > 0:
		l.IRQ = l.Cores
	}
	return l
}

// fixed reports whether packets come to all queues that an interface has, whatever is set; or, of a
// veth, whether its other end counts on as many for XDP.
func fixed(x *nic.Facts) bool {
	return x.Kind == "veth" || x.Missing["channels"] != "" && len(x.RSS.Table) == 0
}

// share returns how many cores the interface with that number may take, near it when there are
// any, such that those after it have as many; and from anywhere.
func (p *planner) share(i int) (near, all int) {
	x := &p.facts.Interfaces[i]
	near, all = p.supply.free(x.NUMANode)
	rivals, others := 0, 0
	for j := i; j < len(p.facts.Interfaces); j++ {
		y := &p.facts.Interfaces[j]
		if p.collects(y) {
			continue
		}
		others++
		if y.NUMANode == x.NUMANode || y.NUMANode < 0 || x.NUMANode < 0 {
			rivals++
		}
	}
	near, all = min(near/rivals, all/others), all/others
	if near == 0 {
		near = all
	}
	if p.wish.Cores == TwoCores && p.wish.Queues == 0 && near > 1 {
		near -= near % 2
	}
	return near, all
}

// collectorLayout is that of an interface to which flow exports come: its last queues are theirs.
func (p *planner) collectorLayout(x *nic.Facts, l Layout) Layout {
	if x.Missing["rules"] != "" || len(p.flows) == 0 || queueLimit(x) <= len(p.flows) {
		return l
	}
	n := max(x.RXQueues, len(p.flows)+1)
	l.FlowQueues = count(n-len(p.flows), len(p.flows))
	l.FlowCores = p.flows
	l.Queues = count(0, n-len(p.flows))
	return l
}

// count returns n numbers from first on.
func count(first, n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = first + i
	}
	return out
}

// all returns the CPUs that the plan gives work to, sorted.
func (p *Plan) all(flows []int) []int {
	out := slices.Clone(flows)
	for i := range p.Layout {
		out = append(append(out, p.Layout[i].Cores...), p.Layout[i].IRQ...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
