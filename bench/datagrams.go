package bench

import (
	"weir/ring"
	"weir/tools/blast"
)

// hotBytes is how much memory datagrams are copied to before they are polled: it stays in a near
// cache, as the buffers that a socket is read into do.
const hotBytes = 512 << 10

// maxChunk is how many datagrams are taken between two looks at the clock.
const maxChunk = 4096

// datagrams is a Source in place of a socket: a workload's datagrams in memory, of which there are
// more than a cache holds, round and round. What it has staged it lends, burst by burst.
type datagrams struct {
	clock  int64 // nanoseconds since 1970 UTC
	cold   bool
	mem    []byte
	frames []ring.Frame
	counts []int // records, by datagram
	total  int   // of counts
	next   int   // the first datagram that was not staged

	hot    []byte
	staged []ring.Frame
	polled int // of staged
	stats  ring.Stats
}

var _ ring.Source = (*datagrams)(nil)

func newDatagrams(w *blast.ExportWorkload, cold bool) *datagrams {
	const align = 64 // a cache line
	d := &datagrams{clock: blast.ExportEpoch * 1e9, cold: cold, mem: make([]byte, 0, coldBytes)}
	stream := w.Datagrams()
	var payload []byte
	for {
		b, from, records := stream.Next(payload[:0])
		payload = b
		off, n := len(d.mem), ring.SenderLen+len(payload)
		if off+n+align > coldBytes {
			break
		}
		d.mem = d.mem[:off+n]
		ring.PutSender(d.mem[off:], from)
		copy(d.mem[off+ring.SenderLen:], payload)
		d.mem = d.mem[:(off+n+align-1)/align*align]
		d.frames = append(d.frames, ring.Frame{
			Off: uint32(off), Cap: uint32(n), Wire: uint32(len(payload)), Link: ring.LinkDatagram,
		})
		d.counts = append(d.counts, records)
		d.total += records
	}
	d.hot, d.staged = make([]byte, hotBytes), make([]ring.Frame, 0, maxChunk)
	return d
}

// stage makes the next datagrams ready for Poll, and returns how many and the records in them.
func (d *datagrams) stage() (datagrams, records int) {
	d.staged, d.polled = d.staged[:0], 0
	used := uint32(0)
	for d.next < len(d.frames) && len(d.staged) < maxChunk {
		f := d.frames[d.next]
		if used+f.Cap > hotBytes {
			break
		}
		if !d.cold {
			copy(d.hot[used:], d.mem[f.Off:f.Off+f.Cap])
			f.Off = used
		}
		used = (used + f.Cap + 63) &^ 63
		f.Time = d.clock
		d.staged = append(d.staged, f)
		records += d.counts[d.next]
		d.next++
	}
	if d.next == len(d.frames) {
		d.next = 0
	}
	return len(d.staged), records
}

// Poll implements ring.Source.
func (d *datagrams) Poll(b *ring.Batch) (int, error) {
	b.Mem, b.Now, b.Fill = d.hot, d.clock, 0
	if d.cold {
		b.Mem = d.mem
	}
	b.N = copy(b.Frames[:], d.staged[d.polled:])
	d.polled += b.N
	d.stats.Received += uint64(b.N)
	return b.N, nil
}

// Release implements ring.Source.
func (d *datagrams) Release(b *ring.Batch) { b.N = 0 }

// Stats implements ring.Source.
func (d *datagrams) Stats() ring.Stats { return d.stats }

// Close implements ring.Source.
func (d *datagrams) Close() error { return nil }
