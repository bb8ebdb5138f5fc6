//go:build !linux

package speaker

import (
	"errors"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

func setKey(int, netip.Addr, string) error {
	return errors.New("passwords of peers need Linux")
}

// setHops sets the TTL of what is sent. The least of what is taken needs Linux.
func setHops(fd int, is6 bool, ttl, least int) error {
	if least != 0 {
		return errors.New("ttl_security needs Linux")
	}
	if ttl == 0 {
		return nil
	}
	level, send := unix.IPPROTO_IP, unix.IP_TTL
	if is6 {
		level, send = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS
	}
	return os.NewSyscallError("set TTL", unix.SetsockoptInt(fd, level, send, ttl))
}
