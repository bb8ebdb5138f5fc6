package doctor

import (
	"fmt"
	"slices"
	"strings"

	"weir/control/host"
)

// housekeeping is how many CPUs are to be left for everything but workers.
const housekeeping = 2

// machine looks at kernel and clock.
func (e *examination) machine() {
	k := e.Host.Kernel
	c := e.add(Check{
		ID: "kernel.version", Title: "kernel", Wanted: "5.11 or later; 6.3 tells what drivers can",
		Why: "weir needs 5.9; before 5.11 there is no preferred busy polling, with which one " +
			"core does the kernel's half and weir's",
	})
	switch {
	case k.Release == "":
		c.skip("the kernel's version is not told here")
	case !k.Least(5, 9):
		c.fail(k.Release, "install a kernel of 5.11 or later")
	default:
		c.when(!k.Least(5, 11), k.Release, "install a kernel of 5.11 or later")
	}
	e.clock()
}

func (e *examination) clock() {
	c := e.add(Check{
		ID: "clock.sync", Title: "clock", Wanted: "kept by NTP or PTP",
		Why: "reports carry its time, and exporters' clocks are compared with it",
	})
	switch clock := e.Host.Clock; {
	case !clock.Known:
		c.skip("the kernel does not tell how the clock is kept")
	case clock.Synchronized:
		c.ok(fmt.Sprintf("synchronized, at most %.1f ms off", clock.MaxError*1000))
	default:
		found := "not synchronized"
		for _, p := range []string{"chronyd", "ntpd", "ntpd-rs", "openntpd", "systemd-timesyn"} {
			if e.Host.Runs(p) {
				found += ", though " + p + " runs"
			}
		}
		c.warn(found, "timedatectl set-ntp true")
	}
}

// processors looks at the CPUs, and above all at those of workers.
func (e *examination) processors() {
	if len(e.Host.CPUs) == 0 {
		e.add(Check{ID: "cpu.count", Title: "CPUs"}).skip("the machine's CPUs are not told here")
		return
	}
	e.count()
	e.planned()
	e.isolation()
	e.siblings()
	e.governor()
	e.idle()
	e.steal()
	e.balance()
}

// workers returns how many are to run: one for each core, or queue, that is named.
func (e *examination) workers() (n int) {
	for i := range e.Plan.Mirrors {
		m := &e.Plan.Mirrors[i]
		queues := 1
		if at := e.nic(m.Interface); at != nil && at.Err == "" && m.AFXDP {
			queues = at.RXQueues
		}
		if len(m.Queues) > 0 {
			queues = len(m.Queues)
		}
		if len(m.Cores) > 0 {
			queues = len(m.Cores)
		}
		n += max(1, queues)
	}
	for i := range e.Plan.Ports {
		n += max(1, len(e.Plan.Ports[i].Cores))
	}
	return n
}

func (e *examination) count() {
	workers := e.workers()
	c := e.add(Check{
		ID: "cpu.count", Title: "CPUs",
		Wanted: fmt.Sprintf("%d: one for each of %d workers, and %d for everything else",
			workers+housekeeping, workers, housekeeping),
		Why: "a worker that shares its CPU with control, with the kernel's interrupts or with " +
			"Go's garbage collector has gaps: up to 19 ms were measured on 2 CPUs",
	})
	n := len(e.Host.CPUs)
	if 0 < len(e.Host.Allowed) && len(e.Host.Allowed) < n {
		n = len(e.Host.Allowed)
	}
	if workers == 0 {
		c.c.Wanted = fmt.Sprintf("%d: a worker's, and %d for everything else", housekeeping+1,
			housekeeping)
		workers = 1
	}
	found := fmt.Sprint(n)
	if e.Host.Model != "" {
		found += " × " + e.Host.Model
	}
	if e.Host.Virtual {
		found += ", virtual"
	}
	c.when(n < workers+housekeeping, found, "give the machine more CPUs, or fewer workers: "+
		"capture.afxdp[].cores")
}

// planned looks whether the cores that the file names are there, each for one worker.
func (e *examination) planned() {
	c := e.add(Check{
		ID: "cpu.cores", Title: "workers' cores",
		Wanted: "online, allowed to this process, each for one worker",
		Why:    "a worker that finds no core of its own runs where there is room, and is disturbed",
	})
	if len(e.cores) == 0 {
		c.skip("no cores are named: weir chooses the highest at start")
		return
	}
	var missing, forbidden, twice []int
	for i, core := range e.cores {
		switch {
		case e.Host.CPU(core) == nil:
			missing = append(missing, core)
		case len(e.Host.Allowed) > 0 && !slices.Contains(e.Host.Allowed, core):
			forbidden = append(forbidden, core)
		case slices.Contains(e.cores[:i], core):
			twice = append(twice, core)
		}
	}
	switch {
	case len(missing) > 0:
		c.fail("not there: "+list(missing), tuning(e.names()))
	case len(forbidden) > 0:
		c.fail("not allowed to this process (a cpuset, or taskset): "+list(forbidden),
			"systemctl edit weir   # [Service] AllowedCPUs="+list(e.cores))
	default:
		c.when(len(twice) > 0, list(e.cores)+shared(twice), tuning(e.names()))
	}
}

func shared(twice []int) string {
	if len(twice) == 0 {
		return ""
	}
	return "; for several workers: " + list(twice)
}

func (e *examination) isolation() {
	want := list(e.cores)
	c := e.add(Check{
		ID: "cpu.isolated", Title: "isolated cores", Wanted: "isolcpus and nohz_full: " + want,
		Why: "other tasks and the timer's tick interrupt a worker: at 14.88 Mpps a millisecond " +
			"is 15,000 frames, and a ring holds 8192",
	})
	if len(e.cores) == 0 {
		c.skip("no cores are named for workers")
		return
	}
	shared := without(e.cores, e.Host.Isolated)
	ticking := without(e.cores, e.Host.NoHzFull)
	fix := fmt.Sprintf("add to the kernel's command line, and boot: "+
		"isolcpus=managed_irq,domain,%s nohz_full=%s rcu_nocbs=%s", want, want, want)
	switch {
	case len(shared) > 0:
		c.warn("not isolated: "+list(shared), fix)
	case len(ticking) > 0:
		c.warn("isolated, but with a timer's tick: "+list(ticking), fix)
	default:
		c.ok(want)
	}
}

func (e *examination) siblings() {
	c := e.add(Check{
		ID: "cpu.smt", Title: "sibling threads",
		Wanted: "idle beside a worker, and isolated with it",
		Why:    "two threads of one core share its caches and its execution units",
	})
	if len(e.cores) == 0 {
		c.skip("no cores are named for workers")
		return
	}
	var busy []string
	known := false
	for i, core := range e.cores {
		cpu := e.Host.CPU(core)
		if cpu == nil {
			continue
		}
		known = known || len(cpu.Siblings) > 0
		for _, s := range cpu.Siblings {
			switch {
			case s == core:
			case slices.Contains(e.cores, s) && !slices.Contains(e.cores[:i], s):
				busy = append(busy, fmt.Sprintf("workers on both %d and %d", core, s))
			case slices.Contains(e.cores, s):
			case !slices.Contains(e.Host.Isolated, s):
				busy = append(busy, fmt.Sprintf("anything may run on %d, beside %d", s, core))
			}
		}
	}
	if !known {
		c.skip("the machine does not tell which CPUs share a core")
		return
	}
	if len(busy) > 0 {
		c.warn(strings.Join(busy, "; "), tuning(e.names()))
		return
	}
	c.ok("none is used")
}

// watched returns the CPUs that count: workers', or all where none are named.
func (e *examination) watched() (out []*host.CPU) {
	for i := range e.Host.CPUs {
		c := &e.Host.CPUs[i]
		if len(e.cores) == 0 || slices.Contains(e.cores, c.ID) {
			out = append(out, c)
		}
	}
	return out
}

// names returns the interfaces that were looked at, for a command.
func (e *examination) names() string {
	names := make([]string, 0, len(e.NICs))
	for i := range e.NICs {
		names = append(names, e.NICs[i].Name)
	}
	return strings.Join(names, " ")
}

// nic returns what is known of an interface, or nil.
func (e *examination) nic(name string) *NIC {
	for i := range e.NICs {
		if e.NICs[i].Name == name {
			return &e.NICs[i]
		}
	}
	return nil
}

// list writes CPUs in the kernel's form.
func list(cpus []int) string {
	sorted := slices.Sorted(slices.Values(cpus))
	return host.FormatCPUs(slices.Compact(sorted))
}

// without returns those of a that are not in b.
func without(a, b []int) (out []int) {
	for _, x := range a {
		if !slices.Contains(b, x) {
			out = append(out, x)
		}
	}
	return out
}
