// Package ringtest has ring.Sources for tests and benchmarks: Source lends frames of chosen times
// from a slice, and Kernel plays the kernel's half of an AF_XDP socket over memory, so that an
// xsk.Queue runs as it does live, with exact accounting of what was offered and lost.
package ringtest

import (
	"io"
	"sync/atomic"

	"weir/ring"
)

// Frame is a frame that a test makes up.
type Frame struct {
	Time int64 // nanoseconds since 1970 UTC; not before the frame before it
	Link uint16
	Wire uint32 // 0 means len(Data)
	Data []byte
}

// Source lends frames in their order, up to Burst at a time, and then returns End. Its fields may
// be set before the first Poll.
//
// Concurrency: Stats may be called from any goroutine, all else from one.
type Source struct {
	Burst int   // frames per Poll at most; ring.BurstSize where 0
	Fill  uint8 // what every batch says of the receive ring, percent
	End   error // what Poll returns after the last frame; nil: nothing, as on an idle ring

	frames   []Frame
	mem      []byte // of the last batch
	now      int64
	received atomic.Uint64
	bytes    atomic.Uint64
}

var _ ring.Source = (*Source)(nil)

// NewSource returns a source of those frames, which ends with io.EOF.
func NewSource(frames ...Frame) *Source {
	return &Source{End: io.EOF, frames: frames}
}

// Add appends frames to those that are still to come.
func (s *Source) Add(frames ...Frame) { s.frames = append(s.frames, frames...) }

// Poll implements ring.Source; Batch.Now is the time of the last frame.
func (s *Source) Poll(b *ring.Batch) (int, error) {
	burst := ring.BurstSize
	if s.Burst > 0 {
		burst = min(s.Burst, burst)
	}
	burst = min(burst, len(s.frames))
	s.mem = s.mem[:0]
	for i, f := range s.frames[:burst] {
		wire := max(f.Wire, uint32(len(f.Data)))
		b.Frames[i] = ring.Frame{
			Time: f.Time, Off: uint32(len(s.mem)), Cap: uint32(len(f.Data)),
			Wire: wire, Link: f.Link,
		}
		s.mem = append(s.mem, f.Data...)
		s.now = f.Time
		s.bytes.Add(uint64(wire))
	}
	s.frames = s.frames[burst:]
	s.received.Add(uint64(burst))
	b.Mem, b.N, b.Now, b.Fill = s.mem, burst, s.now, s.Fill
	if burst == 0 {
		return 0, s.End
	}
	return burst, nil
}

// Release implements ring.Source, and overwrites the frames' bytes: whoever keeps them is found.
func (s *Source) Release(b *ring.Batch) {
	for i := range s.mem {
		s.mem[i] = 0xdb
	}
	b.N = 0
}

// Stats implements ring.Source.
func (s *Source) Stats() ring.Stats {
	return ring.Stats{Received: s.received.Load(), Bytes: s.bytes.Load()}
}

// Close implements ring.Source.
func (s *Source) Close() error { return nil }
