//go:build freebsd || darwin

package counters

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// MachineMemory returns the machine's bytes of memory.
func MachineMemory() (uint64, error) {
	name := "hw.physmem"
	if runtime.GOOS == "darwin" {
		name = "hw.memsize"
	}
	total, err := unix.SysctlUint64(name)
	if err != nil {
		return 0, fmt.Errorf("sysctl %s: %w", name, err)
	}
	return total, nil
}
