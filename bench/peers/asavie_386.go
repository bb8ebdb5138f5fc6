//go:build linux

package main

import (
	"errors"
	"sync/atomic"
)

// countAsavie is not supported: that module uses system calls which 32-bit x86 does not have.
func countAsavie(string, bool, *atomic.Uint64) error {
	return errors.New("asavie/xdp does not build for 386")
}
