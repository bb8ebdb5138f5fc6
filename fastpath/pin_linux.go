package fastpath

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// Pin keeps the calling goroutine on a thread of its own, on one core. It is for a goroutine that
// ends with the thread's work: neither is undone.
func Pin(core int) error {
	runtime.LockOSThread()
	var set unix.CPUSet
	set.Set(core)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return fmt.Errorf("pin a worker to core %d: %w", core, err)
	}
	return nil
}

// KeepOff moves all threads of this process, and so those that they will start, to the allowed
// cores that are not among cores. Where no core is left it does nothing.
func KeepOff(cores []int) error {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return fmt.Errorf("ask for the allowed cores: %w", err)
	}
	for _, c := range cores {
		set.Clear(c)
	}
	if len(cores) == 0 || set.Count() == 0 {
		return nil
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("list threads: %w", err)
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			continue
		}
		if err := unix.SchedSetaffinity(id, &set); err != nil && !errors.Is(err, unix.ESRCH) {
			return fmt.Errorf("move thread %d: %w", id, err)
		}
	}
	return nil
}

// AllowedCores returns the cores that this process may run on, in order.
func AllowedCores() []int {
	var set unix.CPUSet
	if unix.SchedGetaffinity(0, &set) != nil {
		return nil // not known: nobody is pinned
	}
	var cores []int
	for c := 0; len(cores) < set.Count(); c++ {
		if set.IsSet(c) {
			cores = append(cores, c)
		}
	}
	return cores
}
