package bench

import "golang.org/x/sys/unix"

// frameMemory returns memory as ring/afxdp has it for frames: in huge pages where the kernel
// gives them.
func frameMemory(size int) ([]byte, error) {
	b, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, err
	}
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE) // a kernel without it serves small pages
	return b, nil
}

func freeMemory(b []byte) { _ = unix.Munmap(b) }
