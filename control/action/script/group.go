package script

import (
	"errors"
	"syscall"
)

// group is a process group that its leader has made.
//
// Its number belongs to it while one process of it exists, be it one that has ended and was not
// collected. Who found it gone must not use it again.
type group struct {
	id    int
	known []int // members that lived lately, where lives can tell
}

// exists reports whether a process of the group lives; one of another user's does. It is for the
// time after the leader's end.
func (g *group) exists() bool {
	if errors.Is(syscall.Kill(-g.id, 0), syscall.ESRCH) {
		return false
	}
	if g.lives() {
		return true
	}
	// Only the ended are left, for process 1 to collect, which may take it seconds. A process
	// that was made while we looked may have been missed: nothing of a job outlives it.
	g.signal(syscall.SIGKILL)
	return false
}

func (g *group) signal(s syscall.Signal) {
	_ = syscall.Kill(-g.id, s) // exists tells whether it helped
}
