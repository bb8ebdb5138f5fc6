package afxdp

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"weir/ring"
	"weir/ring/xsk"
)

// socket is one AF_XDP socket with its own memory, bound to one queue.
type socket struct {
	*xsk.Queue
	queue  int
	mode   string
	reason string // why not a better mode
	fd     int
	maps   [][]byte // UMEM first
	rx     xsk.Ring[xsk.Desc]
	broken atomic.Pointer[error] // of Poll: final

	polling polling
	huge    string // of UMEM
	node    int    // of UMEM
}

// completionSize is the size of the ring of sent frames, which a bind demands though we send none.
const completionSize = 64

// bindFlags are what one attempt to bind asks for.
type bindFlags uint16

// openSocket makes a socket with memory and primed rings, and binds it to one queue of the
// interface with that index.
func openSocket(c *Config, index, queue int, flags bindFlags) (s *socket, err error) {
	s = &socket{queue: queue, fd: -1, node: -1}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	umem, whole, err := newUMEM(c.Frames * c.FrameSize)
	if err != nil {
		return s, err
	}
	s.maps = append(s.maps, whole)
	s.huge, s.node = pagesOf(umem)
	s.fd, err = unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return s, fmt.Errorf("open an AF_XDP socket: %w", err)
	}
	if err = s.makeRings(c, umem); err != nil {
		return s, err
	}
	address := &unix.SockaddrXDP{
		Flags: uint16(flags) | unix.XDP_USE_NEED_WAKEUP, Ifindex: uint32(index),
		QueueID: uint32(queue),
	}
	if err = unix.Bind(s.fd, address); err != nil {
		return s, fmt.Errorf("bind: %w", err)
	}
	return s, s.granted()
}

// ringSize is how many entries one ring is to have.
type ringSize struct{ option, size int }

// register registers the memory, sizes the rings and returns where they are to be mapped.
func (s *socket) register(
	umem []byte, frameSize int, rings []ringSize,
) (o unix.XDPMmapOffsets, err error) {
	reg := unix.XDPUmemReg{
		Addr: uint64(uintptr(unsafe.Pointer(unsafe.SliceData(umem)))), // outside the Go heap: stays
		Len:  uint64(len(umem)), Size: uint32(frameSize),
	}
	if err := s.set(unix.XDP_UMEM_REG, unsafe.Pointer(&reg), unsafe.Sizeof(reg)); err != nil {
		return o, fmt.Errorf("register %d bytes of frames (memory lock limit?): %w", len(umem), err)
	}
	for _, ring := range rings {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_XDP, ring.option, ring.size); err != nil {
			return o, fmt.Errorf("make a ring of %d entries: %w", ring.size, err)
		}
	}
	if err := s.get(unix.XDP_MMAP_OFFSETS, unsafe.Pointer(&o), unsafe.Sizeof(o)); err != nil {
		return o, fmt.Errorf("ask for the rings' layout: %w", err)
	}
	return o, nil
}

// makeRings makes the rings for receiving, maps them and fills the fill ring.
func (s *socket) makeRings(c *Config, umem []byte) error {
	o, err := s.register(umem, c.FrameSize, []ringSize{
		{unix.XDP_UMEM_FILL_RING, c.Frames},
		{unix.XDP_UMEM_COMPLETION_RING, completionSize},
		{unix.XDP_RX_RING, c.Frames},
	})
	if err != nil {
		return err
	}
	s.rx, err = mapRing[xsk.Desc](s, o.Rx, unix.XDP_PGOFF_RX_RING, c.Frames)
	if err != nil {
		return fmt.Errorf("map the rx ring: %w", err)
	}
	fill, err := mapRing[uint64](s, o.Fr, unix.XDP_UMEM_PGOFF_FILL_RING, c.Frames)
	if err != nil {
		return fmt.Errorf("map the fill ring: %w", err)
	}
	s.Queue, err = xsk.NewQueue(xsk.Config{
		UMEM: umem, FrameSize: c.FrameSize, Frames: c.Frames, RX: s.rx, Fill: fill,
		Clock: c.Clock, Wake: s.wake, Drops: s.drops,
	})
	return err
}

// mapRing maps one ring of s; release unmaps it.
func mapRing[T uint64 | xsk.Desc](
	s *socket, o unix.XDPRingOffset, page int64, size int,
) (xsk.Ring[T], error) {
	var entry T
	length := int(o.Desc) + size*int(unsafe.Sizeof(entry))
	mem, err := unix.Mmap(s.fd, page, length, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		return xsk.Ring[T]{}, err
	}
	s.maps = append(s.maps, mem)
	return xsk.MapRing[T](mem, xsk.Offsets{
		Producer: o.Producer, Consumer: o.Consumer, Desc: o.Desc, Flags: o.Flags,
	}, size)
}

// granted notes whether the bind gave zero-copy.
func (s *socket) granted() error {
	var options uint32
	err := s.get(unix.XDP_OPTIONS, unsafe.Pointer(&options), unsafe.Sizeof(options))
	if err != nil {
		return fmt.Errorf("ask for the granted mode: %w", err)
	}
	s.mode = ModeCopy
	if options&unix.XDP_OPTIONS_ZEROCOPY != 0 {
		s.mode = ModeZeroCopy
	}
	return nil
}

// wake makes the kernel look at the fill ring. It never sleeps, so the scheduler need not know.
func (s *socket) wake() {
	s.polling.woken = true
	_, _, _ = unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(s.fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
}

// unbound reports whether the socket has lost its interface. The kernel says so when it is woken.
func (s *socket) unbound() bool {
	_, _, errno := unix.Syscall6(unix.SYS_RECVFROM, uintptr(s.fd), 0, 0, unix.MSG_DONTWAIT, 0, 0)
	return errno == unix.ENXIO
}

// drops returns the kernel's count of frames that did not reach the rx ring, by place. The kernel
// also counts descriptors that it missed in the fill ring; each such frame is in Rx_dropped.
func (s *socket) drops() map[string]uint64 {
	var st unix.XDPStatistics
	if s.get(unix.XDP_STATISTICS, unsafe.Pointer(&st), unsafe.Sizeof(st)) != nil {
		return nil
	}
	return map[string]uint64{DropRing: st.Rx_ring_full, DropFill: st.Rx_dropped}
}

// fail notes that the socket broke. It is a function of its own because err is kept: in Poll that
// would be an allocation for every call.
func (s *socket) fail(err error) { s.broken.Store(&err) }

// waiting returns how many descriptors the worker has not taken.
func (s *socket) waiting() uint64 {
	return uint64(s.rx.Producer.Load() - s.rx.Consumer.Load())
}

// grant returns what the kernel gave.
func (s *socket) grant(c *Config) Grant {
	g := Grant{
		Huge: s.huge, Node: s.node, Frames: c.Frames,
		Fill: int(min(s.waiting()*100/uint64(c.Frames), 100)),
	}
	g.BusyPoll, g.BusyFault = s.polling.status()
	return g
}

// stats returns the socket's totals. It must not be closed meanwhile.
func (s *socket) stats() ring.Stats {
	if s.Queue == nil {
		return ring.Stats{}
	}
	return s.Queue.Stats()
}

// release closes the socket and unmaps its memory. No worker may use it any more.
func (s *socket) release() error {
	var errs []error
	if s.fd >= 0 {
		errs = append(errs, unix.Close(s.fd))
	}
	for _, mem := range s.maps {
		errs = append(errs, unix.Munmap(mem))
	}
	s.fd, s.maps = -1, nil
	return errors.Join(errs...)
}

func (s *socket) set(option int, value unsafe.Pointer, size uintptr) error {
	_, _, errno := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(s.fd), unix.SOL_XDP,
		uintptr(option), uintptr(value), size, 0)
	runtime.KeepAlive(value)
	if errno != 0 {
		return errno
	}
	return nil
}

func (s *socket) get(option int, value unsafe.Pointer, size uintptr) error {
	length := uint32(size)
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(s.fd), unix.SOL_XDP,
		uintptr(option), uintptr(value), uintptr(unsafe.Pointer(&length)), 0)
	runtime.KeepAlive(value)
	if errno != 0 {
		return errno
	}
	return nil
}
