package tune

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir/control/host"
	"weir/ring/afxdp"
	"weir/ring/udp"
)

const (
	hugePage   = 2 << 20
	thpPath    = "/sys/kernel/mm/transparent_hugepage/enabled"
	rmemMax    = sysctlDir + "net/core/rmem_max"
	performing = "performance"
)

// machineSteps are those of the machine as a whole.
func (p *planner) machineSteps() {
	p.hugePageSteps()
	if p.facts.Host.HugePages == "never" {
		p.step(nil, Setting{Kind: File, Name: thpPath}, "never", "madvise",
			"transparent huge pages for who asks",
			"the tables of hosts ask: with small pages each packet costs a page walk")
	}
	if len(p.wish.FlowPorts) > 0 {
		found := p.facts.Host.Sysctl["net.core.rmem_max"]
		n, err := strconv.Atoi(found)
		if err == nil && n < udp.DefaultReceiveBuffer {
			p.step(nil, Setting{Kind: File, Name: rmemMax}, found,
				strconv.Itoa(udp.DefaultReceiveBuffer), "receive buffers as large as weir asks for",
				"exporters send in bursts; without CAP_NET_ADMIN the buffer is cut to this")
		}
	}
	for _, id := range p.plan.all(p.flows) {
		c := p.facts.Host.CPU(id)
		if c == nil || c.Governor == "" || c.Governor == performing {
			continue
		}
		p.step(nil, Setting{
			Kind: File,
			Name: fmt.Sprintf("/sys/devices/system/cpu/cpu%d/cpufreq/scaling_governor", id),
		}, c.Governor, performing, fmt.Sprintf("CPU %d at its full clock", id),
			"a core that wakes up slow loses the first packets of an attack")
	}
}

// hugePageSteps reserve huge pages for the memory of AF_XDP, on the node of the interface. A weir
// that runs has its pages already.
func (p *planner) hugePageSteps() {
	need := map[int]int{} // pages by node
	for i := range p.plan.Layout {
		l := &p.plan.Layout[i]
		if p.collects(&p.facts.Interfaces[i]) {
			continue
		}
		bytes := len(l.Queues) * afxdp.DefaultFrames * afxdp.DefaultFrameSize
		node := l.Node
		if p.facts.Host.Node(node) == nil {
			node = 0
		}
		need[node] += (bytes + hugePage - 1) / hugePage
	}
	for i := range p.facts.Host.Nodes {
		n := &p.facts.Host.Nodes[i]
		at := slices.IndexFunc(n.Pools, func(q host.Pool) bool { return q.Size == hugePage })
		if at < 0 || need[n.ID] == 0 {
			continue
		}
		pool := n.Pools[at]
		have := pool.Free
		if p.facts.Running {
			have = pool.Total
		}
		if have >= need[n.ID] {
			continue
		}
		path := "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
		if len(p.facts.Host.Nodes) > 1 {
			path = fmt.Sprintf("/sys/devices/system/node/node%d/hugepages/hugepages-2048kB/"+
				"nr_hugepages", n.ID)
		} else if p.facts.Host.Sysctl["vm.nr_hugepages"] != "" {
			path = sysctlDir + "vm/nr_hugepages"
		}
		p.step(nil, Setting{Kind: File, Name: path}, strconv.Itoa(pool.Total),
			strconv.Itoa(pool.Total+need[n.ID]-have),
			fmt.Sprintf("%d huge pages of 2 MiB on node %d", need[n.ID], n.ID),
			"frames lie in them: fewer address translations for each packet")
	}
}

// advise says what weir leaves to the operator.
func (p *planner) advise() {
	cpus := withSiblings(p.facts.Host, p.plan.all(p.flows))
	for i := range p.plan.Layout {
		l, x := &p.plan.Layout[i], &p.facts.Interfaces[i]
		switch {
		case !p.collects(x) && len(l.Cores) == 0:
			p.note("", fmt.Sprintf("%s: no cores to give: of %d CPUs, %d stay free for the rest",
				x.Name, len(p.facts.Host.CPUs), housekeeping),
				"its workers run wherever there is room and sleep when idle: that is not line rate")
		case l.Remote:
			p.note("", fmt.Sprintf("%s: some cores are not on its node %d", x.Name, l.Node),
				"each packet crosses between sockets")
		}
		if !p.collects(x) && x.Missing["rss"] != "" && len(l.Queues) > 1 {
			p.note("", x.Name+": how packets are spread over queues is the driver's affair",
				"it has no table or key that could be set")
		}
	}
	steered := slices.ContainsFunc(p.plan.Layout, func(l Layout) bool {
		return len(l.FlowQueues) > 0
	})
	if len(p.wish.FlowPorts) > 0 && !steered {
		p.note("", "no interface steers flow exports to their cores",
			"name the one with the address that exporters send to, if its driver can")
	}
	if p.facts.Running && slices.ContainsFunc(p.plan.Steps, func(s Step) bool {
		return s.Interface != ""
	}) {
		p.note("systemctl stop weir", "weir runs: stop it while its interfaces are changed",
			"drivers start anew for most settings, and take away no queue that is captured from")
	}
	p.adviseIsolation(cpus)
	p.note("", "napi_defer_hard_irqs and gro_flush_timeout are left as they are",
		"weir run sets them where it polls, and restores them")
}

func (p *planner) adviseIsolation(cpus []int) {
	if len(cpus) == 0 {
		return
	}
	h, text := p.facts.Host, list(cpus...)
	in := func(all []int) func(int) bool {
		return func(c int) bool { return !slices.Contains(all, c) }
	}
	if slices.ContainsFunc(cpus, in(h.Isolated)) || slices.ContainsFunc(cpus, in(h.NoHzFull)) {
		const line = "isolcpus=managed_irq,domain,%[1]s nohz_full=%[1]s rcu_nocbs=%[1]s"
		p.note(fmt.Sprintf(line, text),
			"keep everything else off CPUs "+text+": add to the kernel's command line, and reboot",
			"whatever else runs there is a gap in which packets are lost")
	}
	if h.Runs("irqbalance") {
		p.note("echo IRQBALANCE_BANNED_CPULIST="+text+" >> /etc/default/irqbalance && "+
			"systemctl restart irqbalance",
			"irqbalance runs: forbid it these CPUs, or stop it",
			"it moves interrupts away from where they are put")
	}
	for _, program := range []string{"tuned", "power-profiles-"} {
		if h.Runs(program) {
			p.note("", strings.TrimSuffix(program, "-")+" runs", "it may set governors and other "+
				"settings back: choose its profile for network latency")
		}
	}
}

// stanza writes the part of weir.yaml that the plan is for.
func (p *planner) stanza() string {
	var b strings.Builder
	mirrors := 0
	for i := range p.plan.Layout {
		l := &p.plan.Layout[i]
		if p.collects(&p.facts.Interfaces[i]) {
			continue
		}
		if mirrors++; mirrors == 1 {
			b.WriteString("  afxdp:\n")
		}
		fmt.Fprintf(&b, "    - {interface: %s, queues: %s", quote(l.Interface), numbers(l.Queues))
		if len(l.Cores) > 0 {
			fmt.Fprintf(&b, ", cores: %s", numbers(l.Cores))
		}
		if p.facts.Interfaces[i].Default {
			b.WriteString(", force: true")
		}
		b.WriteString("}\n")
	}
	for i, port := range p.wish.FlowPorts {
		if i == 0 {
			b.WriteString("  flows:\n")
		}
		fmt.Fprintf(&b, "    - {listen: \":%d\"", port)
		if len(p.flows) > 0 {
			fmt.Fprintf(&b, ", cores: [%d]", p.flows[i%len(p.flows)])
		}
		b.WriteString("}\n")
	}
	if b.Len() == 0 {
		return ""
	}
	return "capture:\n" + b.String()
}

// quote writes a name so that YAML reads it as text.
func quote(name string) string {
	letter := func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
	odd := func(r rune) bool { return !letter(r) && (r < '0' || r > '9') }
	words := []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
	if name == "" || !letter(rune(name[0])) || strings.IndexFunc(name, odd) >= 0 ||
		slices.Contains(words, strings.ToLower(name)) {
		return strconv.Quote(name)
	}
	return name
}

func numbers(n []int) string { return strings.ReplaceAll(fmt.Sprint(n), " ", ", ") }
