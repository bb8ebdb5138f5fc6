package filter

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	lua "github.com/yuin/gopher-lua"
)

// meter bounds how many instructions the virtual machine runs: it asks for Done before each.
// As a context it has no other use.
type meter struct {
	left   int
	closed chan struct{}
}

var _ context.Context = (*meter)(nil)

// errTooLong is what a script fails with at its limit. It cannot go on after catching it.
var errTooLong = errors.New("too many instructions")

// Done implements context.Context.
func (m *meter) Done() <-chan struct{} {
	if m.left--; m.left < 0 {
		return m.closed
	}
	return nil
}

// Err implements context.Context.
func (m *meter) Err() error {
	if m.left < 0 {
		return errTooLong
	}
	return nil
}

// Deadline implements context.Context.
func (m *meter) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value implements context.Context.
func (m *meter) Value(any) any { return nil }

// Sizes of a state's stacks: what a script may use by calling itself.
const (
	callStack   = 128
	registry    = 4 << 10
	registryMax = 64 << 10
)

// protectedCall is how many instructions a pcall counts for: one that fails takes microseconds.
const protectedCall = 100

// maxRepeated is the most that string.rep makes, bytes.
const maxRepeated = 64 << 10

// newLua returns a virtual machine without what reaches beyond it.
func newLua(m *meter) *lua.LState {
	l := lua.NewState(lua.Options{
		SkipOpenLibs: true, CallStackSize: callStack, RegistrySize: registry,
		RegistryMaxSize: registryMax, RegistryGrowStep: registry,
	})
	for _, open := range []lua.LGFunction{
		lua.OpenBase, lua.OpenTable, lua.OpenString, lua.OpenMath,
	} {
		l.Push(l.NewFunction(open))
		l.Call(0, 0)
	}
	for _, name := range []string{
		"dofile", "loadfile", "load", "loadstring", "module", "collectgarbage", "newproxy",
		"_printregs",
	} {
		l.SetGlobal(name, lua.LNil)
	}
	for _, name := range []string{"pcall", "xpcall"} {
		if f, ok := l.GetGlobal(name).(*lua.LFunction); ok {
			l.SetGlobal(name, l.NewFunction(func(l *lua.LState) int {
				m.left -= protectedCall
				return f.GFunction(l)
			}))
		}
	}
	l.SetGlobal("print", l.NewFunction(func(*lua.LState) int { return 0 }))
	l.SetGlobal("require", l.NewFunction(require))
	l.SetGlobal("bit", l.SetFuncs(l.NewTable(), map[string]lua.LGFunction{
		"band":   bitwise(func(a, b uint32) uint32 { return a & b }),
		"bor":    bitwise(func(a, b uint32) uint32 { return a | b }),
		"bxor":   bitwise(func(a, b uint32) uint32 { return a ^ b }),
		"lshift": bitwise(func(a, b uint32) uint32 { return a << (b & 31) }),
		"rshift": bitwise(func(a, b uint32) uint32 { return a >> (b & 31) }),
	}))
	if text, ok := l.GetGlobal("string").(*lua.LTable); ok {
		text.RawSetString("rep", l.NewFunction(repeatString))
	}
	return l
}

// bitwise makes a function of two numbers of 32 bits.
func bitwise(f func(a, b uint32) uint32) lua.LGFunction {
	return func(l *lua.LState) int {
		a, b := uint32(l.CheckInt64(1)), uint32(l.CheckInt64(2))
		l.Push(lua.LNumber(f(a, b)))
		return 1
	}
}

// repeatString is string.rep with a bound.
func repeatString(l *lua.LState) int {
	text, n := l.CheckString(1), max(0, l.CheckInt(2))
	if len(text) > 0 && n > maxRepeated/len(text) {
		l.RaiseError("string.rep: more than %d bytes", maxRepeated)
	}
	l.Push(lua.LString(strings.Repeat(text, n)))
	return 1
}

// require knows "ffi", with which scripts for FastNetMon turn a pointer into the structure that
// flow is here to begin with.
func require(l *lua.LState) int {
	if name := l.CheckString(1); name != "ffi" {
		l.RaiseError("require: there is no %q", name)
	}
	l.Push(l.SetFuncs(l.NewTable(), map[string]lua.LGFunction{
		"cdef":   func(*lua.LState) int { return 0 },
		"typeof": func(l *lua.LState) int { l.SetTop(1); return 1 },
		"cast":   func(l *lua.LState) int { l.Push(l.Get(2)); return 1 },
	}))
	return 1
}

// maxReason is how long the text of a failure is at most, bytes.
const maxReason = 512

// ScriptStats are a State's totals. Every record that came to a function was in Calls, Shed or
// Bypassed.
type ScriptStats struct {
	Calls    uint64
	Dropped  uint64 // of Calls: the script said so
	Failed   uint64 // of Calls, and kept
	Shed     uint64 // kept: over the budget
	Bypassed uint64 // kept: the script was given up
	Disabled bool   // it was
	Reason   string // of the last failure; at most 512 bytes
}

// counters are written by the worker alone.
type counters struct {
	calls, dropped, failed, shed, bypassed atomic.Uint64
	disabled                               atomic.Bool
	reason                                 atomic.Pointer[string]
}

// bump adds one to a counter that nobody else writes.
func bump(n *atomic.Uint64) { n.Store(n.Load() + 1) }

// Stats returns the totals.
func (s *State) Stats() ScriptStats {
	c := &s.stats
	out := ScriptStats{
		Calls: c.calls.Load(), Dropped: c.dropped.Load(), Failed: c.failed.Load(),
		Shed: c.shed.Load(), Bypassed: c.bypassed.Load(), Disabled: c.disabled.Load(),
	}
	if reason := c.reason.Load(); reason != nil {
		out.Reason = *reason
	}
	return out
}
