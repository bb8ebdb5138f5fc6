package doctor

import (
	"fmt"
	"strconv"
	"strings"
)

// knob is a kernel setting that is to be something.
type knob struct {
	id, title, name string
	least           int  // a value from here on is good
	value           int  // what is written instead
	exact           bool // only least is good
	why             string
}

func knobs() []knob {
	return []knob{
		{
			id: "bpf.jit", title: "BPF compiler", name: "net.core.bpf_jit_enable",
			least: 1, value: 1,
			why: "the XDP program is interpreted, instruction by instruction, for each frame",
		},
		{
			id: "bpf.unprivileged", title: "BPF for everybody",
			name: "kernel.unprivileged_bpf_disabled", least: 1, value: 2,
			why: "without, any user may load programs into the kernel",
		},
		{
			id: "kernel.watchdog", title: "NMI watchdog", name: "kernel.nmi_watchdog", exact: true,
			why: "it interrupts every CPU, isolated ones too, and takes one of their counters",
		},
		{
			id: "net.budget", title: "frames per interrupt", name: "net.core.netdev_budget",
			least: 300, value: 300,
			why: "the kernel leaves frames in the ring that are beyond it",
		},
		{
			id: "net.budget-time", title: "time per interrupt",
			name: "net.core.netdev_budget_usecs", least: 2000, value: 2000,
			why: "the kernel leaves frames in the ring when it is over, in microseconds",
		},
	}
}

// settings looks at the kernel's settings.
func (e *examination) settings() {
	for _, k := range knobs() {
		e.knob(k)
	}
	if len(e.Host.Nodes) > 1 {
		e.knob(knob{
			id: "kernel.numa-balancing", title: "NUMA balancing", name: "kernel.numa_balancing",
			exact: true,
			why:   "to learn who uses a page the kernel takes it away for a moment, of tables too",
		})
	}
}

func (e *examination) knob(k knob) {
	wanted := fmt.Sprintf("%s at least %d", k.name, k.least)
	if k.exact {
		wanted = fmt.Sprintf("%s = %d", k.name, k.least)
	}
	c := e.add(Check{ID: k.id, Title: k.title, Wanted: wanted, Why: k.why})
	text, known := e.Host.Sysctl[k.name]
	n, err := strconv.Atoi(text)
	if !known || err != nil {
		c.skip(k.name + " is not told here")
		return
	}
	value := strconv.Itoa(k.value)
	c.when(n < k.least || k.exact && n != k.least, text, "sysctl -w "+k.name+"="+value,
		sysctl(k.name, value))
}

// sysctl is the setting of that name.
func sysctl(name, value string) Setting {
	return Setting{"/proc/sys/" + strings.ReplaceAll(name, ".", "/"), value}
}
