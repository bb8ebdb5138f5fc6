//go:build !linux

package fastpath

import "runtime"

// Pin keeps the calling goroutine on a thread of its own; cores are chosen by the system.
func Pin(int) error {
	runtime.LockOSThread()
	return nil
}

// KeepOff does nothing: cores are chosen by the system.
func KeepOff([]int) error { return nil }

// AllowedCores returns none: cores are chosen by the system.
func AllowedCores() []int { return nil }
