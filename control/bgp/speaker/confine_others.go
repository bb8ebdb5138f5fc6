//go:build !linux

package speaker

import (
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
)

const (
	nobody     = 65534
	softMemory = 256 << 20 // where Go works hard to stay below
)

// confine gives up the privileges of root, and asks Go to stay small.
func confine(uid, gid int) error {
	debug.SetMemoryLimit(softMemory)
	if os.Geteuid() != 0 {
		return nil
	}
	if uid == 0 {
		uid, gid = nobody, nobody
	}
	if err := syscall.Setgroups([]int{gid}); err != nil {
		return fmt.Errorf("drop groups: %w", err)
	}
	if err := syscall.Setgid(gid); err != nil {
		return fmt.Errorf("become group %d: %w", gid, err)
	}
	if err := syscall.Setuid(uid); err != nil {
		return fmt.Errorf("become user %d: %w", uid, err)
	}
	return nil
}
