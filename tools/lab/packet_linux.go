package lab

import (
	"fmt"

	"weir/tools/blast/live"
)

// Sender sends frames through the stack. The flow that a frame belongs to decides about its queue,
// at both ends: this is the way to reach more queues than there are CPUs. A Sender stays with the
// interface that it was opened for.
//
// Concurrency: for one goroutine at a time.
type Sender struct {
	socket *live.Socket
	name   string
}

// Sender opens a Sender for a link. Close it.
func (l *Lab) Sender(link int) (*Sender, error) {
	s := &Sender{name: Gen.Interface(link)}
	return s, l.Gen().Do(func() (err error) {
		s.socket, err = live.NewSocket(int(l.indexes[link].Load()))
		return err
	})
}

// Send returns how many frames the kernel took before the first that it did not.
func (s *Sender) Send(frames [][]byte) (sent int, err error) {
	for _, frame := range frames {
		if err := s.socket.Write(frame); err != nil {
			return sent, fmt.Errorf("send frame %d to %s: %w", sent, s.name, err)
		}
		sent++
	}
	return sent, nil
}

// Close takes milliseconds: the kernel waits until nobody can be using the socket.
func (s *Sender) Close() error { return s.socket.Close() }

// SendFrames sends frames with a Sender of their own.
func (l *Lab) SendFrames(link int, frames [][]byte) (sent int, err error) {
	s, err := l.Sender(link)
	if err != nil {
		return 0, err
	}
	defer func() { _ = s.Close() }()
	return s.Send(frames)
}
