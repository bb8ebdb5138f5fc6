package bench

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Samples tell which part of the CPU time of threads on one CPU is their own, and which the
// kernel's. What /proc and getrusage(2) say of that is guessed from the timer's ticks, which a
// thread that ticks wake up never meets; only the sum is measured there. So the kernel's sampling
// clock is asked instead.
type Samples struct {
	fd  int
	mem []byte
}

// sampleRate is prime to the tick's; samplePages are room for minutes.
const (
	sampleRate  = 4999 // Hz
	samplePages = 1 << 10
)

// NewSamples begins to sample a CPU. It needs root; Close gives it back.
func NewSamples(cpu int) (*Samples, error) {
	fd, err := unix.PerfEventOpen(&unix.PerfEventAttr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK,
		Sample: sampleRate, Sample_type: unix.PERF_SAMPLE_TID, Bits: unix.PerfBitFreq,
	}, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("sample CPU %d: %w", cpu, err)
	}
	s := &Samples{fd: fd}
	s.mem, err = unix.Mmap(fd, 0, (1+samplePages)*unix.Getpagesize(),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("map samples: %w", err)
	}
	return s, nil
}

// Offsets in struct perf_event_mmap_page and perf_event_header, linux/perf_event.h.
const (
	sampleHead   = 1024 // data_head: bytes written
	sampleMisc   = 4
	sampleSize   = 6
	samplePID    = 8
	sampleTID    = 12
	sampleRecord = 16
)

// Stop ends sampling and returns how many samples met the threads that are wanted, and how many of
// these their own code.
func (s *Samples) Stop(wanted func(process, thread int) bool) (all, user int, err error) {
	defer s.Close()
	if err := unix.IoctlSetInt(s.fd, unix.PERF_EVENT_IOC_DISABLE, 0); err != nil {
		return 0, 0, fmt.Errorf("end sampling: %w", err)
	}
	order := binary.NativeEndian
	data := s.mem[unix.Getpagesize():]
	head := order.Uint64(s.mem[sampleHead:])
	if head > uint64(len(data)) {
		return 0, 0, fmt.Errorf("%d bytes of samples, room for %d", head, len(data))
	}
	all, user = countSamples(data[:head], wanted)
	return all, user, nil
}

// countSamples reads records as the kernel writes them.
func countSamples(data []byte, wanted func(process, thread int) bool) (all, user int) {
	order := binary.NativeEndian
	for len(data) >= sampleRecord {
		size := int(order.Uint16(data[sampleSize:]))
		if size < sampleRecord || size > len(data) {
			break
		}
		process, thread := int(order.Uint32(data[samplePID:])), int(order.Uint32(data[sampleTID:]))
		if order.Uint32(data) == unix.PERF_RECORD_SAMPLE && wanted(process, thread) {
			all++
			const modeMask, modeUser = 7, 2 // PERF_RECORD_MISC_CPUMODE_MASK, …_USER
			if order.Uint16(data[sampleMisc:])&modeMask == modeUser {
				user++
			}
		}
		data = data[size:]
	}
	return all, user
}

// Close may be called again.
func (s *Samples) Close() {
	if s.mem != nil {
		_ = unix.Munmap(s.mem)
		_ = unix.Close(s.fd)
	}
	s.mem = nil
}
