package afpacket

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"weir/ring"
	"weir/ring/nic"
)

// retireMillis is how long the kernel keeps a block that is not full: what a packet waits at most.
const retireMillis = 4

// Link types of frames that have a head of Ethernet, and of those that begin with IP.
const (
	linkEthernet = 1
	linkRaw      = 101
)

// linkOf returns the link type of an interface's frames.
func linkOf(i *nic.Interface) uint16 {
	if i.Encapsulation == "ether" || i.Encapsulation == "loopback" {
		return linkEthernet
	}
	return linkRaw
}

// socket is one packet socket with its ring.
type socket struct {
	*blocks
	fd       int
	broken   atomic.Pointer[error] // of Poll: final
	received atomic.Uint64
	bytes    atomic.Uint64

	mu    sync.Mutex // of what follows: the kernel forgets its counts when it is asked
	put   uint64     // frames that the kernel put into the ring
	drops uint64     // that it had no room for
}

// openSocket opens a socket that receives nothing yet.
func openSocket(c *Config, i *nic.Interface) (s *socket, err error) {
	s = &socket{fd: -1}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
			s = nil
		}
	}()
	s.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return s, fmt.Errorf("open a packet socket (it takes CAP_NET_RAW): %w", err)
	}
	err = unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_VERSION, unix.TPACKET_V3)
	if err != nil {
		return s, fmt.Errorf("ask for TPACKET_V3: %w", err)
	}
	if c.Incoming {
		err = unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
		if err != nil {
			return s, fmt.Errorf("leave out what is sent: %w", err)
		}
	}
	err = unix.SetsockoptTpacketReq3(s.fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &unix.TpacketReq3{
		Block_size: uint32(c.BlockSize), Block_nr: uint32(c.Blocks),
		Frame_size: 2048, Frame_nr: uint32(c.Blocks * (c.BlockSize / 2048)),
		Retire_blk_tov: retireMillis,
	})
	if err != nil {
		return s, fmt.Errorf("make a ring of %d blocks of %d bytes: %w", c.Blocks, c.BlockSize, err)
	}
	mem, err := unix.Mmap(s.fd, 0, c.Blocks*c.BlockSize, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return s, fmt.Errorf("map the ring: %w", err)
	}
	s.blocks = newBlocks(mem, c.BlockSize, linkOf(i))
	return s, s.mute()
}

// mute makes the socket take no frame, nor count any. Until all sockets are in the group each of
// them is offered frames that others have, too.
func (s *socket) mute() error {
	nothing := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K} // no byte of any frame
	err := unix.SetsockoptSockFprog(s.fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: 1, Filter: &nothing})
	if err != nil {
		return fmt.Errorf("stop receiving: %w", err)
	}
	return nil
}

// unmute begins to receive.
func (s *socket) unmute() error {
	err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
	if err != nil {
		return fmt.Errorf("begin to receive: %w", err)
	}
	return nil
}

// bind connects the socket to the interface.
func (s *socket) bind(i *nic.Interface) error {
	all := uint16(unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8) // in network byte order
	err := unix.Bind(s.fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: i.Index})
	if err != nil {
		return fmt.Errorf("bind to %s: %w", i.Name, err)
	}
	return nil
}

// bound reports whether the socket still belongs to the interface with that index. When one goes
// away its sockets are left with none, even if it comes back with the same index.
func (s *socket) bound(index int) bool {
	address, err := unix.Getsockname(s.fd)
	if err != nil {
		return true // the kernel did not answer this time
	}
	at, ok := address.(*unix.SockaddrLinklayer)
	return !ok || at.Ifindex == index
}

// newGroup asks join for a fanout group of its own. It is no number that the kernel gives: the
// first group after a boot is 0.
const newGroup = -1

// join makes the socket a member of a fanout group, which keeps a flow with one of them: of the
// given one, 0 to 65535, or of a newGroup. It returns the group's number.
func (s *socket) join(group int) (int, error) {
	arg := group | unix.PACKET_FANOUT_HASH<<16
	if group == newGroup {
		arg = (unix.PACKET_FANOUT_HASH | unix.PACKET_FANOUT_FLAG_UNIQUEID) << 16
	}
	if err := unix.SetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_FANOUT, arg); err != nil {
		return 0, fmt.Errorf("join a fanout group: %w", err)
	}
	got, err := unix.GetsockoptInt(s.fd, unix.SOL_PACKET, unix.PACKET_FANOUT)
	if err != nil {
		return 0, fmt.Errorf("ask for the fanout group: %w", err)
	}
	return got & 0xffff, nil
}

// fail notes that the socket broke. It is a function of its own because err is kept: in Poll that
// would be an allocation for every call.
func (s *socket) fail(err error) { s.broken.Store(&err) }

// taken returns how many frames have come to the socket.
func (s *socket) taken() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ask()
	return s.put + s.drops
}

// ask takes on the kernel's counts.
func (s *socket) ask() {
	st, err := unix.GetsockoptTpacketStatsV3(s.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err == nil { // Packets counts those that it dropped as well
		s.put += uint64(st.Packets - st.Drops)
		s.drops += uint64(st.Drops)
	}
}

// stats returns the socket's totals.
func (s *socket) stats() ring.Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ask()
	return ring.Stats{
		Received: s.received.Load(), Bytes: s.bytes.Load(),
		Dropped: map[string]uint64{DropRing: s.drops},
	}
}

// finish makes the socket receive nothing more, and returns its totals with all that is still in
// the ring as lost. No worker may use it any more.
func (s *socket) finish() (ring.Stats, error) {
	err := s.mute()
	st := s.stats()
	st.Dropped[DropClosed] = s.put - min(s.put, st.Received)
	return st, err
}

// release closes the socket and unmaps its ring. No worker may use it any more.
func (s *socket) release() error {
	var errs []error
	if s.blocks != nil {
		errs = append(errs, unix.Munmap(s.mem))
	}
	if s.fd >= 0 {
		errs = append(errs, unix.Close(s.fd))
	}
	s.fd, s.blocks = -1, nil
	return errors.Join(errs...)
}
