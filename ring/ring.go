// Package ring is the vocabulary between what receives packets and what counts them: a Source
// lends a Batch of Frames, a Worker gives it back; Samples and Hints leave the packet path
// through an SPSC queue. Each source is a package of its own below this one.
package ring

import (
	"encoding/binary"
	"net/netip"
)

// BurstSize is the number of frames that a Batch holds at most.
const BurstSize = 64

// Frame is one received frame, lent until Release. It holds no pointer, so that storing one
// costs no write barrier.
type Frame struct {
	Time int64  // capture time, nanoseconds since 1970 UTC; live rings stamp once per burst
	Off  uint32 // where its bytes begin in Batch.Mem
	Cap  uint32 // captured bytes
	Wire uint32 // bytes on the wire, at least Cap, without FCS; but see SenderLen
	Link uint16 // link type, as decode.Link numbers them
}

// Batch is a burst of frames from one Source. The caller owns it and hands it to Poll again and
// again; Mem and the frames' bytes are valid from Poll to Release.
type Batch struct {
	Mem    []byte // all frames' bytes: a UMEM, or a buffer of the source
	Now    int64  // the clock at Poll, or after its sleep, ns since 1970 UTC; never goes back
	N      int    // valid frames
	Fill   uint8  // how full the receive ring was at Poll, percent
	Frames [BurstSize]Frame
}

// Data returns the captured bytes of frame i, valid until Release.
func (b *Batch) Data(i int) []byte {
	f := &b.Frames[i]
	return b.Mem[f.Off : f.Off+f.Cap : f.Off+f.Cap]
}

// Stats are a source's totals since Open. Received counts frames lent by Poll, from when they are
// released at the latest; Dropped those lost before it, by place.
type Stats struct {
	Received uint64
	Bytes    uint64 // of Received, on the wire
	Dropped  map[string]uint64
}

// Plus returns the totals of s and o together.
func (s Stats) Plus(o Stats) Stats {
	out := Stats{
		Received: s.Received + o.Received, Bytes: s.Bytes + o.Bytes, Dropped: map[string]uint64{},
	}
	for _, from := range []map[string]uint64{s.Dropped, o.Dropped} {
		for name, n := range from {
			out.Dropped[name] += n
		}
	}
	return out
}

// Source is where a worker's frames come from. One goroutine calls Poll and Release in turn;
// Stats and Close may be called from another.
type Source interface {
	// Poll fills b with up to BurstSize frames and returns their number. It never sleeps longer
	// than 10 ms, and returns 0 when nothing came. io.EOF ends a source that has an end; any
	// other error says what broke and where.
	Poll(b *Batch) (int, error)
	// Release gives the frames of the last Poll back.
	Release(b *Batch)
	Stats() Stats
	Close() error
}

// Stream says which of the two evidence streams took a Sample.
type Stream uint8

// Baseline samples every frame with the same probability; Warm samples frames of slots that are
// above a fifth of a limit.
const (
	Baseline Stream = iota
	Warm
)

// SnapLen is the number of captured bytes that a Sample keeps.
const SnapLen = 184

// Sample is the head of one frame, taken as evidence: 256 bytes, no pointers. Src to IPLen are
// the decoder's reading of it.
type Sample struct {
	Time         int64 // as Frame.Time
	SrcHi, SrcLo uint64
	DstHi, DstLo uint64
	Gap          uint32 // 1/Gap is the probability with which this frame was taken
	IPLen        uint32
	Wire         uint32
	Sampling     uint32 // N of the source's own 1:N
	SrcPort      uint16
	DstPort      uint16
	Link         uint16
	Cap          uint8 // valid bytes of Data
	Forwarding   uint8 // what the device did, of a flow record: as decode.Flow has it; 0: not told
	Proto        uint8
	TCPFlags     uint8
	TTL          uint8
	Fragment     uint8
	Stream       Stream
	Outgoing     bool // which of the two addresses is the target's: the source's
	Worker       uint16
	Data         [SnapLen]byte
}

// Hint tells control that one slot's own count reached a level in this epoch: a fifth of the
// worker's share of a limit, or all of it. There is at most one of each per slot and epoch.
type Hint struct {
	Time     int64  // the frame's time, nanoseconds since 1970 UTC
	Hi, Lo   uint64 // the host's address
	Outgoing bool
	Over     bool // the share of a limit was exceeded; false: a fifth of it
}

// SenderLen is the number of bytes that stand before the payload in every frame of a source of
// datagrams, whose frames have the link type LinkDatagram: who sent it, 16 bytes of address
// (IPv4 is v4-mapped) and 2 of port, big-endian. Frame.Cap counts them; Frame.Wire is the payload's
// own length, and so less than Cap.
const SenderLen = 18

// LinkDatagram is the link type of a UDP payload behind its sender; no capture file has it.
const LinkDatagram = 0xffff

// PutSender writes the sender into the first SenderLen bytes of b.
func PutSender(b []byte, from netip.AddrPort) {
	a := from.Addr().As16()
	copy(b, a[:])
	binary.BigEndian.PutUint16(b[16:SenderLen], from.Port())
}

// Sender returns the sender of a datagram's frame: the address in two halves, and the port.
func Sender(b []byte) (hi, lo uint64, port uint16) {
	_ = b[SenderLen-1]
	be := binary.BigEndian
	return be.Uint64(b), be.Uint64(b[8:]), be.Uint16(b[16:])
}
