package lab

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// SendFrames sends frames through the stack, and returns how many the kernel took before the
// first that it did not. The flow that a frame belongs to decides about its queue, at both ends:
// this is the way to reach more queues than there are CPUs.
func (l *Lab) SendFrames(link int, frames [][]byte) (sent int, err error) {
	name := Gen.Interface(link)
	err = l.Gen().Do(func() error {
		s, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("open packet socket: %w", err)
		}
		defer func() { _ = unix.Close(s) }()
		to := &unix.SockaddrLinklayer{Ifindex: int(l.indexes[link].Load())}
		for _, frame := range frames {
			if err := unix.Sendto(s, frame, 0, to); err != nil {
				return fmt.Errorf("send frame %d to %s: %w", sent, name, err)
			}
			sent++
		}
		return nil
	})
	return sent, err
}
