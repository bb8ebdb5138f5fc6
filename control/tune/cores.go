package tune

import (
	"slices"

	"weir/control/host"
)

// housekeeping is how many CPUs are left to everything but workers: control, the kernel's own
// work, the operator's shell.
const housekeeping = 2

// supply gives out cores: one CPU of each, whose siblings stay idle.
type supply struct {
	host  *host.Facts
	cores []host.CPU // free, by ID
	left  int        // CPUs that nobody has, those of free cores among them
}

// newSupply knows the cores of a machine, except the one of the lowest CPU, which does the
// machine's housekeeping. Where the kernel's command line isolates cores, those alone are given
// out.
func newSupply(h *host.Facts) *supply {
	s := &supply{host: h, left: len(h.CPUs)}
	for i := range h.CPUs {
		c := h.CPUs[i]
		if i == 0 || slices.Contains(c.Siblings, h.CPUs[0].ID) || c.ID != first(&c) {
			continue
		}
		if len(h.Isolated) > 0 && !slices.Contains(h.Isolated, c.ID) {
			continue
		}
		s.cores = append(s.cores, c)
	}
	return s
}

// first returns the lowest CPU of a CPU's core.
func first(c *host.CPU) int {
	if len(c.Siblings) == 0 {
		return c.ID
	}
	return slices.Min(c.Siblings)
}

// free returns how many cores there are to give out for a node (-1: any), near it and in all.
func (s *supply) free(node int) (near, all int) {
	left := s.left
	for i := range s.cores {
		if left -= max(1, len(s.cores[i].Siblings)); left < housekeeping {
			break
		}
		all++
	}
	for i := range s.cores {
		if s.near(&s.cores[i], node) {
			near++
		}
	}
	return min(near, all), all
}

func (s *supply) near(c *host.CPU, node int) bool {
	return node < 0 || c.Node < 0 || c.Node == node
}

// take gives out n cores, near a node first. There must be as many.
func (s *supply) take(n, node int) (cpus []int, remote bool) {
	for _, near := range []bool{true, false} {
		for i := 0; i < len(s.cores) && len(cpus) < n; {
			c := s.cores[i]
			if s.near(&c, node) != near {
				i++
				continue
			}
			cpus = append(cpus, c.ID)
			remote = remote || !near
			s.left -= max(1, len(c.Siblings))
			s.cores = slices.Delete(s.cores, i, i+1)
		}
	}
	return cpus, remote
}

// withSiblings returns CPUs with all that share their cores, sorted.
func withSiblings(h *host.Facts, cpus []int) (out []int) {
	for _, id := range cpus {
		out = append(out, id)
		if c := h.CPU(id); c != nil {
			out = append(out, c.Siblings...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
