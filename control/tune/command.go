package tune

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"weir/control/host"
	"weir/ring/nic"
)

// sysctlDir is where kernel settings are files.
const sysctlDir = "/proc/sys/"

// shortNames are ethtool's, of what the kernel names otherwise.
func shortName(offload string) string {
	switch offload {
	case nic.LRO:
		return "lro"
	case nic.GRO:
		return "gro"
	case nic.RXVLAN:
		return "rxvlan"
	case nic.NTuple:
		return "ntuple"
	}
	return offload
}

// command returns what an operator would type to give a setting that value. f is the interface's
// facts, nil for files.
func (s Setting) command(f *nic.Facts, value string) string {
	switch s.Kind {
	case Channels:
		return fmt.Sprintf("ethtool -L %s %s", s.Interface, value)
	case Ring:
		return fmt.Sprintf("ethtool -G %s %s %s", s.Interface, s.Name, value)
	case Offload:
		return fmt.Sprintf("ethtool -K %s %s %s", s.Interface, shortName(s.Name), value)
	case Pause:
		return fmt.Sprintf("ethtool -A %s %s", s.Interface, value)
	case Table:
		return s.tableCommand(f, value)
	case Key:
		return fmt.Sprintf("ethtool -X %s hkey %s", s.Interface, value)
	case HashOf:
		return fmt.Sprintf("ethtool -N %s rx-flow-hash %s %s", s.Interface, s.Name, value)
	case Steer:
		return s.steerCommand(value)
	case Affinity:
		return s.affinityCommand(f, value)
	case File:
		if path, ok := strings.CutPrefix(s.Name, sysctlDir); ok {
			return fmt.Sprintf("sysctl -w %s=%s", strings.ReplaceAll(path, "/", "."), value)
		}
		return fmt.Sprintf("echo %s > %s", value, s.Name)
	}
	return ""
}

func (s Setting) tableCommand(f *nic.Facts, value string) string {
	if strings.HasPrefix(value, "equal ") {
		return fmt.Sprintf("ethtool -X %s %s", s.Interface, value)
	}
	if table, err := parseTable(value, len(f.RSS.Table)); err == nil {
		if w := weights(table); w != nil {
			return fmt.Sprintf("ethtool -X %s weight %s", s.Interface, strings.Join(w, " "))
		}
	}
	return fmt.Sprintf("ethtool -X %s default # ethtool cannot say %s", s.Interface,
		strings.Join(strings.Fields(value)[:min(4, len(strings.Fields(value)))], " ")+" …")
}

func (s Setting) steerCommand(value string) string {
	flow, port, _ := strings.Cut(s.Name, " ")
	if value == "" {
		return fmt.Sprintf("ethtool -N %s delete N # of the rule that ethtool -n %s shows for "+
			"%s port %s", s.Interface, s.Interface, flow, port)
	}
	return fmt.Sprintf("ethtool -N %s flow-type %s dst-port %s action %s", s.Interface, flow, port,
		value)
}

// affinityCommand names the interrupt of a queue. That of a queue which is still to come has no
// number yet, but its name is that of another with the queue's number in it.
func (s Setting) affinityCommand(f *nic.Facts, value string) string {
	queue, _ := strconv.Atoi(s.Name)
	i := slices.IndexFunc(f.IRQs, func(q nic.IRQ) bool { return q.Queue == queue })
	if i >= 0 {
		return fmt.Sprintf("echo %s > %s", value, affinityPath(f.IRQs[i].Number))
	}
	number := fmt.Sprintf("$(sed -n 's/^ *\\([0-9]*\\):.* %s$/\\1/p' /proc/interrupts)",
		strings.ReplaceAll(nameForQueue(f.IRQs, queue), ".", `\.`))
	return fmt.Sprintf("echo %s > /proc/irq/%s/smp_affinity_list", value, number)
}

func affinityPath(irq int) string { return fmt.Sprintf("/proc/irq/%d/smp_affinity_list", irq) }

// nameForQueue returns how the interrupt of a queue will be called.
func nameForQueue(irqs []nic.IRQ, queue int) string {
	if len(irqs) == 0 {
		return fmt.Sprintf("QUEUE-%d", queue)
	}
	name, rest, found := strings.Cut(irqs[0].Name, "@")
	if found {
		rest = "@" + rest
	}
	return strings.TrimSuffix(name, strconv.Itoa(irqs[0].Queue)) + strconv.Itoa(queue) + rest
}

// list writes CPUs as the kernel does.
func list(cpus ...int) string {
	cpus = slices.Clone(cpus)
	slices.Sort(cpus)
	return host.FormatCPUs(slices.Compact(cpus))
}
