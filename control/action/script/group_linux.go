package script

import (
	"bytes"
	"os"
	"strconv"
)

// lives reports whether a process of the group has not ended. All processes are looked at only
// when none that was known lives any more.
func (g *group) lives() bool {
	for _, pid := range g.known {
		if g.member(pid) {
			return true
		}
	}
	g.known = g.known[:0]
	proc, err := os.Open("/proc")
	if err != nil {
		return true
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return true
	}
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && g.member(pid) {
			g.known = append(g.known, pid)
		}
	}
	return len(g.known) > 0
}

// member reports whether pid is a process of the group that has not ended.
func (g *group) member(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	// pid (name) state parent group ...: the name may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	return len(fields) > 2 && string(fields[2]) == strconv.Itoa(g.id) &&
		fields[0][0] != 'Z' && fields[0][0] != 'X'
}
