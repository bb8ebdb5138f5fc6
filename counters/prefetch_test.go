//go:build amd64 || arm64

package counters

import (
	"testing"
	"unsafe"
)

// The assembly of prefetch knows where the structs that it walks have what.
func TestPrefetchLayout(t *testing.T) {
	if s := unsafe.Sizeof(Slot{}); s != 64 {
		t.Errorf("a Slot has %d bytes; the assembly and the cache want 64", s)
	}
	if unsafe.Offsetof(Slot{}.flow) != 48 || unsafe.Offsetof(Slot{}.state) != 60 ||
		unsafe.Offsetof(Op{}.Hash) != 4 || flagSeen != 1 || flagSmall != 8 || flagBig != 16 ||
		slabRefMask != 0x3ffff || smallBits != 1024 || bigBits != 4096 {
		t.Error("the assembly's offsets, flags or sizes are not those of Slot, Op and the slabs")
	}
	if s := unsafe.Sizeof(Op{}); s != 20 || unsafe.Offsetof(Op{}.Line) != 0 {
		t.Errorf("an Op has %d bytes with Line at %d; the assembly wants 20 and 0", s,
			unsafe.Offsetof(Op{}.Line))
	}
	s, hash := unsafe.Sizeof(Sought{}), unsafe.Offsetof(Sought{}.Hash)
	if s != 32 || hash != 16 || dirWays != 16 {
		t.Errorf("a Sought has %d bytes with Hash at %d, a bucket %d tags; "+
			"the assembly wants 32, 16, 16", s, hash, dirWays)
	}
	var flow FlowOp
	if unsafe.Sizeof(flow) != 64 || unsafe.Offsetof(flow.Slot) != 36 ||
		unsafe.Offsetof(flow.ahead) != 49 || unsafe.Offsetof(flow.line) != 56 ||
		aheadFar != 1 || aheadAge != 2 || unsafe.Sizeof(FlowSlot{}) != flowSlotLines*64 ||
		unsafe.Sizeof(spanCount{}) != spanLines*64 || NumSpans*spanLines != 8 {
		t.Error("the assembly's offsets, flags or sizes are not those of FlowOp and FlowSlot")
	}
	if e, told := unsafe.Sizeof(Entry{}), unsafe.Sizeof(Told{}); e != 128 || told != 9*64 {
		t.Errorf("an Entry has %d bytes and a Told %d; the assembly wants 128 and 576", e, told)
	}
}
