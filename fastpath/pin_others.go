//go:build !linux

package fastpath

import "runtime"

// Pin keeps the calling goroutine on a thread of its own; cores are chosen by the system.
func Pin(int) error {
	runtime.LockOSThread()
	return nil
}
