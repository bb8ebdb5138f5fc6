package script

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// undress takes from the calling thread what a program that it starts should not inherit: the
// ambient capabilities, and, from the whole process, descriptors that somebody gave to weir.
func undress() error {
	err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
	if err != nil {
		return fmt.Errorf("give up ambient capabilities: %w", err)
	}
	// weir's own are closed at exec anyway. Linux before 5.11 cannot do this.
	_ = unix.CloseRange(3, math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC)
	return nil
}
