package bgp

import "syscall"

// attributes make a child end with this process, and keep the terminal's signals from it: those
// are for weir, which decides what becomes of the routes.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
