package facts

import (
	"net/netip"
	"os"
	"strconv"
	"strings"

	"weir/control/doctor"
	"weir/control/host"
)

// owners finds out whose sockets are where the daemon is to listen.
func owners(f *doctor.Facts) {
	wanted := map[uint64][]*string{} // inode → who asks
	ask := func(sockets []host.Socket, at netip.AddrPort, owner *string) {
		for i := range sockets {
			s := &sockets[i]
			if at.Port() != 0 && overlap(s.Local, at) {
				*owner = "?"
				wanted[s.Inode] = append(wanted[s.Inode], owner)
			}
		}
	}
	for i := range f.Plan.Ports {
		ask(f.Host.UDP, f.Plan.Ports[i].Listen, &f.Plan.Ports[i].Owner)
	}
	for i := range f.Plan.Listens {
		ask(f.Host.TCP, f.Plan.Listens[i].At, &f.Plan.Listens[i].Owner)
	}
	if len(wanted) > 0 {
		find("/proc", wanted)
	}
}

// overlap reports whether two sockets cannot both be bound.
func overlap(a, b netip.AddrPort) bool {
	x, y := a.Addr().Unmap(), b.Addr().Unmap()
	return a.Port() == b.Port() && (x == y || x.IsUnspecified() || y.IsUnspecified())
}

// find looks through the descriptors of all processes that this one may look at.
func find(proc string, wanted map[uint64][]*string) {
	processes, err := os.ReadDir(proc)
	if err != nil {
		return
	}
	for _, p := range processes {
		if _, err := strconv.Atoi(p.Name()); err != nil {
			continue
		}
		dir := proc + "/" + p.Name()
		descriptors, err := os.ReadDir(dir + "/fd")
		if err != nil {
			continue // another user's
		}
		for _, d := range descriptors {
			to, err := os.Readlink(dir + "/fd/" + d.Name())
			digits, ok := strings.CutPrefix(to, "socket:[")
			if err != nil || !ok {
				continue
			}
			inode, err := strconv.ParseUint(strings.TrimSuffix(digits, "]"), 10, 64)
			if err != nil || len(wanted[inode]) == 0 {
				continue
			}
			comm, err := os.ReadFile(dir + "/comm")
			if err != nil {
				continue // it ended
			}
			for _, owner := range wanted[inode] {
				*owner = strings.TrimSpace(string(comm))
			}
		}
	}
}
