package doctor

import (
	"fmt"
	"strings"
	"time"

	"weir/control/host"
)

const cpuDir = "/sys/devices/system/cpu/"

// governor looks at what chooses the CPUs' frequency.
func (e *examination) governor() {
	c := e.add(Check{
		ID: "cpu.governor", Title: "frequency governor", Wanted: "performance",
		Why: "a governor that follows the load raises the frequency after the attack has begun",
	})
	slow, found, there := slowCPUs(e.watched())
	if !there {
		c.skip("there is none here: a hypervisor's or the firmware's matter")
		return
	}
	if len(slow) == 0 {
		c.ok("performance")
		return
	}
	var set []Setting
	for _, id := range slow {
		path := fmt.Sprintf("%scpu%d/cpufreq/scaling_governor", cpuDir, id)
		set = append(set, Setting{path, "performance"})
	}
	c.warn(fmt.Sprintf("%s on %s", found, list(slow)),
		forEach(slow, "performance", "cpufreq/scaling_governor"), set...)
}

// slowCPUs returns the CPUs whose governor is not performance, and the first's; there says whether
// any has one.
func slowCPUs(cpus []*host.CPU) (slow []int, governor string, there bool) {
	for _, cpu := range cpus {
		there = there || cpu.Governor != ""
		if cpu.Governor == "" || cpu.Governor == "performance" {
			continue
		}
		if governor == "" {
			governor = cpu.Governor
		}
		slow = append(slow, cpu.ID)
	}
	return slow, governor, there
}

// deepExit is how long a CPU may take to wake, microseconds.
const deepExit = 50

// idle looks at how deep CPUs sleep.
func (e *examination) idle() {
	c := e.add(Check{
		ID: "cpu.idle", Title: "idle states",
		Wanted: fmt.Sprintf("none that takes over %d µs to leave", deepExit),
		Why:    "the first frames of an attack find CPUs asleep",
	})
	deep := deepest(e.watched())
	switch {
	case deep.none:
		c.skip("there are none here: a hypervisor's matter")
	case deep.exit <= deepExit:
		c.ok(fmt.Sprintf("the deepest takes %d µs to leave", deep.exit))
	default:
		c.c.Why += fmt.Sprintf(": at 14.88 Mpps %d of them arrive in %d µs", deep.exit*1488/100,
			deep.exit)
		var set []Setting
		for _, s := range deep.states {
			set = append(set, Setting{s, "1"})
		}
		c.warn(fmt.Sprintf("%s takes %d µs to leave, on %s", deep.name, deep.exit, list(deep.cpus)),
			forEach(deep.cpus, "1", "cpuidle/"+deep.pattern()+"/disable"), set...)
	}
}

// depths are the idle states that are too deep.
type depths struct {
	none   bool // no CPU has idle states
	exit   int  // of the deepest, microseconds
	name   string
	cpus   []int
	states []string // files that switch them off
	first  int      // number of the shallowest of them
	last   int
}

// pattern matches the directories of the states that are too deep.
func (d *depths) pattern() string {
	if d.first == d.last {
		return fmt.Sprintf("state%d", d.first)
	}
	return fmt.Sprintf("state[%d-%d]", d.first, d.last)
}

// forEach is a command that writes a value to a file of each of some CPUs. The file's name may be a
// pattern.
func forEach(cpus []int, value, file string) string {
	write := fmt.Sprintf("echo %s > $f", value)
	var words []string
	for part := range strings.SplitSeq(list(cpus), ",") {
		if low, high, ok := strings.Cut(part, "-"); ok {
			part = fmt.Sprintf("$(seq %s %s)", low, high)
		}
		words = append(words, part)
	}
	return fmt.Sprintf("for c in %s; do for f in %scpu$c/%s; do %s; done; done",
		strings.Join(words, " "), cpuDir, file, write)
}

func deepest(cpus []*host.CPU) depths {
	d := depths{none: true}
	for _, cpu := range cpus {
		before := len(d.states)
		for n, s := range cpu.Idle {
			d.none = false
			if s.Disabled {
				continue
			}
			if s.Exit > d.exit {
				d.exit, d.name = s.Exit, s.Name
			}
			if s.Exit > deepExit {
				if len(d.states) == 0 {
					d.first, d.last = n, n
				}
				d.first, d.last = min(d.first, n), max(d.last, n)
				d.states = append(d.states,
					fmt.Sprintf("%scpu%d/cpuidle/state%d/disable", cpuDir, cpu.ID, n))
			}
		}
		if len(d.states) > before {
			d.cpus = append(d.cpus, cpu.ID)
		}
	}
	return d
}

// Shares of the CPUs' time that a hypervisor takes.
const stolen = 0.01

// share returns a part, 0 of nothing.
func share(part, all uint64) float64 {
	if all == 0 {
		return 0
	}
	return float64(part) / float64(all)
}

// steal looks at what a hypervisor took: since the start, and while the machine was looked at.
func (e *examination) steal() {
	c := e.add(Check{
		ID: "cpu.steal", Title: "stolen time", Wanted: "less than 1 %",
		Why: "while a hypervisor runs somebody else, rings fill",
	})
	all := e.Host.Times.All
	if all.Total == 0 {
		c.skip("the kernel does not tell")
		return
	}
	now := share(e.Spent.All.Steal, e.Spent.All.Total)
	since := share(all.Steal, all.Total)
	c.when(max(now, since) >= stolen,
		fmt.Sprintf("%.1f %% now, %.1f %% since the start", 100*now, 100*since),
		"ask the provider for CPUs that are not shared")
}

// balance looks whether a daemon moves interrupts about.
func (e *examination) balance() {
	c := e.add(Check{
		ID: "irq.balance", Title: "irqbalance", Wanted: "not running",
		Why: "it moves interrupts to where there is least to do: to workers' cores at night, and " +
			"away from where weir tune has put them",
	})
	c.when(e.Host.Runs("irqbalance"), running(e.Host.Runs("irqbalance")),
		"systemctl disable --now irqbalance")
}

func running(is bool) string {
	if is {
		return "running"
	}
	return "not running"
}

// milliseconds writes a time with as many digits as say something.
func milliseconds(d time.Duration) string { return d.Round(100 * time.Microsecond).String() }
