//go:build !linux

package tune

import (
	"errors"
	"fmt"
	"runtime"
)

// Host is there on Linux only.
type Host struct{}

// OpenHost says that this system cannot be tuned: Linux can.
func OpenHost() (*Host, error) {
	return nil, fmt.Errorf("tune on %s: %w, Linux is", runtime.GOOS, errors.ErrUnsupported)
}

// Close does nothing.
func (*Host) Close() error { return nil }

// Facts says that there are none.
func (*Host) Facts([]string) (*Facts, error) { return nil, errors.ErrUnsupported }

// Get fails.
func (*Host) Get(Setting) (string, error) { return "", errors.ErrUnsupported }

// Set fails.
func (*Host) Set(Setting, string) error { return errors.ErrUnsupported }
