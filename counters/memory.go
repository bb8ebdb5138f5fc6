package counters

import (
	"fmt"
	"unsafe"
)

// This is the only file of the package that uses unsafe: it turns mapped memory, which Go's
// collector neither scans nor moves, into slices.

// plain are the element types that may live outside the Go heap: fixed layout, no pointers.
type plain interface {
	Slot | FlowSlot | Told | Entry | Key | listing | uint64 | uint32 | uint8
}

// Memory is a set of zeroed arrays outside the Go heap. Under the race detector they come from
// the heap, because it does not see mapped memory.
type Memory struct {
	maps [][]byte
	size uint64
}

// Bytes returns how much memory m holds.
func (m *Memory) Bytes() uint64 { return m.size }

// Close unmaps everything. No slice from alloc may be used afterwards.
func (m *Memory) Close() error {
	var first error
	for _, b := range m.maps {
		if err := unmapMemory(b); err != nil && first == nil {
			first = fmt.Errorf("unmap %d bytes: %w", len(b), err)
		}
	}
	m.maps, m.size = nil, 0
	return first
}

// alloc returns a zeroed, populated array of n elements, aligned to a page.
func alloc[T plain](m *Memory, n uint64) ([]T, error) {
	if n == 0 {
		return nil, nil
	}
	var zero T
	size := n * uint64(unsafe.Sizeof(zero))
	if size > maxMapping {
		return nil, fmt.Errorf("map %d bytes of tables: beyond this platform's address space", size)
	}
	b, err := mapMemory(int(size))
	if err != nil {
		return nil, fmt.Errorf("map %d bytes of tables: %w", size, err)
	}
	m.maps = append(m.maps, b)
	m.size += size
	// b has n*Sizeof(T) bytes, is page aligned, and T has no pointers: the view covers exactly b,
	// which stays mapped until Close.
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), n), nil
}

// sizeOf returns the bytes that n elements of T take.
func sizeOf[T plain](n uint64) uint64 {
	var zero T
	return n * uint64(unsafe.Sizeof(zero))
}

// maxMapping bounds one array: half the address space of a 32-bit platform.
const maxMapping = uint64(^uintptr(0) >> 1)
