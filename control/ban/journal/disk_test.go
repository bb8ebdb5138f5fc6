package journal

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memDisk is a directory in memory that forgets at a crash what was not synced. Hooks are called
// on the goroutine that uses it, without its lock.
type memDisk struct {
	fail func(op, name string) error // before each operation: an error is its outcome
	cuts func(n int) []int           // where in a write of n bytes hook is called, ascending
	hook func()                      // after each change, and there

	mu      sync.Mutex
	names   map[string]*inode
	durable map[string]*inode // as at the latest sync of the directory
	room    int               // bytes; negative: unlimited
}

type inode struct{ data, synced []byte }

func newMemDisk() *memDisk {
	return &memDisk{names: map[string]*inode{}, durable: map[string]*inode{}, room: -1}
}

// with returns a disk whose journal is data, safe from crashes.
func with(data []byte) *memDisk {
	d := newMemDisk()
	d.names[fileName] = &inode{slices.Clone(data), slices.Clone(data)}
	d.durable = maps.Clone(d.names)
	return d
}

// do runs an operation between the hooks.
func (d *memDisk) do(op, name string, f func() error) error {
	if d.fail != nil {
		if err := d.fail(op, name); err != nil {
			return fmt.Errorf("%s %s: %w", op, name, err)
		}
	}
	d.mu.Lock()
	err := f()
	d.mu.Unlock()
	if d.hook != nil {
		d.hook()
	}
	return err
}

func (d *memDisk) read(name string) (data []byte, err error) {
	err = d.do("read", name, func() error {
		n := d.names[name]
		if n == nil {
			return fs.ErrNotExist
		}
		data = slices.Clone(n.data)
		return nil
	})
	return data, err
}

func (d *memDisk) create(name string) (f file, err error) {
	err = d.do("create", name, func() error {
		n := &inode{}
		d.names[name] = n
		f = &memFile{d, n, name}
		return nil
	})
	return f, err
}

func (d *memDisk) rename(from, to string) error {
	return d.do("rename", from, func() error {
		n := d.names[from]
		if n == nil {
			return fs.ErrNotExist
		}
		delete(d.names, from)
		d.names[to] = n
		return nil
	})
}

func (d *memDisk) link(from, to string) error {
	return d.do("link", from, func() error {
		if d.names[from] == nil || d.names[to] != nil {
			return fs.ErrInvalid
		}
		d.names[to] = d.names[from]
		return nil
	})
}

func (d *memDisk) remove(name string) error {
	return d.do("remove", name, func() error {
		delete(d.names, name)
		return nil
	})
}

func (d *memDisk) list() (names []string, err error) {
	err = d.do("list", "", func() error {
		names = slices.Sorted(maps.Keys(d.names))
		return nil
	})
	return names, err
}

func (d *memDisk) sync() error {
	return d.do("sync", "", func() error {
		d.durable = maps.Clone(d.names)
		return nil
	})
}

func (d *memDisk) journal() []byte { return d.content(fileName) }

func (d *memDisk) content(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := d.names[name]; n != nil {
		return slices.Clone(n.data)
	}
	return nil
}

func (d *memDisk) setRoom(n int) {
	d.mu.Lock()
	d.room = n
	d.mu.Unlock()
}

// killed returns what a weir finds that starts after this one was killed.
func (d *memDisk) killed() *memDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	after := newMemDisk()
	for name, n := range d.names {
		after.names[name] = &inode{slices.Clone(n.data), slices.Clone(n.data)}
	}
	after.durable = maps.Clone(after.names)
	return after
}

// cutOff returns what it may find after a loss of power: names as they were or are, what was
// synced, and anything or nothing of the rest.
func (d *memDisk) cutOff(rng *rand.Rand) *memDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	after := newMemDisk()
	names := []map[string]*inode{d.names, d.durable}[rng.IntN(2)]
	for name, n := range names {
		data := slices.Clone(n.synced)
		if rest, ok := bytes.CutPrefix(n.data, n.synced); !ok {
			data = slices.Clone([][]byte{n.synced, n.data}[rng.IntN(2)]) // truncated since
		} else if part := rest[:rng.IntN(len(rest)+1)]; rng.IntN(2) == 0 {
			data = append(data, part...)
		} else {
			data = append(data, make([]byte, len(part))...) // the size came first
		}
		after.names[name] = &inode{data, slices.Clone(data)}
	}
	after.durable = maps.Clone(after.names)
	return after
}

type memFile struct {
	disk *memDisk
	*inode
	name string
}

func (f *memFile) Write(p []byte) (n int, err error) {
	d := f.disk
	put := func(to int) error {
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.room >= 0 && to-n > d.room {
			f.data, n = append(f.data, p[n:n+d.room]...), n+d.room
			d.room = 0
			return syscall.ENOSPC
		}
		if d.room >= 0 {
			d.room -= to - n
		}
		f.data, n = append(f.data, p[n:to]...), to
		return nil
	}
	err = d.do("write", f.name, func() error { return nil })
	if d.cuts != nil && err == nil {
		for _, at := range d.cuts(len(p)) {
			if err := put(at); err != nil {
				return n, err
			}
			d.hook()
		}
	}
	if err == nil {
		err = put(len(p))
	}
	if d.hook != nil {
		d.hook()
	}
	return n, err
}

func (f *memFile) Sync() error {
	return f.disk.do("fsync", f.name, func() error {
		f.synced = slices.Clone(f.data)
		return nil
	})
}

func (f *memFile) Truncate(size int64) error {
	return f.disk.do("truncate", f.name, func() error {
		if f.disk.room >= 0 {
			f.disk.room += len(f.data) - int(size)
		}
		f.data = slices.Clone(f.data[:size])
		return nil
	})
}

func (f *memFile) Close() error { return f.disk.do("close", f.name, func() error { return nil }) }

// seeded returns a source of chance that a failure names.
func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("JOURNAL_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("again with JOURNAL_SEED=%d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 1))
}
