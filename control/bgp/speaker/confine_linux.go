package speaker

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	nobody = 65534

	// A GoBGP with a few hundred routes takes some megabytes. The first limit is where Go works
	// hard to stay below it; at the second the process ends.
	softMemory = 256 << 20
	hardMemory = 1 << 30
	maxFiles   = 4096
)

// confine gives up every privilege that the process was started with, and bounds its memory.
func confine(uid, gid int) error {
	debug.SetMemoryLimit(softMemory)
	for resource, limit := range map[int]uint64{
		unix.RLIMIT_DATA: hardMemory, unix.RLIMIT_CORE: 0, unix.RLIMIT_NOFILE: maxFiles,
	} {
		var have unix.Rlimit
		if err := unix.Getrlimit(resource, &have); err != nil {
			return fmt.Errorf("get resource limit %d: %w", resource, err)
		}
		limit = min(limit, uint64(have.Max))
		err := unix.Setrlimit(resource, &unix.Rlimit{Cur: limit, Max: limit})
		if err != nil && !errors.Is(err, unix.EPERM) { // a service manager's filter forbids it
			return fmt.Errorf("set resource limit %d: %w", resource, err)
		}
	}
	// Every thread must have it; with C code in the binary (the race detector) Go cannot.
	_, _, errno := syscall.AllThreadsSyscall6(
		unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	if errno != 0 && !errors.Is(errno, syscall.ENOTSUP) {
		return fmt.Errorf("set no_new_privs: %w", errno)
	}
	if os.Geteuid() != 0 {
		return nil
	}
	return become(uid, gid)
}

// become changes the user, and with it loses every capability.
func become(uid, gid int) error {
	if uid == 0 {
		uid, gid = nobody, nobody
	}
	if err := syscall.Setgroups(nil); err != nil {
		return fmt.Errorf("drop groups: %w", err)
	}
	if err := syscall.Setresgid(gid, gid, gid); err != nil {
		return fmt.Errorf("become group %d: %w", gid, err)
	}
	if err := syscall.Setresuid(uid, uid, uid); err != nil {
		return fmt.Errorf("become user %d: %w", uid, err)
	}
	// The change of user took back the wish to end with the parent. The end of the connection
	// says the same; this is for a speaker that does not look.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("set parent death signal: %w", err)
	}
	return nil
}
