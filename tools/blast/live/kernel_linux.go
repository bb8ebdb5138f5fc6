package live

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"weir/tools/blast"
)

// liveBatch is how many frames the kernel makes before it lets the receiver run, on the same CPU.
// veth has room for 256 per queue.
const liveBatch = 64

// MaxBurst is how many frames one Run sends at most: some milliseconds. Its beginning and its end
// take as long, since the kernel makes pages for it, and waits until nobody has them: few frames at
// once are expensive.
const MaxBurst = 1 << 14

// minLen is that of the shortest frame: Ethernet's header.
const minLen = 14

// Kernel sends frames from a program in the kernel, by BPF_F_TEST_XDP_LIVE_FRAMES: the same pages
// go round and round, and the program writes what each frame is. Frames are redirected straight to
// the interface's driver.
//
// Concurrency: for one goroutine, but for Sent. It sends in the network namespace, and on the CPU,
// of its thread.
type Kernel struct {
	program *ebpf.Program
	shared  *ebpf.Map
	data    []byte // what a page begins with
	mem     []byte // the map's, nil with patches
	shift   int    // 1<<shift is the size of a slot
	gap     uint64 // nanoseconds from one frame to the next at least
}

// NewPatched returns a Kernel that sends copies of a frame; patches are applied to each, in order.
func NewPatched(frame []byte, patches []Patch) (*Kernel, error) {
	for i := range patches {
		if err := patches[i].Check(len(frame)); err != nil {
			return nil, fmt.Errorf("patch %d: %w", i, err)
		}
	}
	k := &Kernel{data: slices.Clone(frame)}
	err := k.load(&ebpf.MapSpec{ValueSize: uint32(binary.Size(state{}))}, func() *ebpf.ProgramSpec {
		return &ebpf.ProgramSpec{Instructions: patching(k.shared.FD(), len(frame), patches)}
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// NewKernel returns a Kernel that sends frames of a stream, of up to maxLen bytes.
func NewKernel(maxLen int) (*Kernel, error) {
	if maxLen < minLen || maxLen > slotRoom {
		return nil, fmt.Errorf("frames of %d bytes are not from %d to %d", maxLen, minLen, slotRoom)
	}
	k := &Kernel{data: make([]byte, maxLen), shift: slotShift(maxLen)}
	size := stateLen + MaxBurst<<k.shift
	err := k.load(&ebpf.MapSpec{ValueSize: uint32(size), Flags: unix.BPF_F_MMAPABLE},
		func() *ebpf.ProgramSpec {
			return &ebpf.ProgramSpec{Instructions: copying(k.shared.FD(), maxLen)}
		})
	if err != nil {
		return nil, err
	}
	k.mem, err = unix.Mmap(k.shared.FD(), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("map frames: %w", err), k.Close())
	}
	return k, nil
}

func (k *Kernel) load(m *ebpf.MapSpec, p func() *ebpf.ProgramSpec) (err error) {
	m.Name, m.Type, m.KeySize, m.MaxEntries = "weir_blast", ebpf.Array, 4, 1
	if k.shared, err = ebpf.NewMap(m); err != nil {
		return fmt.Errorf("make generator's map: %w", err)
	}
	spec := p()
	spec.Name, spec.Type, spec.License = "weir_blast", ebpf.XDP, "GPL"
	if k.program, err = ebpf.NewProgram(spec); err != nil {
		return errors.Join(fmt.Errorf("load generator's program: %w", err), k.shared.Close())
	}
	return nil
}

// Close frees program and memory.
func (k *Kernel) Close() error {
	err := errors.Join(k.program.Close(), k.shared.Close())
	if k.mem != nil {
		err = errors.Join(err, unix.Munmap(k.mem))
		k.mem = nil
	}
	return err
}

// Sent returns how many frames were given to the interface; it is exact at any time before Close.
func (k *Kernel) Sent() (uint64, error) {
	s, err := k.read()
	return s.Count, err
}

// Pace has the frames of later runs leave gap after one another at least, instead of all at once; a
// gap of more than some microseconds is not kept. The CPU waits meanwhile.
func (k *Kernel) Pace(gap time.Duration) { k.gap = uint64(max(gap, 0)) }

// Run sends n frames to the interface with that index, and returns how many it sent. Those of a
// stream are in their slots.
func (k *Kernel) Run(index, n int) (int, error) {
	s, err := k.read()
	if err != nil {
		return 0, err
	}
	before := s.Count
	s.Limit, s.Index, s.Gap = before+uint64(n), uint64(index), k.gap
	if err := k.write(&s); err != nil {
		return 0, err
	}
	_, failed := k.program.Run(&ebpf.RunOptions{
		Data: k.data, Repeat: uint32(n),
		Flags: unix.BPF_F_TEST_XDP_LIVE_FRAMES, BatchSize: liveBatch,
	})
	if failed != nil {
		failed = fmt.Errorf("run generator's program: %w", failed)
	}
	now, err := k.Sent()
	return int(now - before), errors.Join(failed, err)
}

func (k *Kernel) read() (s state, err error) {
	if k.mem != nil {
		s.Count = binary.NativeEndian.Uint64(k.mem[offCount:])
		return s, nil
	}
	if err := k.shared.Lookup(uint32(0), &s); err != nil {
		return s, fmt.Errorf("read generator's map: %w", err)
	}
	return s, nil
}

// write writes the state, and nothing behind it.
func (k *Kernel) write(s *state) error {
	if k.mem != nil {
		binary.NativeEndian.PutUint64(k.mem[offLimit:], s.Limit)
		binary.NativeEndian.PutUint64(k.mem[offIndex:], s.Index)
		binary.NativeEndian.PutUint64(k.mem[offGap:], s.Gap)
		return nil
	}
	if err := k.shared.Put(uint32(0), s); err != nil {
		return fmt.Errorf("write generator's map: %w", err)
	}
	return nil
}

// Send sends the next n frames of a stream to the interface with that index, and returns how many
// it sent.
func (k *Kernel) Send(index int, s blast.Stream, n int) (sent int, err error) {
	for sent < n {
		part := min(n-sent, MaxBurst)
		first, err := k.Sent()
		if err != nil {
			return sent, err
		}
		k.fill(s, first, part)
		took, err := k.Run(index, part)
		sent += took
		if err == nil && took < part {
			err = fmt.Errorf("the kernel's program sent %d of %d frames", took, part)
		}
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// fill writes n frames of a stream to the slots of frames from number first on.
func (k *Kernel) fill(s blast.Stream, first uint64, n int) {
	for i := range uint64(n) {
		slot := k.mem[stateLen+(first+i)%MaxBurst<<k.shift:][:1<<k.shift]
		length := s.Next(slot[slotFrame:])
		binary.NativeEndian.PutUint32(slot, uint32(length))
	}
}
