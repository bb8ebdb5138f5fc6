package replay

import (
	"io"
	"net/netip"
	"sync/atomic"

	"weir/decode"
	"weir/decode/payload"
	"weir/ring"
)

// Exports is a source of the datagrams that a Source's captures hold for one UDP port: of the
// frames that Source.Poll has delivered, those that its own Poll has not. It is polled until it has
// none after each Poll of the other: what waits stays within one batch. IP fragments are put
// together.
//
// Concurrency: the goroutine of the Source; Stats may be called from any.
type Exports struct {
	source *Source
	mem    []byte
	frames []ring.Frame
	next   int // of frames

	received atomic.Uint64
	bytes    atomic.Uint64
}

var _ ring.Source = (*Exports)(nil)

// Exports returns the source of the datagrams for port. It is called before the first Poll.
func (s *Source) Exports(port uint16) *Exports {
	if s.exports == nil {
		s.exports = map[uint16]*Exports{}
		s.finder.Segment = s.segment
	}
	x := &Exports{source: s}
	s.exports[port] = x
	return x
}

// export keeps the datagram that a frame carries for those who wait for it.
func (s *Source) export(f *ring.Frame, data []byte) {
	var g payload.Datagram
	if !s.finder.Find(&g, decode.Link(f.Link), data, f.Wire) {
		return
	}
	x := s.exports[g.DstPort]
	if x == nil {
		return
	}
	if x.next == len(x.frames) { // nobody reads what is there any more
		x.mem, x.frames, x.next = x.mem[:0], x.frames[:0], 0
	}
	n := ring.SenderLen + len(g.Data)
	off := len(x.mem)
	x.mem = append(x.mem, make([]byte, ring.SenderLen)...)
	ring.PutSender(x.mem[off:], netip.AddrPortFrom(g.Src.Netip(), g.SrcPort))
	x.mem = append(x.mem, g.Data...)
	x.frames = append(x.frames, ring.Frame{
		Time: f.Time, Off: uint32(off), Cap: uint32(n), Wire: uint32(len(g.Data)),
		Link: ring.LinkDatagram,
	})
}

// segment counts an IPFIX message over TCP to a port of s.exports: streams are not put together.
func (s *Source) segment(g *payload.Datagram) {
	if s.exports[g.DstPort] != nil && g.Message() {
		s.streamed.Add(1)
	}
}

// Streamed returns how many TCP segments began with an IPFIX message to a port of an Exports: they
// are frames like any other, but nothing in them was read.
func (s *Source) Streamed() uint64 { return s.streamed.Load() }

// Poll implements ring.Source. 0 datagrams say that there are none in what the Source has
// delivered; it never returns an error but io.EOF, after the Source has.
func (x *Exports) Poll(b *ring.Batch) (int, error) {
	b.Mem, b.N, b.Fill, b.Now = x.mem, 0, 0, x.source.now
	for b.N < ring.BurstSize && x.next < len(x.frames) {
		b.Frames[b.N] = x.frames[x.next]
		x.bytes.Add(uint64(b.Frames[b.N].Wire))
		b.N++
		x.next++
	}
	x.received.Add(uint64(b.N))
	if b.N > 0 {
		b.Now = b.Frames[b.N-1].Time
		return b.N, nil
	}
	if len(x.source.inputs) == 0 && x.source.err == nil {
		return 0, io.EOF
	}
	return 0, nil
}

// Release implements ring.Source.
func (x *Exports) Release(b *ring.Batch) { b.N = 0 }

// Stats implements ring.Source. Nothing is ever dropped: files wait.
func (x *Exports) Stats() ring.Stats {
	return ring.Stats{
		Received: x.received.Load(), Bytes: x.bytes.Load(), Dropped: map[string]uint64{},
	}
}

// Close does nothing: the Source has the files.
func (x *Exports) Close() error { return nil }
