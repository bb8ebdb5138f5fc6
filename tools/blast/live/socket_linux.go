package live

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Socket is an AF_PACKET socket to send frames with, through the stack: the flow that a frame
// belongs to decides about its queue. It stays with the interface that it was opened for.
//
// Concurrency: for one goroutine at a time.
type Socket struct {
	fd int
	to unix.SockaddrLinklayer
}

// NewSocket opens a socket for the interface with that index in the thread's network namespace.
// Close it.
func NewSocket(index int) (*Socket, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	return &Socket{fd: fd, to: unix.SockaddrLinklayer{Ifindex: index}}, nil
}

// Write sends one frame.
func (s *Socket) Write(frame []byte) error { return unix.Sendto(s.fd, frame, 0, &s.to) }

// Close takes milliseconds: the kernel waits until nobody can be using the socket.
func (s *Socket) Close() error { return unix.Close(s.fd) }
