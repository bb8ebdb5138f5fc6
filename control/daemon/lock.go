package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// stateLock is held by the one weir that uses a state directory. The kernel lets go of it when
// the process ends, in whatever way.
type stateLock struct{ *os.File }

// errSecond says that another weir has the lock.
var errSecond = errors.New("another weir uses it")

// lockState makes the state directory if it is not there, and takes its lock. Others may pass
// through it: a speaker that runs as nobody looks for the kill file in it.
func lockState(dir string) (*stateLock, error) {
	if err := os.MkdirAll(dir, 0o751); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	path := filepath.Join(dir, "lock")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o640)
	if err != nil {
		return nil, fmt.Errorf("lock the state directory: %w", err)
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = errSecond
		}
		err = fmt.Errorf("lock the state directory %s: %w", dir, err)
		return nil, errors.Join(err, file.Close())
	}
	return &stateLock{file}, nil
}
