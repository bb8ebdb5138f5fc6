package afxdp

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"
	"unsafe"
)

// pagesOf returns in what pages mem is, one of HugeReserved to HugeNone, and on which NUMA node,
// -1 where the kernel does not tell. All of it is populated.
func pagesOf(mem []byte) (huge string, node int) {
	start := uint64(uintptr(unsafe.Pointer(unsafe.SliceData(mem))))
	huge, node = HugeNone, -1
	if f, err := os.Open("/proc/self/smaps"); err == nil {
		huge = hugeOf(f, start)
		_ = f.Close()
	}
	if f, err := os.Open("/proc/self/numa_maps"); err == nil {
		node = nodeOf(f, start)
		_ = f.Close()
	}
	return huge, node
}

// hugeOf reads, from a text like /proc/self/smaps, in what pages the mapping with that address is.
// The kernel shows neighbours that are alike as one mapping: what holds for most of it counts.
func hugeOf(smaps io.Reader, address uint64) string {
	inside := false
	var size, joined uint64
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) < 2 {
			continue
		}
		if from, to, ok := strings.Cut(words[0], "-"); ok {
			if inside {
				break
			}
			first, err1 := strconv.ParseUint(from, 16, 64)
			end, err2 := strconv.ParseUint(to, 16, 64)
			inside = err1 == nil && err2 == nil && first <= address && address < end
			continue
		}
		n, err := strconv.ParseUint(words[1], 10, 64)
		if !inside || err != nil {
			continue
		}
		switch words[0] {
		case "Size:":
			size = n
		case "KernelPageSize:":
			if n > 64 { // kB: the largest ordinary page, on arm64
				return HugeReserved
			}
		case "AnonHugePages:":
			joined = n
		}
	}
	if size > 0 && joined*2 >= size {
		return HugeTransparent
	}
	return HugeNone
}

// nodeOf reads, from a text like /proc/self/numa_maps, on which node most pages of the mapping
// with that address are.
func nodeOf(maps io.Reader, address uint64) (node int) {
	node = -1
	most := uint64(0)
	best := uint64(0) // the highest beginning that is not behind address
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) == 0 {
			continue
		}
		first, err := strconv.ParseUint(words[0], 16, 64)
		if err != nil || first > address || first < best {
			continue
		}
		best, most, node = first, 0, -1
		for _, w := range words[1:] {
			name, count, ok := strings.Cut(w, "=")
			number, isNode := strings.CutPrefix(name, "N")
			n, err1 := strconv.Atoi(number)
			pages, err2 := strconv.ParseUint(count, 10, 64)
			if ok && isNode && err1 == nil && err2 == nil && pages > most {
				most, node = pages, n
			}
		}
	}
	return node
}
