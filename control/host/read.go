package host

import (
	"slices"
	"strconv"
	"strings"
)

// Watched returns the programs that Read looks for, by the name that the kernel cuts to 15 bytes:
// those that move interrupts, set the machine's profile, or keep the clock.
func Watched() []string {
	return []string{
		"chronyd", "irqbalance", "ntpd", "ntpd-rs", "openntpd", "power-profiles-",
		"systemd-timesyn", "thermald", "tuned",
	}
}

// Sysctls returns the kernel settings that Read asks for.
func Sysctls() []string {
	return []string{
		"kernel.nmi_watchdog", "kernel.numa_balancing", "kernel.sched_rt_runtime_us",
		"kernel.timer_migration", "kernel.unprivileged_bpf_disabled", "kernel.watchdog",
		"net.core.bpf_jit_enable", "net.core.busy_poll", "net.core.busy_read",
		"net.core.dev_weight", "net.core.netdev_budget", "net.core.netdev_budget_usecs",
		"net.core.netdev_max_backlog", "net.core.rmem_default", "net.core.rmem_max",
		"vm.nr_hugepages", "vm.stat_interval", "vm.swappiness",
	}
}

// Here returns the facts of this machine.
func Here() *Facts {
	f := Read("/")
	f.Clock = readClock()
	return f
}

// Read returns the facts that the files below root tell, which has the machine's proc and sys.
func Read(root string) *Facts {
	t := tree(strings.TrimSuffix(root, "/"))
	f := &Facts{
		Kernel:   parseKernel(t.text("proc/sys/kernel/osrelease")),
		CPUs:     t.processors(),
		Isolated: t.cpus("sys/devices/system/cpu/isolated"),
		NoHzFull: t.cpus("sys/devices/system/cpu/nohz_full"),
		Devices:  t.devices(),
		Programs: t.programs(),
		Sysctl:   map[string]string{},
		Load:     t.load(),
		Times:    ReadTimes(root),

		DefaultRoutes: t.defaultRoutes(),
		UDP:           t.sockets("udp", ""),
		TCP:           t.sockets("tcp", "0A"),
	}
	f.Nodes = t.nodes(f.CPUs)
	f.IRQs = t.irqs(f.CPUs)
	f.Model, f.Virtual = t.model()
	f.HugePages = chosen(t.text("sys/kernel/mm/transparent_hugepage/enabled"))
	f.Memory = t.memory()
	f.Limits = t.limits()
	for _, line := range t.lines("proc/self/status") {
		key, value, _ := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); key {
		case "CapEff":
			f.Capability, _ = strconv.ParseUint(value, 16, 64)
		case "Cpus_allowed_list":
			f.Allowed = ParseCPUs(value)
		}
	}
	for _, name := range Sysctls() {
		if value := t.text("proc/sys/" + strings.ReplaceAll(name, ".", "/")); value != "" {
			f.Sysctl[name] = value
		}
	}
	return f
}

// parseKernel reads a release, e.g. "6.1.0-25-amd64".
func parseKernel(release string) Kernel {
	k := Kernel{Release: release}
	major, rest, _ := strings.Cut(release, ".")
	digits := strings.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		digits = len(rest)
	}
	k.Major, _ = strconv.Atoi(major)
	k.Minor, _ = strconv.Atoi(rest[:digits])
	return k
}

// chosen returns the word in brackets, as in "always [madvise] never".
func chosen(text string) string {
	_, after, _ := strings.Cut(text, "[")
	word, _, _ := strings.Cut(after, "]")
	return word
}

// programs returns which of the watched programs run.
func (t tree) programs() (out []string) {
	watched := Watched()
	for _, pid := range t.numbered("proc", "") {
		name := t.text("proc/" + strconv.Itoa(pid) + "/comm")
		if slices.Contains(watched, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (t tree) load() float64 {
	first, _, _ := strings.Cut(t.text("proc/loadavg"), " ")
	if load, err := strconv.ParseFloat(first, 64); err == nil {
		return load
	}
	return -1
}

func (t tree) limits() (l Limits) {
	for _, line := range t.lines("proc/self/limits") {
		fields := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "Max locked memory") && len(fields) >= 5:
			l.Known = true
			l.Memlock, l.MemlockHard = parseLimit(fields[3]), parseLimit(fields[4])
		case strings.HasPrefix(line, "Max open files") && len(fields) >= 4:
			l.OpenFiles = parseLimit(fields[3])
		}
	}
	return l
}

func parseLimit(text string) uint64 {
	if text == "unlimited" {
		return Unlimited
	}
	n, _ := strconv.ParseUint(text, 10, 64)
	return n
}

// ReadTimes returns what the CPUs have spent their time on: two of them, some time apart, tell what
// they do now.
func ReadTimes(root string) Times {
	times := Times{Each: map[int]CPUTime{}}
	for _, line := range tree(strings.TrimSuffix(root, "/")).lines("proc/stat") {
		name, ok := strings.CutPrefix(line, "cpu")
		if !ok {
			break // the CPUs come first
		}
		fields := strings.Fields(name)
		var n []uint64
		cpu, all := -1, strings.HasPrefix(name, " ")
		for i, field := range fields {
			value, _ := strconv.ParseUint(field, 10, 64)
			if i == 0 && !all {
				cpu = int(value)
				continue
			}
			n = append(n, value)
		}
		if len(n) < 8 {
			continue
		}
		// user nice system idle iowait irq softirq steal; what follows is part of user and nice
		spent := CPUTime{Idle: n[3] + n[4], Steal: n[7]}
		for _, ticks := range n[:8] {
			spent.Total += ticks
		}
		if all {
			times.All = spent
		} else {
			times.Each[cpu] = spent
		}
	}
	return times
}

// Since returns what was spent since an earlier moment.
func (t CPUTime) Since(earlier CPUTime) CPUTime {
	return CPUTime{
		since(t.Total, earlier.Total), since(t.Idle, earlier.Idle), since(t.Steal, earlier.Steal),
	}
}

// since returns how far a count came; idle time has been seen to step back a little.
func since(now, from uint64) uint64 { return now - min(now, from) }
