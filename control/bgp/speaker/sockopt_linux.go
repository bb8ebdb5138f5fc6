package speaker

import (
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// setKey signs the segments to and from an address (RFC 2385). It needs no privilege.
func setKey(fd int, addr netip.Addr, key string) error {
	if len(key) > unix.TCP_MD5SIG_MAXKEYLEN {
		return fmt.Errorf("password of %d bytes, at most %d", len(key), unix.TCP_MD5SIG_MAXKEYLEN)
	}
	sig := &unix.TCPMD5Sig{Keylen: uint16(len(key))}
	copy(sig.Key[:], key)
	if addr.Is4() {
		ip := addr.As4()
		sig.Addr.Family = unix.AF_INET
		copy(sig.Addr.Data[2:], ip[:]) // sockaddr_in: port, address
	} else {
		ip := addr.As16()
		sig.Addr.Family = unix.AF_INET6
		copy(sig.Addr.Data[6:], ip[:]) // sockaddr_in6: port, flow, address
	}
	return os.NewSyscallError("TCP_MD5SIG",
		unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, sig))
}

// setHops sets the TTL of what is sent, and the least of what is taken (RFC 5082); 0 sets none.
func setHops(fd int, is6 bool, ttl, least int) error {
	level, send, take := unix.IPPROTO_IP, unix.IP_TTL, unix.IP_MINTTL
	if is6 {
		level, send, take = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, unix.IPV6_MINHOPCOUNT
	}
	if ttl != 0 {
		if err := unix.SetsockoptInt(fd, level, send, ttl); err != nil {
			return os.NewSyscallError("set TTL", err)
		}
	}
	if least != 0 {
		if err := unix.SetsockoptInt(fd, level, take, least); err != nil {
			return os.NewSyscallError("set least TTL", err)
		}
	}
	return nil
}
