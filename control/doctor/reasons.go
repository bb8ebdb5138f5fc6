package doctor

import (
	"slices"

	"weir/control/host"
)

// Reasons that a benchmark's figures are degraded by. They are stable, so that files of results can
// be compared.
const (
	ReasonGovernor = "governor is not performance"
	ReasonIdle     = "deep idle states"
	ReasonIsolated = "cores not isolated"
	ReasonSiblings = "sibling threads in use"
	ReasonPages    = "no reserved huge pages"
	ReasonSteal    = "CPU time stolen"
	ReasonLoad     = "machine busy"
)

// busyShare is the part of a CPU's time from which it is in use.
const busyShare = 0.1

// Reasons returns why figures that are measured on this machine are worse, or more uncertain, than
// its hardware allows; none where nothing stands in the way. It looks at the cores of f's plan, or,
// where there are none, at all CPUs. f.Spent should cover time in which nothing was measured yet;
// where it is zero, neither siblings nor load are judged by it.
func Reasons(f *Facts) []string {
	e := &examination{Facts: f, cores: f.Plan.cores()}
	out := []string{}
	note := func(is bool, reason string) {
		if is {
			out = append(out, reason)
		}
	}
	slow, _, _ := slowCPUs(e.watched())
	note(len(slow) > 0, ReasonGovernor)
	note(deepest(e.watched()).exit > deepExit, ReasonIdle)
	note(e.unisolated(), ReasonIsolated)
	note(e.siblingsBusy(), ReasonSiblings)
	note(!reserved(f.Host), ReasonPages)
	all := f.Host.Times.All
	note(share(all.Steal, all.Total) >= stolen ||
		share(f.Spent.All.Steal, f.Spent.All.Total) >= stolen, ReasonSteal)
	note(e.busy(), ReasonLoad)
	return out
}

// unisolated reports whether the scheduler puts other tasks on the cores that count.
func (e *examination) unisolated() bool {
	if len(e.Host.CPUs) == 0 {
		return false
	}
	if len(e.cores) == 0 {
		return len(e.Host.Isolated) == 0
	}
	return len(without(e.cores, e.Host.Isolated)) > 0
}

// siblingsBusy reports whether a CPU that shares a core with one that counts does something, or,
// where none are named, whether any two share one.
func (e *examination) siblingsBusy() bool {
	for _, cpu := range e.watched() {
		for _, s := range cpu.Siblings {
			if s == cpu.ID {
				continue
			}
			if len(e.cores) == 0 || slices.Contains(e.cores, s) || e.works(s) {
				return true
			}
		}
	}
	return false
}

// works reports whether a CPU was in use while the machine was looked at.
func (e *examination) works(cpu int) bool {
	t := e.Spent.Each[cpu]
	return share(t.Total-min(t.Idle, t.Total), t.Total) > busyShare
}

// busy reports whether the CPUs do more than they should while nothing is measured.
func (e *examination) busy() bool {
	n := len(e.Host.CPUs)
	if t := e.Spent.All; t.Total > 0 {
		return float64(t.Total-min(t.Idle, t.Total)) > busyShare*float64(t.Total)
	}
	return n > 0 && e.Host.Load > busyShare*float64(n)
}

// reserved reports whether there is a huge page to be had, or nothing is known of memory.
func reserved(h *host.Facts) bool {
	for i := range h.Nodes {
		for _, p := range h.Nodes[i].Pools {
			if p.Free > 0 {
				return true
			}
		}
	}
	return len(h.Nodes) == 0
}
