package live

import (
	"errors"
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// OnCPU calls f on a CPU; below 0 it is any. The caller has locked its thread; one that cannot be
// let go again is locked once more, for ever.
func OnCPU(cpu int, f func() error) (err error) {
	if cpu < 0 {
		return f()
	}
	var old, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &old); err != nil {
		return fmt.Errorf("get CPUs: %w", err)
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("run on CPU %d: %w", cpu, err)
	}
	defer func() {
		if back := unix.SchedSetaffinity(0, &old); back != nil {
			runtime.LockOSThread()
			err = errors.Join(err, fmt.Errorf("leave CPU %d: %w", cpu, back))
		}
	}()
	return f()
}
