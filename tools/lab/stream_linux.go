package lab

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Stream sends frames through the stack of Gen, a burst each millisecond, for as long as it is not
// stopped. While there is no link none of them is sent. Other than those of a Generator they
// arrive in one way whatever is attached at the other end, so that the receiver's count has all.
type Stream struct {
	mu   sync.Mutex // held while a burst goes out
	sent uint64
	err  error
	stop chan struct{}
	done chan struct{}
}

// Stream starts to send frames on a link. Stop it.
func (l *Lab) Stream(link int, frames [][]byte) *Stream {
	s := &Stream{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		for s.err == nil {
			select {
			case <-s.stop:
				return
			case <-time.After(tick):
				s.burst(l, link, frames)
			}
		}
	}()
	return s
}

func (s *Stream) burst(l *Lab, link int, frames [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := l.SendFrames(link, frames)
	s.sent += uint64(n)
	absent := []error{unix.ENXIO, unix.ENODEV, unix.ENETDOWN, unix.EINVAL}
	if err != nil && !slices.ContainsFunc(absent, func(e error) bool { return errors.Is(err, e) }) {
		s.err = fmt.Errorf("stream: %w", err)
	}
}

// quietTime is enough for frames to arrive that were sent.
const quietTime = 20 * time.Millisecond

// Quietly calls change while no frame is on its way: none is lost with an interface.
func (s *Stream) Quietly(change func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	time.Sleep(quietTime)
	return change()
}

// Stop ends the stream and returns how many frames it sent.
func (s *Stream) Stop() (sent uint64, err error) {
	close(s.stop)
	<-s.done
	return s.sent, s.err
}
