// Package replay is a ring.Source that reads captures: the engine runs on files exactly as on a
// live ring, but in lock-step with the captures' own clock. One goroutine calls everything; the
// engine sets an edge in time, polls until the edge is reached, acts, and sets the next one, so
// that its result depends on the frames alone:
//
//	src.SetEdge(next)
//	for {
//		n, err := src.Poll(&batch)
//		// io.EOF: every frame was delivered
//		if n == 0 { break } // every frame with Time < next was delivered; batch.Now is next
//		...
//	}
package replay

import (
	"errors"
	"fmt"
	"io"
	"math"
	"sync/atomic"

	"weir/decode/payload"
	"weir/decode/pcap"
	"weir/ring"
)

// memSize is the size of the buffer that lends a batch its bytes: room for a burst of ordinary
// frames, and for a few of the longest.
const memSize = 1 << 20

// Options say how captures are to be taken.
type Options struct {
	// Sampling is N where the captures hold one of N packets; 0 means 1. Frames are not
	// multiplied here: the engine asks with Source.Sampling, as it asks a mirror.
	Sampling uint32
}

// Source merges captures by time into one stream of frames.
//
// Concurrency: Poll, Release, SetEdge and NextTime are for one goroutine; Stats, Clamped, Streamed
// and Sampling may be called from any.
type Source struct {
	inputs   merge
	readers  []*pcap.Reader
	sampling uint32
	mem      []byte
	edge     int64 // frames at or after it are held back
	now      int64
	last     int64 // time of the last delivered frame; -1 before the first
	err      error // of an input, given after the frames before it
	exports  map[uint16]*Exports
	finder   payload.Finder // of exports

	received atomic.Uint64
	bytes    atomic.Uint64
	clamped  atomic.Uint64
	streamed atomic.Uint64
}

var _ ring.Source = (*Source)(nil)

// Open opens captures of any format that pcap.Open reads. Frames of equal time come in the order
// of paths. A file that is none is an error here, damage behind its header one of Poll.
func Open(paths []string, o Options) (*Source, error) {
	readers := make([]*pcap.Reader, 0, len(paths))
	for _, path := range paths {
		r, err := pcap.Open(path)
		if err != nil {
			for _, open := range readers {
				err = errors.Join(err, open.Close())
			}
			return nil, err
		}
		readers = append(readers, r)
	}
	return New(readers, o), nil
}

// New merges captures that are open already; Close closes them.
func New(readers []*pcap.Reader, o Options) *Source {
	s := &Source{
		readers: readers, sampling: max(o.Sampling, 1),
		mem: make([]byte, memSize), edge: math.MaxInt64, last: -1,
	}
	for i, r := range readers {
		in := &input{reader: r, order: i}
		if s.advance(in) {
			s.inputs = append(s.inputs, in)
		}
	}
	for i := len(s.inputs)/2 - 1; i >= 0; i-- {
		s.inputs.down(i)
	}
	return s
}

// advance reads the input's next packet; false when there is none.
func (s *Source) advance(in *input) bool {
	err := in.reader.Next(&in.packet)
	if err == io.EOF {
		return false
	}
	if err != nil {
		if s.err == nil {
			s.err = err
		}
		return false
	}
	if in.packet.Time < in.latest {
		in.packet.Time = in.latest
		s.clamped.Add(1)
	}
	in.latest = in.packet.Time
	return true
}

// SetEdge holds back frames with Time ≥ t, in nanoseconds since 1970 UTC. Before the first call
// nothing is held back. The edge may be moved to any time after the last delivered frame and not
// before batch.Now, also back when it was not yet reached.
func (s *Source) SetEdge(t int64) {
	if t < s.now || t <= s.last {
		panic(fmt.Sprintf("BUG: replay.SetEdge: %d, but frames up to %d are delivered and it is %d",
			t, s.last, s.now))
	}
	s.edge = t
}

// NextTime returns the time of the frame that Poll delivers next, were there no edge; false when
// no frame is left, or the next cannot be read. It lets the engine skip idle time.
func (s *Source) NextTime() (int64, bool) {
	if s.err != nil || len(s.inputs) == 0 {
		return 0, false
	}
	return s.inputs[0].packet.Time, true
}

// Poll implements ring.Source. Times never go back: a frame older than one before it in its own
// file takes that one's time, and is counted by Clamped. No batch reaches beyond the edge.
//
// 0 frames without an error say that the edge is reached: every frame before it was delivered,
// and b.Now is the edge. Otherwise b.Now is the time of the last frame. io.EOF says that every
// frame of all files was delivered, also when the edge lies later. An error of a file, which
// names it and the offset, comes after every frame before it in the merged order.
func (s *Source) Poll(b *ring.Batch) (int, error) {
	b.Mem, b.N, b.Fill = s.mem, 0, 0
	b.Now = s.now
	if s.err != nil {
		return 0, s.err
	}
	if len(s.inputs) == 0 {
		return 0, io.EOF
	}
	bytes := s.collect(b)
	if b.N == 0 {
		s.now = s.edge
	} else {
		s.last = b.Frames[b.N-1].Time
		s.now = s.last
	}
	b.Now = s.now
	s.received.Add(uint64(b.N))
	s.bytes.Add(bytes)
	return b.N, nil
}

// collect copies frames into b until it is full, or the edge, the end or an error comes, and
// returns their bytes on the wire.
func (s *Source) collect(b *ring.Batch) (wire uint64) {
	used := 0
	for b.N < ring.BurstSize && len(s.inputs) > 0 && s.err == nil {
		in := s.inputs[0]
		p := &in.packet
		if p.Time >= s.edge || used+len(p.Data) > len(s.mem) {
			break
		}
		b.Frames[b.N] = ring.Frame{
			Time: p.Time, Off: uint32(used), Cap: uint32(copy(s.mem[used:], p.Data)),
			Wire: p.Wire, Link: p.Link,
		}
		if s.exports != nil {
			s.export(&b.Frames[b.N], p.Data)
		}
		b.N++
		used += len(p.Data)
		wire += uint64(p.Wire)
		if s.advance(in) {
			s.inputs.down(0)
		} else {
			s.inputs.drop()
		}
	}
	return wire
}

// Release implements ring.Source.
func (s *Source) Release(b *ring.Batch) { b.N = 0 }

// Stats implements ring.Source. Nothing is ever dropped: files wait.
func (s *Source) Stats() ring.Stats {
	return ring.Stats{
		Received: s.received.Load(), Bytes: s.bytes.Load(), Dropped: map[string]uint64{},
	}
}

// Clamped returns how many frames had a time before one of their predecessors in the same file.
func (s *Source) Clamped() uint64 { return s.clamped.Load() }

// Sampling returns N of Options, at least 1.
func (s *Source) Sampling() uint32 { return s.sampling }

// Close closes the files.
func (s *Source) Close() error {
	var err error
	for _, r := range s.readers {
		err = errors.Join(err, r.Close())
	}
	return err
}
