package xsk_test

import (
	"strings"
	"testing"
	"unsafe"

	"weir/ring/xsk"
)

func TestMapRingSuccess(t *testing.T) {
	mem := make([]byte, 4096)
	o := xsk.Offsets{Producer: 0, Consumer: 64, Flags: 128, Desc: 192}
	r, err := xsk.MapRing[xsk.Desc](mem, o, 8)
	if err != nil {
		t.Fatal(err)
	}
	r.Producer.Store(0x01010101)
	r.Consumer.Store(0x02020202)
	r.Flags.Store(0x03030303)
	r.Entries[7] = xsk.Desc{Addr: 0x0404040404040404, Len: 0x05050505, Options: 0x06060606}
	f := func(name string, off, length int, want byte) {
		t.Helper()
		for i := off - 1; i <= off+length; i++ {
			inside := i >= off && i < off+length
			if i >= 0 && inside != (mem[i] == want) {
				t.Errorf("%s: byte %d is %d", name, i, mem[i])
			}
		}
	}
	f("producer", 0, 4, 1)
	f("consumer", 64, 4, 2)
	f("flags", 128, 4, 3)
	f("address", 192+7*16, 8, 4)
	f("length", 192+7*16+8, 4, 5)
	f("options", 192+7*16+12, 4, 6)
	addrs, err := xsk.MapRing[uint64](mem, o, 4)
	if err != nil {
		t.Fatal(err)
	}
	addrs.Entries[3] = 0x0707070707070707
	f("fill entry", 192+3*8, 8, 7)
}

func TestMapRingFailure(t *testing.T) {
	f := func(want string, o xsk.Offsets, size int) {
		t.Helper()
		_, err := xsk.MapRing[xsk.Desc](make([]byte, 256), o, size)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f("map ring of 0 entries: not a power of two", xsk.Offsets{}, 0)
	f("map ring of -8 entries: not a power of two", xsk.Offsets{}, -8)
	f("map ring of 6 entries: not a power of two", xsk.Offsets{}, 6)
	f("producer: 4 bytes at offset 253 of 256", xsk.Offsets{Producer: 253}, 4)
	f("producer: offset 2 is not aligned", xsk.Offsets{Producer: 2}, 4)
	f("consumer: 4 bytes at offset 18446744073709551615 of 256",
		xsk.Offsets{Consumer: 1<<64 - 1}, 4)
	f("flags: 4 bytes at offset 256 of 256", xsk.Offsets{Flags: 256}, 4)
	f("entries: 128 bytes at offset 136 of 256", xsk.Offsets{Desc: 136}, 8)
	f("entries: offset 12 is not aligned", xsk.Offsets{Desc: 12}, 8)
	f("entries: 16777216 bytes at offset 0 of 256", xsk.Offsets{}, 1<<20)
}

// The assembly of prefetch knows where Desc has what.
func TestPrefetchLayout(t *testing.T) {
	var d xsk.Desc
	if unsafe.Sizeof(d) != 16 || unsafe.Offsetof(d.Addr) != 0 || unsafe.Offsetof(d.Len) != 8 {
		t.Error("the assembly's size and offsets are not those of Desc")
	}
}
