//go:build !linux

package udp

import "errors"

// Grant needs Linux.
func Grant(int) (int, error) { return 0, errors.ErrUnsupported }
