package daemon

import (
	"slices"
	"time"

	"weir/control"
	"weir/control/config"
)

// housekeeping is how many cores stay free for everything but workers, where cores are chosen.
const housekeeping = 2

// chooseCores gives cores to the workers that the file names none for: the highest of those
// allowed, where that leaves two for everything else. Otherwise they run wherever there is room:
// a worker that is pinned beside another, or beside the loop, is worse off than a free one.
func chooseCores(in []control.Input, allowed []int) {
	free := slices.Clone(allowed)
	var without []int
	for i := range in {
		if in[i].Core < 0 {
			without = append(without, i)
			continue
		}
		free = slices.DeleteFunc(free, func(c int) bool { return c == in[i].Core })
	}
	if len(free) < len(without)+housekeeping {
		return
	}
	free = free[len(free)-len(without):]
	for n, i := range without {
		in[i].Core = free[n]
	}
}

// ownCoreSpin is how long a worker with a core of its own polls without sleeping.
const ownCoreSpin = time.Millisecond

// spin returns how long workers on cores poll without sleeping: 0 unless each has its core for
// itself, of all that the file names, and two of the machine's are left for everything else.
func spin(cores, named []int, cpus int) time.Duration {
	count := map[int]int{}
	for _, c := range named {
		count[c]++
	}
	shared := func(c int) bool { return count[c] > 1 }
	if len(cores) == 0 || slices.ContainsFunc(cores, shared) || cpus < len(count)+housekeeping {
		return 0
	}
	return ownCoreSpin
}

// namedCores returns the cores that the file gives to workers, as often as it does.
func namedCores(c *config.Config) (named []int) {
	for i := range c.Capture.AFXDP {
		named = append(named, c.Capture.AFXDP[i].Cores...)
	}
	for i := range c.Capture.AFPacket {
		named = append(named, c.Capture.AFPacket[i].Cores...)
	}
	for i := range c.Capture.Flows {
		named = append(named, c.Capture.Flows[i].Cores...)
	}
	return named
}
