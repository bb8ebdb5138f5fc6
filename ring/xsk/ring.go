// Package xsk is the memory half of an AF_XDP socket: UMEM frames and the four rings that
// user space and kernel share. It makes no system call and works on whatever memory it is given:
// what ring/afxdp maps from the kernel, or the Go heap in tests, where ringtest plays the kernel.
// Queue receives, on the worker that owns it; Sender transmits, for tools.
//
// The protocol is that of linux/if_xdp.h and net/xdp/xsk_queue.h. Every ring has one producer and
// one consumer. Cursors run over 32 bits and wrap; a slot is the cursor modulo the ring's size.
// The side that writes entries publishes its cursor with a store-release after them, the other
// sees it with a load-acquire before them; Go's atomics are at least that strong.
package xsk

import (
	"fmt"
	"sync/atomic"
	"unsafe"
)

// Desc is one buffer in the rx or tx ring: struct xdp_desc.
type Desc struct {
	Addr    uint64 // of the first byte, as an offset in the UMEM
	Len     uint32
	Options uint32
}

// PktContd in Desc.Options says that the packet goes on in the next descriptor (XDP_PKT_CONTD).
const PktContd = 1 << 0

// NeedWakeup in a ring's flags says that the kernel sleeps until it is woken by a system call
// (XDP_RING_NEED_WAKEUP).
const NeedWakeup = 1 << 0

// Offsets say where the parts of a ring lie in its memory: struct xdp_ring_offset, as
// getsockopt(XDP_MMAP_OFFSETS) gives it.
type Offsets struct {
	Producer uint64
	Consumer uint64
	Desc     uint64
	Flags    uint64
}

// Ring is one of the four rings. T is Desc in the rx and tx rings, and an address in the fill and
// completion rings. The kernel writes to all of it at any time.
type Ring[T uint64 | Desc] struct {
	Producer *atomic.Uint32
	Consumer *atomic.Uint32
	Flags    *atomic.Uint32
	Entries  []T // their number is a power of two
}

// MapRing finds a ring of size entries in mem, which must stay mapped as long as the ring is used.
// It is an error if the size is not a power of two, or a part lies outside of mem or unaligned.
func MapRing[T uint64 | Desc](mem []byte, o Offsets, size int) (Ring[T], error) {
	var r Ring[T]
	if size <= 0 || size&(size-1) != 0 || size > 1<<30 {
		return r, fmt.Errorf("map ring of %d entries: not a power of two", size)
	}
	var err error
	if r.Producer, err = word(mem, o.Producer); err != nil {
		return r, fmt.Errorf("map ring's producer: %w", err)
	}
	if r.Consumer, err = word(mem, o.Consumer); err != nil {
		return r, fmt.Errorf("map ring's consumer: %w", err)
	}
	if r.Flags, err = word(mem, o.Flags); err != nil {
		return r, fmt.Errorf("map ring's flags: %w", err)
	}
	var entry T
	length := uint64(size) * uint64(unsafe.Sizeof(entry))
	first, err := part(mem, o.Desc, length, 8)
	if err != nil {
		return r, fmt.Errorf("map ring's entries: %w", err)
	}
	// Safe: part has checked that length bytes from first lie in mem and are aligned for T, which
	// holds no pointers and has no invalid bit patterns; the slice keeps mem alive where it is
	// of the Go heap.
	r.Entries = unsafe.Slice((*T)(first), size)
	return r, nil
}

// word returns the cursor or flag word at off.
func word(mem []byte, off uint64) (*atomic.Uint32, error) {
	p, err := part(mem, off, 4, 4)
	if err != nil {
		return nil, err
	}
	// Safe: part has checked that 4 aligned bytes from p lie in mem, and atomic.Uint32 is a uint32
	// and nothing else.
	return (*atomic.Uint32)(p), nil
}

// part returns the address of length bytes at off in mem.
func part(mem []byte, off, length, align uint64) (unsafe.Pointer, error) {
	total := uint64(len(mem))
	if off > total || length > total-off || length == 0 {
		return nil, fmt.Errorf("%d bytes at offset %d of %d", length, off, total)
	}
	p := unsafe.Pointer(&mem[off]) // safe: off < total, since length > 0
	if uint64(uintptr(p))%align != 0 {
		return nil, fmt.Errorf("offset %d is not aligned to %d bytes", off, align)
	}
	return p, nil
}
