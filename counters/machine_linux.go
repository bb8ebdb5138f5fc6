package counters

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// MachineMemory returns the bytes of memory that this process may use: the machine's, or less
// where a control group (version 2) on the way to the root says so.
func MachineMemory() (uint64, error) {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return 0, fmt.Errorf("ask the kernel for its memory: %w", err)
	}
	total := uint64(info.Totalram) * uint64(info.Unit)
	self, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return total, nil // no control groups here
	}
	for line := range strings.Lines(string(self)) {
		if group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			total = min(total, groupMemory("/sys/fs/cgroup", group))
		}
	}
	return total, nil
}

// groupMemory returns the least memory.max of group and its parents below root.
func groupMemory(root, group string) uint64 {
	least := ^uint64(0)
	for dir := filepath.Clean("/" + group); ; dir = filepath.Dir(dir) {
		text, err := os.ReadFile(filepath.Join(root, dir, "memory.max"))
		if err == nil {
			if v, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil {
				least = min(least, v)
			} // "max" is no limit
		}
		if dir == "/" {
			return least
		}
	}
}
