package host

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const cpuDir = "sys/devices/system/cpu/"

// processors returns the CPUs that are online.
func (t tree) processors() (out []CPU) {
	for _, id := range t.cpus(cpuDir + "online") {
		dir := fmt.Sprintf("%scpu%d/", cpuDir, id)
		c := CPU{
			ID:       id,
			Core:     t.number(dir+"topology/core_id", -1),
			Package:  t.number(dir+"topology/physical_package_id", -1),
			Node:     -1,
			Siblings: t.cpus(dir + "topology/thread_siblings_list"),
			Governor: t.text(dir + "cpufreq/scaling_governor"),
		}
		if nodes := t.numbered(dir, "node"); len(nodes) > 0 {
			c.Node = nodes[0]
		}
		for _, n := range t.numbered(dir+"cpuidle", "state") {
			state := fmt.Sprintf("%scpuidle/state%d/", dir, n)
			c.Idle = append(c.Idle, Idle{
				Name:     t.text(state + "name"),
				Exit:     t.number(state+"latency", 0),
				Disabled: t.text(state+"disable") == "1",
			})
		}
		out = append(out, c)
	}
	return out
}

// model returns what the processors are called, and whether they are a hypervisor's.
func (t tree) model() (name string, virtual bool) {
	for _, line := range t.lines("proc/cpuinfo") {
		key, value, _ := strings.Cut(line, ":")
		switch key, value = strings.TrimSpace(key), strings.TrimSpace(value); key {
		case "model name", "Model":
			name = value
		case "flags", "Features":
			virtual = slices.Contains(strings.Fields(value), "hypervisor")
		case "":
			return name, virtual // the first CPU is enough
		}
	}
	return name, virtual
}

const nodeDir = "sys/devices/system/node/"

// nodes returns the nodes of memory; without NUMA, one that has all CPUs.
func (t tree) nodes(cpus []CPU) (out []Node) {
	for _, id := range t.numbered(nodeDir, "node") {
		dir := fmt.Sprintf("%snode%d/", nodeDir, id)
		out = append(out, Node{
			ID: id, CPUs: t.cpus(dir + "cpulist"), Pools: t.pools(dir + "hugepages/"),
		})
	}
	if len(out) > 0 || len(cpus) == 0 {
		return out
	}
	all := Node{Pools: t.pools("sys/kernel/mm/hugepages/")}
	for i := range cpus {
		all.CPUs = append(all.CPUs, cpus[i].ID)
	}
	return []Node{all}
}

// pools returns the huge pages that a directory tells of.
func (t tree) pools(dir string) (out []Pool) {
	for _, name := range t.names(dir) {
		digits := strings.TrimSuffix(strings.TrimPrefix(name, "hugepages-"), "kB")
		size, err := strconv.ParseUint(digits, 10, 40)
		if err != nil {
			continue
		}
		out = append(out, Pool{
			Size:  size << 10,
			Total: t.number(dir+name+"/nr_hugepages", 0),
			Free:  t.number(dir+name+"/free_hugepages", 0),
		})
	}
	slices.SortFunc(out, func(a, b Pool) int { return cmp.Compare(a.Size, b.Size) })
	return out
}

func (t tree) memory() (m Memory) {
	for _, line := range t.lines("proc/meminfo") {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kib, _ := strconv.ParseUint(fields[1], 10, 50)
		switch fields[0] {
		case "MemTotal:":
			m.Total = kib << 10
		case "MemAvailable:":
			m.Available = kib << 10
		}
	}
	return m
}

// irqs returns the interrupts that have a number, with their counts by the CPUs online.
func (t tree) irqs(cpus []CPU) (out []IRQ) {
	lines := t.lines("proc/interrupts")
	if len(lines) == 0 {
		return nil
	}
	columns := strings.Fields(lines[0]) // CPU0 CPU1 …: those online
	for _, line := range lines[1:] {
		label, rest, _ := strings.Cut(line, ":")
		number, err := strconv.Atoi(strings.TrimSpace(label))
		fields := strings.Fields(rest)
		if err != nil || len(fields) < len(columns) {
			continue
		}
		irq := IRQ{Number: number, Counts: make([]uint64, len(cpus))}
		for i, name := range columns {
			id, _ := strconv.Atoi(strings.TrimPrefix(name, "CPU"))
			if at, ok := find(cpus, id); ok {
				irq.Counts[at], _ = strconv.ParseUint(fields[i], 10, 64)
			}
		}
		// chip, hardware number with the kind of trigger, and then the handlers
		if named := fields[len(columns):]; len(named) > 0 {
			irq.Name = named[len(named)-1]
		}
		dir := fmt.Sprintf("proc/irq/%d/", number)
		irq.Affinity = t.cpus(dir + "smp_affinity_list")
		irq.Effective = t.cpus(dir + "effective_affinity_list")
		out = append(out, irq)
	}
	slices.SortFunc(out, func(a, b IRQ) int { return a.Number - b.Number })
	return out
}
