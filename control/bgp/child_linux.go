package bgp

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// undress takes the ambient capabilities, by which weir captures, from the calling thread and from
// what it starts; bind keeps the one that a port below 1024 takes.
func undress(bind bool) error {
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if bind && c == unix.CAP_NET_BIND_SERVICE {
			continue
		}
		err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_LOWER, c, 0, 0)
		if err != nil && err != unix.EINVAL { // EINVAL: an older kernel does not know it
			return fmt.Errorf("give up ambient capability %d: %w", c, err)
		}
	}
	return nil
}

// attributes make a child end with this process, and keep the terminal's signals from it: those
// are for weir, which decides what becomes of the routes.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
