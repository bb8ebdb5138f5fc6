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
	if err := unix.Madvise(b, unix.MADV_POPULATE_WRITE); err == unix.ENOMEM {
		_ = unix.Munmap(b)
		return nil, err
	} else if err != nil { // before Linux 5.14
		for i := 0; i < size; i += 4096 {
			b[i] = 0
		}
	}
	return b, nil
}

func unmapMemory(b []byte) error { return unix.Munmap(b) }
