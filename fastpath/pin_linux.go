package fastpath

import (
	"fmt"
	"runtime"

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
