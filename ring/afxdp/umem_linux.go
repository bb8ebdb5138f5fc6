package afxdp

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is the size that hugetlbfs hands out by default on amd64 and arm64.
const hugePage = 2 << 20

// newUMEM returns zeroed memory for frames, in reserved huge pages where there are any, else in
// such as the kernel joins, else in ordinary ones. All of it is there when newUMEM returns, on the
// NUMA node of the core that it runs on. It is a part of whole, which is what to unmap.
func newUMEM(size int) (mem, whole []byte, err error) {
	const anonymous = unix.MAP_PRIVATE | unix.MAP_ANONYMOUS
	const protection = unix.PROT_READ | unix.PROT_WRITE
	if size%hugePage == 0 {
		mem, err := unix.Mmap(-1, 0, size, protection,
			anonymous|unix.MAP_POPULATE|unix.MAP_HUGETLB)
		if err == nil {
			return mem, mem, nil
		}
	}
	// What is joined begins at a multiple of its size: what is left over is never touched.
	whole, err = unix.Mmap(-1, 0, size+hugePage, protection, anonymous)
	if err != nil {
		return nil, nil, fmt.Errorf("map %d bytes for frames: %w", size, err)
	}
	start := -uintptr(unsafe.Pointer(unsafe.SliceData(whole))) & (hugePage - 1)
	mem = whole[start : start+uintptr(size)]
	_ = unix.Madvise(mem, unix.MADV_HUGEPAGE) // a kernel without it serves small pages
	if unix.Madvise(mem, unix.MADV_POPULATE_WRITE) != nil {
		for i := 0; i < len(mem); i += 4096 { // before Linux 5.14
			mem[i] = 0
		}
	}
	return mem, whole, nil
}

// raiseMemlock lets this process pin memory where it may raise its own limit; with CAP_IPC_LOCK
// there is none.
func raiseMemlock() {
	limit := unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY}
	if unix.Setrlimit(unix.RLIMIT_MEMLOCK, &limit) == nil {
		return
	}
	if unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit) == nil {
		limit.Cur = limit.Max
		_ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &limit) // without, registering memory says so
	}
}
