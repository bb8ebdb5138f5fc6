package afpacket

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"unsafe"

	"weir/ring"
)

// Offsets in a block's head (struct tpacket_block_desc with tpacket_hdr_v1, linux/if_packet.h),
// and in a packet's (struct tpacket3_hdr). All are in the machine's byte order.
const (
	blockStatus = 8
	blockCount  = 12
	blockFirst  = 16
	blockHead   = 48

	packetNext   = 0
	packetCap    = 12
	packetLen    = 16
	packetStatus = 20
	packetMAC    = 24
	packetHead   = 48

	ownedByUser = 1 << 0 // TP_STATUS_USER
	vlanValid   = 1 << 4 // TP_STATUS_VLAN_VALID: a tag was taken out of the frame
	vlanLength  = 4
)

// blocks walks the blocks that the kernel fills, in their order. A block is ours from the moment
// that its status says so until all of its packets were lent and released.
//
// Concurrency: one goroutine.
type blocks struct {
	mem   []byte
	size  int // of a block, bytes
	count int
	now   int    // the block at hand, or the next one
	open  bool   // it is ours
	left  uint32 // packets of it that were not lent
	at    int    // offset in mem of the next
	fill  uint8  // of all blocks, when the one at hand was opened, percent
	link  uint16
}

func newBlocks(mem []byte, size int, link uint16) *blocks {
	return &blocks{mem: mem, size: size, count: len(mem) / size, link: link}
}

// status returns the word of block i that says whose it is.
func (b *blocks) status(i int) *atomic.Uint32 {
	// Safe: i < count, so that the word lies in mem, which is aligned to a page as blocks are;
	// atomic.Uint32 is a uint32 and nothing else.
	return (*atomic.Uint32)(unsafe.Pointer(&b.mem[i*b.size+blockStatus]))
}

func (b *blocks) word(at int) uint32 { return binary.NativeEndian.Uint32(b.mem[at:]) }

// ours reports whether the kernel has handed the block over.
func (b *blocks) ours(i int) bool { return b.status(i).Load()&ownedByUser != 0 }

// begin opens the block at hand if it is ours.
func (b *blocks) begin() error {
	if !b.ours(b.now) {
		return nil
	}
	base := b.now * b.size
	b.left, b.at = b.word(base+blockCount), base+int(b.word(base+blockFirst))
	if b.left > uint32(b.size/packetHead) {
		return fmt.Errorf("read block %d: %d packets in %d bytes", b.now, b.left, b.size)
	}
	b.open = true
	full := 1
	for full < b.count && b.ours((b.now+full)%b.count) {
		full++
	}
	b.fill = uint8(full * 100 / b.count)
	return nil
}

// lend fills to with packets of the block at hand, stamped now. The error says that the block
// contradicts itself; it is final, and comes once the packets before it are lent.
func (b *blocks) lend(to *ring.Batch, now int64) error {
	to.Mem, to.N, to.Now, to.Fill = b.mem, 0, now, 0
	if !b.open {
		if err := b.begin(); err != nil || !b.open {
			return err
		}
	}
	to.Fill = b.fill
	end := (b.now + 1) * b.size
	for to.N < ring.BurstSize && b.left > 0 {
		at := b.at
		if at < b.now*b.size+blockHead || at > end-packetHead {
			return b.contradiction(to, "a packet", at)
		}
		head := b.mem[at : at+packetHead : at+packetHead]
		captured := binary.NativeEndian.Uint32(head[packetCap:])
		wire := binary.NativeEndian.Uint32(head[packetLen:])
		from := at + int(binary.NativeEndian.Uint16(head[packetMAC:]))
		if uint64(captured) > uint64(b.size) || from+int(captured) > end {
			return b.contradiction(to, fmt.Sprint(captured, " bytes"), from)
		}
		if binary.NativeEndian.Uint32(head[packetStatus:])&vlanValid != 0 {
			wire += vlanLength
		}
		f := &to.Frames[to.N]
		f.Time, f.Link = now, b.link
		f.Off, f.Cap, f.Wire = uint32(from), captured, max(wire, captured)
		to.N++
		b.left--
		b.at = at + int(binary.NativeEndian.Uint32(head[packetNext:]))
	}
	return nil
}

// contradiction returns the error of something that does not lie in the block at hand, unless
// there are packets to be lent first.
func (b *blocks) contradiction(to *ring.Batch, what string, at int) error {
	if to.N > 0 {
		return nil
	}
	return fmt.Errorf("read block %d: %s at %d", b.now, what, at-b.now*b.size)
}

// release gives the block at hand back once it is used up.
func (b *blocks) release() {
	if b.open && b.left == 0 {
		b.status(b.now).Store(0)
		b.now, b.open = (b.now+1)%b.count, false
	}
}
