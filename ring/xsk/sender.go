package xsk

import (
	"fmt"
	"math"
)

// SenderConfig is what a Sender transmits with.
type SenderConfig struct {
	UMEM       []byte // as in Config
	FrameSize  int
	First      int // frame of the UMEM that is the first for sending
	Frames     int // from First on; at most the size of either ring
	TX         Ring[Desc]
	Completion Ring[uint64]
	Wake       func() // as in Config
}

// Sender transmits on one AF_XDP socket. As in Queue, no ring can overflow: there are no more
// send frames than either ring has slots.
//
// Concurrency: for one goroutine.
type Sender struct {
	umem      []byte
	frameSize int
	free      []uint64 // addresses of frames in our hands; the last goes next
	tx        Ring[Desc]
	next      uint32
	done      Ring[uint64]
	doneNext  uint32
	wake      func()
}

// NewSender takes the send frames into its hands.
func NewSender(c SenderConfig) (*Sender, error) {
	if c.FrameSize <= 0 || c.FrameSize&(c.FrameSize-1) != 0 {
		return nil, fmt.Errorf("open sender: frames of %d bytes: not a power of two", c.FrameSize)
	}
	all := len(c.UMEM) / c.FrameSize
	switch {
	case uint64(len(c.UMEM)) > math.MaxUint32:
		return nil, fmt.Errorf("open sender: UMEM of %d bytes is over 4 GiB", len(c.UMEM))
	case c.First < 0 || c.Frames <= 0 || c.First > all || c.Frames > all-c.First:
		return nil, fmt.Errorf("open sender: %d frames from %d on, of %d in the UMEM",
			c.Frames, c.First, all)
	case c.Frames > len(c.TX.Entries) || c.Frames > len(c.Completion.Entries):
		return nil, fmt.Errorf("open sender: %d frames, the rings hold %d and %d",
			c.Frames, len(c.TX.Entries), len(c.Completion.Entries))
	}
	s := &Sender{
		umem: c.UMEM, frameSize: c.FrameSize, free: make([]uint64, 0, c.Frames),
		tx: c.TX, next: c.TX.Producer.Load(),
		done: c.Completion, doneNext: c.Completion.Consumer.Load(), wake: c.Wake,
	}
	for i := c.First + c.Frames - 1; i >= c.First; i-- {
		s.free = append(s.free, uint64(i)*uint64(c.FrameSize))
	}
	return s, nil
}

// Reserve returns a free frame to write a packet into, or nil when the kernel has not sent any of
// those it was given; Flush then and try again. Commit sends the frame.
func (s *Sender) Reserve() []byte {
	if len(s.free) == 0 && s.reclaim() == 0 {
		return nil
	}
	at := s.free[len(s.free)-1]
	return s.umem[at : at+uint64(s.frameSize) : at+uint64(s.frameSize)]
}

// Commit appends the first n bytes of the frame that Reserve returned last to what Flush sends.
func (s *Sender) Commit(n int) {
	if n < 0 || n > s.frameSize || len(s.free) == 0 {
		panic(fmt.Sprintf("BUG: xsk: Commit of %d bytes, %d free frames", n, len(s.free)))
	}
	last := len(s.free) - 1
	s.tx.Entries[s.next&uint32(len(s.tx.Entries)-1)] = Desc{Addr: s.free[last], Len: uint32(n)}
	s.free = s.free[:last]
	s.next++
}

// Flush gives what was committed to the kernel, and wakes it when it has asked for that.
func (s *Sender) Flush() {
	s.tx.Producer.Store(s.next)
	if s.tx.Flags.Load()&NeedWakeup != 0 && s.wake != nil {
		s.wake()
	}
}

// Free returns how many frames are in our hands, after taking back those that were sent.
func (s *Sender) Free() int {
	s.reclaim()
	return len(s.free)
}

// reclaim takes back the frames that the kernel has sent, and returns their number.
func (s *Sender) reclaim() int {
	produced := s.done.Producer.Load()
	count := produced - s.doneNext
	mask := uint32(len(s.done.Entries) - 1)
	for ; s.doneNext != produced; s.doneNext++ {
		s.free = append(s.free, s.done.Entries[s.doneNext&mask])
	}
	s.done.Consumer.Store(produced)
	return int(count)
}
