//go:build !linux

package exabgp

// unread returns 0: the writing end of a pipe does not tell.
func (w *writer) unread() int { return 0 }
