package exabgp

import "golang.org/x/sys/unix"

// unread returns how many bytes are in the pipe.
func (w *writer) unread() int {
	n, err := unix.IoctlGetInt(w.fd, unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return n
}
