// Package wait lets a worker sleep without the scheduler of Go.
package wait

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Most is the longest that a source sleeps before it looks again. Within Soon of traffic it may
// pause, for MostPause at most, whether there is something or not.
const (
	Most      = 10 * time.Millisecond
	MostPause = 4 * time.Millisecond
	Soon      = 10 * time.Millisecond
)

// Nap waits until one of fds is ready, for at most d, and returns how many are; 0 too when a signal
// came first. See poll(2).
//
// Go's scheduler is not told. It would take the worker's P away and give it back at every sleep,
// and its monitor, which any system call wakes while all Ps are idle, look every 20 µs whether to:
// while there is traffic that costs as much as the packets, and half of what an idle process costs.
// So nobody but the worker has its P meanwhile: there have to be others, see fastpath.Room. When
// the world is to be stopped, the signal that asks for it ends the nap.
func Nap(fds []unix.PollFd, d time.Duration) int {
	if len(fds) == 0 {
		return 0
	}
	timeout := unix.NsecToTimespec(int64(d))
	// Safe: fds and timeout outlive the call, and the kernel writes no more than their elements.
	n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&fds[0])),
		uintptr(len(fds)), uintptr(unsafe.Pointer(&timeout)), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(n)
}
