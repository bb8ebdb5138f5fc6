//go:build !linux && !freebsd && !darwin

package counters

import "errors"

// MachineMemory is not known here.
func MachineMemory() (uint64, error) {
	return 0, errors.ErrUnsupported
}
