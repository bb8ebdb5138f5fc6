//go:build !linux

package afxdp

import "errors"

// ProgramName needs Linux.
func ProgramName(uint32) (string, error) { return "", errors.ErrUnsupported }
