package afxdp

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"weir/ring/xsk"
)

// primed is how many frames a Transmitter leaves to the driver for receiving: in zero-copy mode
// the queue's receive half works with our memory too, and what arrives there goes on to the host.
const primed = 64

// Transmitter sends on one queue of an interface. It has no program there, and receives nothing.
// Kick, and nothing else, tells the kernel what Flush has made ready.
//
// Concurrency: for one goroutine.
type Transmitter struct {
	*xsk.Sender
	socket  socket
	frames  int
	tx      xsk.Ring[xsk.Desc]
	refused uint64
}

// OpenTransmitter opens a socket for sending on the interface with that index, in the best mode
// that ZeroCopy allows and the driver grants. Queues holds the one queue; Frames and FrameSize are
// for sending; Clock and what follows it is of no use here. Close it.
func OpenTransmitter(c Config, index int) (*Transmitter, error) {
	c.Clock = func() int64 { return 0 }
	if err := c.withDefaults(); err != nil {
		return nil, err
	}
	if len(c.Queues) != 1 {
		return nil, fmt.Errorf("%d queues for one transmitter", len(c.Queues))
	}
	raiseMemlock()
	if c.ZeroCopy == Off {
		return openTransmitter(&c, index, unix.XDP_COPY)
	}
	t, err := openTransmitter(&c, index, unix.XDP_ZEROCOPY)
	if err == nil || c.ZeroCopy == Required || errors.Is(err, unix.EPERM) || taken(err) {
		return t, err
	}
	reason := fmt.Sprintf("zero-copy: %v", err)
	if t, err = openTransmitter(&c, index, unix.XDP_COPY); err != nil {
		return nil, fmt.Errorf("%s, copy: %w", reason, err)
	}
	t.socket.reason = reason
	return t, nil
}

// openTransmitter waits for a queue that its last owner has only just given up.
func openTransmitter(c *Config, index int, flags bindFlags) (t *Transmitter, err error) {
	err = whileBusy(func() error {
		t, err = newTransmitter(c, index, flags)
		return err
	})
	return t, err
}

func newTransmitter(c *Config, index int, flags bindFlags) (t *Transmitter, err error) {
	t = &Transmitter{frames: c.Frames, socket: socket{queue: c.Queues[0], fd: -1}}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.socket.release())
		}
	}()
	umem, whole, err := newUMEM((c.Frames + primed) * c.FrameSize)
	if err != nil {
		return t, err
	}
	t.socket.maps = append(t.socket.maps, whole)
	t.socket.fd, err = unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return t, fmt.Errorf("open an AF_XDP socket: %w", err)
	}
	if err = t.makeRings(c, umem); err != nil {
		return t, err
	}
	address := &unix.SockaddrXDP{
		Flags: uint16(flags) | unix.XDP_USE_NEED_WAKEUP, Ifindex: uint32(index),
		QueueID: uint32(t.socket.queue),
	}
	if err = unix.Bind(t.socket.fd, address); err != nil {
		return t, fmt.Errorf("bind: %w", err)
	}
	return t, t.socket.granted()
}

// makeRings is socket's for sending: a transmit and a completion ring that hold all frames, and
// the fill ring that a bind demands.
func (t *Transmitter) makeRings(c *Config, umem []byte) error {
	o, err := t.socket.register(umem, c.FrameSize, []ringSize{
		{unix.XDP_UMEM_FILL_RING, primed},
		{unix.XDP_UMEM_COMPLETION_RING, c.Frames},
		{unix.XDP_TX_RING, c.Frames},
	})
	if err != nil {
		return err
	}
	t.tx, err = mapRing[xsk.Desc](&t.socket, o.Tx, unix.XDP_PGOFF_TX_RING, c.Frames)
	if err != nil {
		return fmt.Errorf("map the tx ring: %w", err)
	}
	done, err := mapRing[uint64](&t.socket, o.Cr, unix.XDP_UMEM_PGOFF_COMPLETION_RING, c.Frames)
	if err != nil {
		return fmt.Errorf("map the completion ring: %w", err)
	}
	fill, err := mapRing[uint64](&t.socket, o.Fr, unix.XDP_UMEM_PGOFF_FILL_RING, primed)
	if err != nil {
		return fmt.Errorf("map the fill ring: %w", err)
	}
	for i := range fill.Entries {
		fill.Entries[i] = uint64(c.Frames+i) * uint64(c.FrameSize)
	}
	fill.Producer.Store(primed)
	t.Sender, err = xsk.NewSender(xsk.SenderConfig{
		UMEM: umem, FrameSize: c.FrameSize, Frames: c.Frames, TX: t.tx, Completion: done,
	})
	return err
}

// Mode returns what was granted, ModeZeroCopy or ModeCopy, and why it is nothing better.
func (t *Transmitter) Mode() (mode, reason string) { return t.socket.mode, t.socket.reason }

// Outstanding returns how many frames were committed and have not left the kernel.
func (t *Transmitter) Outstanding() int { return t.frames - t.Free() }

// Refused returns how many of the frames that left the kernel the driver dropped at once. Those
// that it drops in silence are in the interface's own counters only.
func (t *Transmitter) Refused() uint64 { return t.refused }

// Invalid returns how many frames the kernel threw away as no frames that can be sent.
func (t *Transmitter) Invalid() uint64 {
	var st unix.XDPStatistics
	if t.socket.get(unix.XDP_STATISTICS, unsafe.Pointer(&st), unsafe.Sizeof(st)) != nil {
		return 0
	}
	return st.Tx_invalid_descs
}

// Kick lets the kernel take from the tx ring: in copy mode it sends some dozens of frames in this
// call, with zero-copy it wakes the driver where that sleeps. False says that it wants to be asked
// again, once it could have got rid of something. The error is final: the interface is gone, or
// down.
func (t *Transmitter) Kick() (ok bool, err error) {
	if t.tx.Flags.Load()&xsk.NeedWakeup == 0 || t.Outstanding() == 0 {
		return true, nil
	}
	fd := uintptr(t.socket.fd)
	_, _, errno := unix.Syscall6(unix.SYS_SENDTO, fd, 0, 0, unix.MSG_DONTWAIT, 0, 0)
	switch errno {
	case 0:
		return true, nil
	case unix.EBUSY: // xsk_generic_xmit: one frame left the ring, and the driver dropped it
		t.refused++
		return true, nil
	case unix.EAGAIN: // as many as one call sends, or the queue is full
		return true, nil
	case unix.ENOBUFS, unix.EINTR:
		return false, nil
	}
	return false, fmt.Errorf("send: %w", errno)
}

// Close frees the queue. Frames that are outstanding are lost.
func (t *Transmitter) Close() error { return t.socket.release() }
