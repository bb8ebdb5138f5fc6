package ring

import (
	"bytes"
	"reflect"
	"testing"
)

func TestBatchData(t *testing.T) {
	b := Batch{Mem: []byte("0123456789"), N: 3}
	b.Frames[0] = Frame{Off: 0, Cap: 3}
	b.Frames[1] = Frame{Off: 3, Cap: 7}
	b.Frames[2] = Frame{Off: 10, Cap: 0}
	f := func(i int, want string) {
		t.Helper()
		got := b.Data(i)
		if string(got) != want {
			t.Errorf("Data(%d) is %q, want %q", i, got, want)
		}
		if cap(got) != len(got) {
			t.Errorf("Data(%d) lets its user append into the next frame", i)
		}
	}
	f(0, "012")
	f(1, "3456789")
	f(2, "")
	if _ = append(b.Data(0), 'x'); !bytes.Equal(b.Mem, []byte("0123456789")) {
		t.Errorf("append to a frame wrote %q", b.Mem)
	}
}

// A frame outside of Mem is a bug in a source: it must stop there, not read another's memory.
func TestBatchDataOutside(t *testing.T) {
	for _, f := range []Frame{{Off: 5, Cap: 6}, {Off: 11}, {Off: 1 << 31, Cap: 1 << 31}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Data of %+v in 10 bytes does not panic", f)
				}
			}()
			b := Batch{Mem: make([]byte, 10), N: 1, Frames: [BurstSize]Frame{f}}
			b.Data(0)
		}()
	}
}

// What is stored on the packet path holds no pointers, so that it costs no write barrier, and a
// Sample fits the 256 bytes that memory is budgeted by.
func TestLayout(t *testing.T) {
	for _, v := range []any{Frame{}, Sample{}, Hint{}} {
		if kind := pointerIn(reflect.TypeOf(v)); kind != reflect.Invalid {
			t.Errorf("%T holds a %v", v, kind)
		}
	}
	if size := reflect.TypeOf(Sample{}).Size(); size > 256 {
		t.Errorf("a Sample has %d bytes", size)
	}
}

// pointerIn returns a kind within t that the garbage collector follows, or Invalid.
func pointerIn(t reflect.Type) reflect.Kind {
	switch t.Kind() {
	case reflect.Struct:
		for i := range t.NumField() {
			if kind := pointerIn(t.Field(i).Type); kind != reflect.Invalid {
				return kind
			}
		}
		return reflect.Invalid
	case reflect.Array:
		return pointerIn(t.Elem())
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return reflect.Invalid
	}
	return t.Kind()
}

func TestBatchNoAllocs(t *testing.T) {
	b := &Batch{Mem: make([]byte, 100), N: 1}
	b.Frames[0] = Frame{Off: 10, Cap: 50}
	if n := testing.AllocsPerRun(1000, func() { b.Data(0)[0]++ }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
