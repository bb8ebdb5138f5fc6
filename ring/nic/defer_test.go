//go:build linux

package nic

import (
	"encoding/binary"
	"errors"
	"maps"
	"testing"
	"time"
)

// kernel is a site of plain memory, which refuses to write after some writes.
type kernel struct {
	all  map[uint32]Timing
	left int
}

var errRefused = errors.New("refused")

func (k *kernel) read() (map[uint32]Timing, error) { return maps.Clone(k.all), nil }
func (k *kernel) way() string                      { return "test" }

func (k *kernel) write(id uint32, t Timing) error {
	if k.left--; k.left < 0 {
		return errRefused
	}
	k.all[id] = t
	return nil
}

func deferral(k *kernel, dir string) *Deferral {
	return &Deferral{dir: dir, site: k, want: true, note: note{
		Interface: "eth1", Set: DefaultTiming, Found: map[uint32]Timing{},
	}}
}

func TestUndo(t *testing.T) {
	set, other := DefaultTiming, Timing{9, time.Second}
	f := func(found, now, want Timing, changed int) {
		t.Helper()
		k := &kernel{map[uint32]Timing{5: now}, 10}
		n := note{Set: set, Found: map[uint32]Timing{5: found, 6: found}} // 6 is gone
		told, err := n.undo(k)
		if err != nil || len(told) != changed || k.all[5] != want || len(k.all) != 1 {
			t.Errorf("found %v, now %v: %v, told %v, %v", found, now, k.all, told, err)
		}
	}
	f(Timing{}, set, Timing{}, 0)
	f(Timing{1, 0}, set, Timing{1, 0}, 0)
	f(Timing{}, Timing{set.Defer, 0}, Timing{}, 0) // died between two writes
	f(Timing{}, Timing{0, set.Flush}, Timing{}, 0)
	f(Timing{}, Timing{}, Timing{}, 0)
	f(Timing{}, other, other, 1)
	f(Timing{}, Timing{set.Defer, other.Flush}, Timing{set.Defer, other.Flush}, 1)
}

// TestRefusedHalfway has the kernel refuse the second of two NAPIs: the first is put back.
func TestRefusedHalfway(t *testing.T) {
	k := &kernel{map[uint32]Timing{1: {}, 2: {}}, 1}
	d := deferral(k, t.TempDir())
	d.Follow()
	k.left = 10
	d.Follow()
	state, fault := d.State()
	if err := d.Close(); err != nil || d.Acts() || state != "as found 0/0s" || fault == "" {
		t.Error(state, fault, err)
	}
}

// TestNothingWithoutANote changes nothing where nothing can be remembered.
func TestNothingWithoutANote(t *testing.T) {
	k := &kernel{map[uint32]Timing{1: {}}, 10}
	d := deferral(k, "/dev/null/no")
	d.Follow()
	if state, fault := d.State(); fault == "" || k.all[1] != (Timing{}) {
		t.Error(state, fault, k.all)
	}
}

func TestFit(t *testing.T) {
	f := func(ring int, want time.Duration) {
		t.Helper()
		if got := DefaultTiming.fit(ring); got.Flush != want || got.Defer != 2 {
			t.Errorf("a ring of %d: %v", ring, got)
		}
	}
	f(0, 200*time.Microsecond)
	f(8192, 200*time.Microsecond)
	f(512, 512*lineRate)
}

func FuzzParseNAPI(f *testing.F) {
	attribute := func(b []byte, kind uint16, value []byte) []byte {
		b = binary.NativeEndian.AppendUint16(b, uint16(4+len(value)))
		b = binary.NativeEndian.AppendUint16(b, kind)
		return append(b, value...)
	}
	word := func(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }
	good := attribute(make([]byte, 4), 2, word(7))
	good = attribute(attribute(good, 5, word(2)), 6, word(200_000))
	if id, t, ok := parseNAPI(good); id != 7 || t != DefaultTiming || !ok {
		f.Error(id, t, ok)
	}
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, _, ok := parseNAPI(b); ok && len(b) < 28 {
			t.Error("read from", b)
		}
		familyOf(b)
	})
}
