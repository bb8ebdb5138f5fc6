package facts

import (
	"net"

	"golang.org/x/sys/unix"
)

// listener returns the process that listens at a unix socket; 0: none that this one may ask. The
// kernel tells it, of when it began to listen: it cannot be made up, and only who may write to the
// socket's folder can be there.
func listener(path string) int {
	if path == "" {
		return 0
	}
	c, err := net.DialTimeout("unix", path, patience)
	if err != nil {
		return 0
	}
	defer c.Close()
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0
	}
	pid := 0
	err = raw.Control(func(fd uintptr) {
		peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err == nil {
			pid = int(peer.Pid)
		}
	})
	if err != nil {
		return 0
	}
	return pid
}
