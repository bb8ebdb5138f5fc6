package udp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"weir/ring"
)

// open opens one socket after the other on the same port.
func (l *Listener) open(c *Config, fallback bool) error {
	if err := l.claim(fallback, openSocket); err != nil {
		return err
	}
	for n := range c.Sockets {
		s, err := openSource(c, l.at)
		if err != nil {
			return fmt.Errorf("open socket %d: %w", n, err)
		}
		l.sources = append(l.sources, s)
		if n > 0 {
			continue
		}
		l.effective = s.buffer
		if l.at.Port() == 0 {
			bound, err := localAddr(s.fd)
			if err != nil {
				return err
			}
			l.at = netip.AddrPortFrom(l.at.Addr(), bound.Port())
		}
	}
	return nil
}

// claim makes sure that nobody has the port: a socket that shares would share it with any other
// program of the same user that shares too, and each would get a part of the datagrams. It changes
// the address to IPv4's where the kernel has no IPv6 and IPv4 alone will do.
func (l *Listener) claim(fallback bool, openSocket func(netip.AddrPort) (int, error)) error {
	fd, err := openSocket(l.at)
	if fallback && errors.Is(err, unix.EAFNOSUPPORT) {
		l.at = netip.AddrPortFrom(netip.IPv4Unspecified(), l.at.Port())
		fd, err = openSocket(l.at)
	}
	if err != nil {
		return err
	}
	return errors.Join(bind(fd, l.at), unix.Close(fd))
}

// openSocket opens a socket of at's family that is not bound.
func openSocket(at netip.AddrPort) (int, error) {
	family := unix.AF_INET6
	if at.Addr().Is4() {
		family = unix.AF_INET
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("open a socket: %w", err)
	}
	if family == unix.AF_INET6 { // whatever net.ipv6.bindv6only says
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
		if err != nil {
			return -1, errors.Join(fmt.Errorf("ask for IPv4 too: %w", err), unix.Close(fd))
		}
	}
	return fd, nil
}

// bind binds a socket, and says what to do where that is refused.
func bind(fd int, at netip.AddrPort) error {
	var to unix.Sockaddr = &unix.SockaddrInet4{Port: int(at.Port()), Addr: at4(at.Addr())}
	if !at.Addr().Is4() {
		zone := 0
		if name := at.Addr().Zone(); name != "" {
			i, err := net.InterfaceByName(name)
			if err != nil {
				return fmt.Errorf("find the interface %s: %w", name, err)
			}
			zone = i.Index
		}
		to = &unix.SockaddrInet6{
			Port: int(at.Port()), Addr: at.Addr().As16(), ZoneId: uint32(zone),
		}
	}
	switch err := unix.Bind(fd, to); {
	case err == nil:
		return nil
	case errors.Is(err, unix.EADDRINUSE):
		return fmt.Errorf("another program listens there: %w", err)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("ports below 1024 take CAP_NET_BIND_SERVICE: %w", err)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return fmt.Errorf("no interface has this address: %w", err)
	default:
		return fmt.Errorf("bind: %w", err)
	}
}

func at4(a netip.Addr) (b [4]byte) {
	if a.Is4() {
		b = a.As4()
	}
	return b
}

// localAddr returns where a socket is bound.
func localAddr(fd int) (netip.AddrPort, error) {
	name, err := unix.Getsockname(fd)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("ask for the port: %w", err)
	}
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port)), nil
	}
	return netip.AddrPort{}, errors.New("ask for the port: no IP address")
}

// setBuffer asks for a receive buffer of want bytes, and returns what was granted.
func setBuffer(fd, want int) (got int, err error) {
	err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, want)
	if err != nil { // not permitted: as much as net.core.rmem_max allows
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, want)
	}
	if err == nil {
		got, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	}
	if err != nil {
		return 0, fmt.Errorf("set the receive buffer: %w", err)
	}
	return got / 2, nil // the kernel counts its own overhead in
}

// memInfo is what SO_MEMINFO tells (include/uapi/linux/sock_diag.h, SK_MEMINFO_*).
type memInfo struct {
	rmemAlloc, rcvbuf, wmemAlloc, sndbuf, fwdAlloc, wmemQueued, optmem, backlog, drops uint32
}

// ask fills m, and reports whether the kernel answered.
func (m *memInfo) ask(fd int) bool {
	size := uint32(unsafe.Sizeof(*m))
	// Safe: m and size outlive the call, and the kernel writes no more than size bytes. It does
	// not wait.
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET,
		unix.SO_MEMINFO, uintptr(unsafe.Pointer(m)), uintptr(unsafe.Pointer(&size)), 0)
	return errno == 0 && size == uint32(unsafe.Sizeof(*m))
}

// percent returns how full the receive buffer is. The kernel gives room back in portions of up to
// a quarter, so that it may be as much less.
func (m *memInfo) percent() uint8 {
	if m.rcvbuf == 0 {
		return 0
	}
	return uint8(min(100, uint64(m.rmemAlloc)*100/uint64(m.rcvbuf)))
}

// message is the kernel's struct mmsghdr (recvmmsg(2)).
type message struct {
	unix.Msghdr
	length uint32
}

// nameLen is the size of struct sockaddr_in6, the longest of both families.
const nameLen = unix.SizeofSockaddrInet6

// inbox is where recvmmsg(2) puts a burst. It points into itself and must not be copied.
type inbox struct {
	messages [ring.BurstSize]message
	iovecs   [ring.BurstSize]unix.Iovec
	names    [ring.BurstSize][nameLen]byte
	mem      []byte // datagram i begins at i × stride
}

// init makes room for payloads of up to size bytes, step bytes from one to the next.
func (in *inbox) init(size, step int) {
	in.mem = make([]byte, ring.BurstSize*step)
	for i := range in.messages {
		in.iovecs[i].Base = &in.mem[i*step+ring.SenderLen]
		in.iovecs[i].SetLen(size)
		m := &in.messages[i]
		m.Iov = &in.iovecs[i]
		m.SetIovlen(1)
		m.Name = &in.names[i][0]
		m.Namelen = nameLen
	}
}

// receive takes what is there, up to a burst. It does not wait: hence RawSyscall.
func (in *inbox) receive(fd int) (int, unix.Errno) {
	// Safe: all that messages points to is part of in or in.mem, which nothing moves, and in
	// outlives the call.
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd),
		uintptr(unsafe.Pointer(&in.messages)), ring.BurstSize, unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// putSender writes who sent datagram i in front of it.
func (in *inbox) putSender(i int) {
	name, to := &in.names[i], in.mem[i*stride:i*stride+ring.SenderLen]
	if binary.NativeEndian.Uint16(name[:]) == unix.AF_INET6 {
		copy(to[:16], name[8:24])
	} else { // struct sockaddr_in
		const mapped = 0xffff << 32
		binary.BigEndian.PutUint64(to, 0)
		binary.BigEndian.PutUint64(to[8:], mapped|uint64(binary.BigEndian.Uint32(name[4:8])))
	}
	copy(to[16:], name[2:4])
}
