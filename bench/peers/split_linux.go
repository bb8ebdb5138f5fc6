package main

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// split tells which part of the CPU time of processes on CPU 1 is their own, and which the kernel's.
// What /proc says of that is guessed from the timer's ticks, which a process that other ticks wake
// up never meets; the sum alone is measured there. So the kernel's sampling clock is asked instead.
type split struct {
	fd  int
	mem []byte
}

// sampleRate is prime to the tick's; samplePages are room for minutes.
const (
	sampleRate  = 4999 // Hz
	samplePages = 1 << 10
)

// newSplit begins to sample.
func newSplit() (*split, error) {
	fd, err := unix.PerfEventOpen(&unix.PerfEventAttr{
		Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_CPU_CLOCK,
		Sample: sampleRate, Sample_type: unix.PERF_SAMPLE_TID, Bits: unix.PerfBitFreq,
	}, -1, 1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("sample CPU 1: %w", err)
	}
	s := &split{fd: fd}
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
	sampleRecord = 16
)

// stop ends sampling and returns how many samples met these processes, and how many of these their
// own code.
func (s *split) stop(processes map[int]bool) (all, user int, err error) {
	defer s.close()
	if err := unix.IoctlSetInt(s.fd, unix.PERF_EVENT_IOC_DISABLE, 0); err != nil {
		return 0, 0, fmt.Errorf("end sampling: %w", err)
	}
	order := binary.NativeEndian
	data := s.mem[unix.Getpagesize():]
	head := order.Uint64(s.mem[sampleHead:])
	if head > uint64(len(data)) {
		return 0, 0, fmt.Errorf("%d bytes of samples, room for %d", head, len(data))
	}
	all, user = countSamples(data[:head], processes)
	return all, user, nil
}

// countSamples reads records as the kernel writes them.
func countSamples(data []byte, processes map[int]bool) (all, user int) {
	order := binary.NativeEndian
	for len(data) >= sampleRecord {
		size := int(order.Uint16(data[sampleSize:]))
		if size < sampleRecord || size > len(data) {
			break
		}
		pid := int(order.Uint32(data[samplePID:]))
		if order.Uint32(data) == unix.PERF_RECORD_SAMPLE && processes[pid] {
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

func (s *split) close() {
	if s.mem != nil {
		_ = unix.Munmap(s.mem)
		_ = unix.Close(s.fd)
	}
	s.mem = nil
}
