package udp

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Grant returns how many bytes of receive buffer the kernel grants this process when it asks for
// want, as a Listener does. It binds nothing.
func Grant(want int) (got int, err error) {
	fd, err := openSocket(netip.AddrPortFrom(netip.IPv4Unspecified(), 0))
	if err != nil {
		return 0, err
	}
	got, err = setBuffer(fd, want)
	return got, errors.Join(err, unix.Close(fd))
}
