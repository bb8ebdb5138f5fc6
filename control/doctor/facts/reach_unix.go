//go:build unix

package facts

import (
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const greatestTTL = 255

// farthest gives a connection the greatest TTL. A kernel that does not gives it its own.
func farthest(network, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) {
		if strings.HasSuffix(network, "6") {
			_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, greatestTTL)
			return
		}
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_TTL, greatestTTL)
	})
}
