package ring

import (
	"testing"
	"unsafe"
)

// The assembly of prefetch knows where Frame has what.
func TestPrefetchLayout(t *testing.T) {
	var f Frame
	if unsafe.Sizeof(f) != 24 || unsafe.Offsetof(f.Off) != 8 {
		t.Error("the assembly's size and offset are not those of Frame")
	}
}

// Prefetch asks for whatever part of its range there is, wherever frames are said to lie.
func TestPrefetch(t *testing.T) {
	b := Batch{Mem: make([]byte, 10), N: 3}
	b.Frames[2].Off = 1<<32 - 1
	full := Batch{Mem: make([]byte, 1<<20), N: BurstSize}
	for i := range full.Frames {
		full.Frames[i].Off = uint32(i << 14)
	}
	for from := -1; from <= BurstSize+1; from++ {
		for to := from - 1; to <= BurstSize+Ahead; to++ {
			b.Prefetch(from, to)
			full.Prefetch(from, to)
			new(Batch).Prefetch(from, to)
		}
	}
}
