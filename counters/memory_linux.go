//go:build linux && !race

package counters

import "golang.org/x/sys/unix"

// mapMemory returns size zeroed bytes that are in memory before the first packet, in huge pages
// where the kernel gives them: 10 M hosts touch 10 M lines, and the TLB holds a few thousand pages.
func mapMemory(size int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, err
	}
	if size >= 2<<20 {
		_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // a kernel without it serves small pages
	}
	if err := populate(b); err != nil {
		_ = unix.Munmap(b)
		return nil, err
	}
	return b, nil
}

// populatePart is how much is brought into memory by one call: the kernel holds the lock of the
// address space meanwhile, which a worker beside us may need.
const populatePart = 2 << 20

// populate brings b into memory.
func populate(b []byte) error {
	for len(b) > 0 {
		part := b[:min(populatePart, len(b))]
		switch err := unix.Madvise(part, unix.MADV_POPULATE_WRITE); err {
		case nil:
		case unix.ENOMEM:
			return err
		default: // before Linux 5.14
			for i := 0; i < len(part); i += 4096 {
				part[i] = 0
			}
		}
		b = b[len(part):]
	}
	return nil
}

func unmapMemory(b []byte) error { return unix.Munmap(b) }
