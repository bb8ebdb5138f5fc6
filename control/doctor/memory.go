package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir/control/host"
)

// What a queue of a mirror takes: 8192 frames of 2048 bytes, in huge pages where there are any
// (ring/afxdp, DefaultFrames).
const (
	hugePage      = 2 << 20
	queueBytes    = 16 << 20
	pagesPerQueue = queueBytes / hugePage
)

// Capabilities by number (capability(7)).
const (
	capNetAdmin = 12
	capNetRaw   = 13
	capIPCLock  = 14
	capSysAdmin = 21
	capResource = 24
	capBPF      = 39
)

// queues returns how many queues are to be captured from through AF_XDP, by their interface's node;
// −1: not known.
func (e *examination) queues() map[int]int {
	out := map[int]int{}
	for i := range e.Plan.Mirrors {
		m := &e.Plan.Mirrors[i]
		if !m.AFXDP {
			continue
		}
		n, node := len(m.Queues), -1
		if at := e.nic(m.Interface); at != nil && at.Err == "" {
			node = at.NUMANode
			if n == 0 {
				n = at.RXQueues
			}
		}
		out[node] += max(1, n)
	}
	return out
}

func (e *examination) memory() {
	e.hugePages()
	e.joined()
	e.memlock()
	e.capabilities()
}

func (e *examination) hugePages() {
	queues := e.queues()
	nodes := e.Host.Nodes
	nothing := e.add(Check{ID: "memory.hugepages", Title: "huge pages"})
	switch {
	case len(nodes) == 0:
		nothing.skip("the machine's memory is not told here")
		return
	case e.Plan.Path != "" && len(queues) == 0:
		nothing.skip("nothing is captured through AF_XDP")
		return
	}
	if n := queues[-1]; n > 0 { // where the kernel will put it is not known: count on the first
		queues[nodes[0].ID] += n
	}
	for i := range nodes {
		n := queues[nodes[i].ID]
		if n == 0 && (len(queues) > 0 || i > 0) {
			continue
		}
		e.pool(&nodes[i], n)
	}
}

// pool looks at the huge pages of a node that so many queues take memory from; 0: it is not known.
func (e *examination) pool(n *host.Node, queues int) {
	want := max(1, queues) * pagesPerQueue
	c := e.add(Check{
		ID: "memory.hugepages", Subject: fmt.Sprintf("node %d", n.ID), Title: "huge pages",
		Wanted: fmt.Sprintf("%d of 2 MiB: %d for each queue of a mirror", want, pagesPerQueue),
		Why: "frames in small pages miss the TLB: 33 ns instead of 28 per packet were measured " +
			"where nothing is prefetched",
	})
	i := slices.IndexFunc(n.Pools, func(p host.Pool) bool { return p.Size == hugePage })
	if i < 0 {
		c.skip("the kernel has none of 2 MiB")
		return
	}
	p := n.Pools[i]
	path := "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
	if len(e.Host.Nodes) > 1 {
		path = fmt.Sprintf("/sys/devices/system/node/node%d/hugepages/hugepages-2048kB/"+
			"nr_hugepages", n.ID)
	}
	value := strconv.Itoa(p.Total - p.Free + want)
	found := "none"
	if p.Total > 0 {
		found = fmt.Sprintf("%d, %d of them free", p.Total, p.Free)
	}
	c.when(p.Total < want, found,
		"echo "+value+" > "+path, Setting{path, value})
}

// joined looks at transparent huge pages.
func (e *examination) joined() {
	const path = "/sys/kernel/mm/transparent_hugepage/enabled"
	c := e.add(Check{
		ID: "memory.transparent", Title: "transparent huge pages", Wanted: "madvise",
		Why: "weir asks for them for its tables: 72 instead of 134 ns per packet were measured " +
			"at 10 M hosts where nothing is prefetched",
	})
	switch mode := e.Host.HugePages; mode {
	case "":
		c.skip("the kernel has none")
	case "never":
		c.warn(mode, "echo madvise > "+path, Setting{path, "madvise"})
	default:
		c.ok(mode)
	}
}

// memlock looks at how much memory may be locked.
func (e *examination) memlock() {
	n := 0
	for _, queues := range e.queues() {
		n += queues
	}
	want := uint64(max(1, n)) * queueBytes * 2 // maps and rings are locked, too
	c := e.add(Check{
		ID: "limits.memlock", Title: "memory that may be locked",
		Wanted: bytesText(want) + " or CAP_IPC_LOCK",
		Why: "frames are locked in memory; the limit is that of this shell, and weir.service " +
			"sets its own",
	})
	l := e.Host.Limits
	can := e.Host.Can(capIPCLock) || e.Host.Can(capResource)
	switch {
	case !l.Known:
		c.skip("the limits of this process are not told here")
	case len(e.rights()) < 3:
		c.skip(limitText(l.MemlockHard) + " in this shell, which cannot capture; weir.service " +
			"has no limit")
	case can:
		c.ok(limitText(l.MemlockHard) + ", and the right to pass it")
	default:
		c.when(l.MemlockHard < want, limitText(l.MemlockHard),
			"systemctl edit weir   # [Service] LimitMEMLOCK=infinity")
	}
}

func limitText(n uint64) string {
	if n == host.Unlimited {
		return "unlimited"
	}
	return bytesText(n)
}

// bytesText writes a number of bytes in units of 1024.
func bytesText(n uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	x, unit := float64(n), 0
	for ; x >= 1024 && unit < len(units)-1; unit++ {
		x /= 1024
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0") + " " + units[unit]
}

// capabilities looks at what this process may do.
func (e *examination) capabilities() {
	c := e.add(Check{
		ID: "process.capabilities", Title: "capabilities",
		Wanted: "CAP_NET_RAW, CAP_NET_ADMIN, CAP_BPF for weir run; none for weir doctor",
		Why:    "capture takes them; weir.service has them, whoever runs this",
	})
	has := e.rights()
	if len(has) < 3 {
		c.skip("this process has not all that capture takes; weir.service has")
		return
	}
	c.ok(strings.Join(has, ", "))
}

// rights returns which of the three capabilities that capture takes this process has.
func (e *examination) rights() (has []string) {
	for _, cap := range []struct {
		number int
		name   string
	}{{capNetRaw, "CAP_NET_RAW"}, {capNetAdmin, "CAP_NET_ADMIN"}, {capBPF, "CAP_BPF"}} {
		if e.Host.Can(cap.number) || cap.number == capBPF && e.Host.Can(capSysAdmin) {
			has = append(has, cap.name)
		}
	}
	return has
}
