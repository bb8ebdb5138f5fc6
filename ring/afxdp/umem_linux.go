package afxdp

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// hugePage is the size that hugetlbfs hands out by default on amd64 and arm64.
const hugePage = 2 << 20

// newUMEM returns zeroed memory for frames, in reserved huge pages where there are any, else in
// ordinary ones that the kernel may join.
func newUMEM(size int) ([]byte, error) {
	const anonymous = unix.MAP_PRIVATE | unix.MAP_ANONYMOUS | unix.MAP_POPULATE
	const protection = unix.PROT_READ | unix.PROT_WRITE
	if size%hugePage == 0 {
		if mem, err := unix.Mmap(-1, 0, size, protection, anonymous|unix.MAP_HUGETLB); err == nil {
			return mem, nil
		}
	}
	mem, err := unix.Mmap(-1, 0, size, protection, anonymous)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes for frames: %w", size, err)
	}
	return mem, nil
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
