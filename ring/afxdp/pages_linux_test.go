package afxdp

import (
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

const smaps = `7f0000000000-7f0000400000 rw-p 00000000 00:00 0
Size:               4096 kB
KernelPageSize:        4 kB
AnonHugePages:      4096 kB
VmFlags: rd wr mr mw me ac sd hg
7f0000400000-7f0000800000 rw-p 00000000 00:00 0
Size:               4096 kB
KernelPageSize:        4 kB
AnonHugePages:         0 kB
7f0000800000-7f0000c00000 rw-p 00000000 00:0f 12 /anon_hugepage
Size:               4096 kB
KernelPageSize:     2048 kB
`

const numaMaps = `7f0000000000 default anon=1024 N0=24 N1=1000 kernelpagesize_kB=4
7f0000400000 default anon=1024 N0=1024 kernelpagesize_kB=4
7f0000800000 default
`

func TestHugeOf(t *testing.T) {
	f := func(address uint64, huge string, node int) {
		t.Helper()
		if got := hugeOf(strings.NewReader(smaps), address); got != huge {
			t.Errorf("%x: %q, want %q", address, got, huge)
		}
		if got := nodeOf(strings.NewReader(numaMaps), address); got != node {
			t.Errorf("%x: node %d, want %d", address, got, node)
		}
	}
	f(0x7f0000000000, HugeTransparent, 1)
	f(0x7f00003fffff, HugeTransparent, 1)
	f(0x7f0000400000, HugeNone, 0)
	f(0x7f0000800000, HugeReserved, -1)
	f(0x10, HugeNone, -1)
}

// TestUMEM has memory for frames begin at a huge page, and what it says of itself be readable.
func TestUMEM(t *testing.T) {
	for _, size := range []int{64 * 2048, 8 << 20} {
		mem, whole, err := newUMEM(size)
		if err != nil {
			t.Fatal(err)
		}
		start := uintptr(unsafe.Pointer(unsafe.SliceData(mem)))
		huge, node := pagesOf(mem)
		t.Logf("%d bytes at %#x: %s, node %d", size, start, huge, node)
		if len(mem) != size || start%hugePage != 0 || huge == "" {
			t.Errorf("%d bytes at %#x, %q", len(mem), start, huge)
		}
		mem[0], mem[size-1] = 1, 1
		if err := unix.Munmap(whole); err != nil {
			t.Error(err)
		}
	}
}
