//go:build !linux

package bgp

import "syscall"

// undress does nothing: there are no ambient capabilities.
func undress(bool) error { return nil }

// attributes keep the terminal's signals from a child: those are for weir, which decides what
// becomes of the routes. It ends when its connection does.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
