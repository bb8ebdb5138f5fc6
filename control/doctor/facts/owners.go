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
	wanted := map[uint64][]*doctor.Owner{} // inode → who asks
	ask := func(sockets []host.Socket, at netip.AddrPort, owner *doctor.Owner) {
		for i := range sockets {
			s := &sockets[i]
			if at.Port() != 0 && overlap(s.Local, at) {
				owner.Program = "?"
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
		find("/proc", wanted, listener(f.Plan.Socket))
	}
}

// overlap reports whether two sockets cannot both be bound.
func overlap(a, b netip.AddrPort) bool {
	x, y := a.Addr().Unmap(), b.Addr().Unmap()
	return a.Port() == b.Port() && (x == y || x.IsUnspecified() || y.IsUnspecified())
}

// find looks through the descriptors of all processes that this one may look at. Those of the
// process weir, 0: there is none, and of its children are ours: it has a speaker for BGP.
func find(proc string, wanted map[uint64][]*doctor.Owner, weir int) {
	processes, err := os.ReadDir(proc)
	if err != nil {
		return
	}
	for _, p := range processes {
		pid, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		dir := proc + "/" + p.Name()
		for _, inode := range sockets(dir) {
			if len(wanted[inode]) == 0 {
				continue
			}
			comm, err := os.ReadFile(dir + "/comm")
			if err != nil {
				continue // it ended
			}
			ours := weir != 0 && (pid == weir || parent(dir) == weir)
			for _, owner := range wanted[inode] {
				note(owner, strings.TrimSpace(string(comm)), ours)
			}
		}
	}
}

// note tells an owner of a program that has a socket there. A stranger among several is the one to
// tell of.
func note(o *doctor.Owner, program string, ours bool) {
	if o.Program == "?" || o.Ours {
		*o = doctor.Owner{Program: program, Ours: ours}
	}
}

// sockets returns the inodes of the sockets that a process has; none of another user's.
func sockets(dir string) (inodes []uint64) {
	descriptors, err := os.ReadDir(dir + "/fd")
	if err != nil {
		return nil
	}
	for _, d := range descriptors {
		to, err := os.Readlink(dir + "/fd/" + d.Name())
		digits, ok := strings.CutPrefix(to, "socket:[")
		if err != nil || !ok {
			continue
		}
		inode, err := strconv.ParseUint(strings.TrimSuffix(digits, "]"), 10, 64)
		if err == nil {
			inodes = append(inodes, inode)
		}
	}
	return inodes
}

// parent returns the process that started the one whose folder dir is; 0: not known.
func parent(dir string) int {
	text, err := os.ReadFile(dir + "/status")
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), "\nPPid:")
	line, _, _ := strings.Cut(after, "\n")
	pid, _ := strconv.Atoi(strings.TrimSpace(line)) // 0 where it is no number
	return pid
}
