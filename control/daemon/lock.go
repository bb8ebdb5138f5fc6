package daemon

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// stateLock is held by the one weir that uses a state directory. The kernel lets go of it when
// the process ends, in whatever way.
type stateLock struct{ *os.File }

// errSecond says that another weir has the lock.
var errSecond = errors.New("another weir uses it")

// lockPatience is how long a lock may be held by what a killed weir leaves behind: a program that
// it was just starting has the lock too, until it has become that program.
const lockPatience = 2 * time.Second

// lockState makes the state directory if it is not there, and takes its lock, waiting lockPatience
// for it. Others may pass through the directory: a speaker that runs as nobody looks for the kill
// file in it.
func lockState(dir string) (*stateLock, error) {
	if err := os.MkdirAll(dir, 0o751); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	path := filepath.Join(dir, "lock")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o640)
	if err != nil {
		return nil, fmt.Errorf("lock the state directory: %w", err)
	}
	if err := lock(file, time.Now().Add(lockPatience)); err != nil {
		err = fmt.Errorf("lock the state directory %s: %w", dir, err)
		return nil, errors.Join(err, file.Close())
	}
	return &stateLock{file}, nil
}

// lock locks file, or returns errSecond where somebody else has it locked until end.
func lock(file *os.File, end time.Time) error {
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		if time.Now().After(end) {
			return errSecond
		}
		time.Sleep(10 * time.Millisecond)
	}
}
