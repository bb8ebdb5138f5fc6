package filter

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"

	"weir/decode"
)

// Limits of scripts.
const (
	MaxScript = 1 << 20 // bytes of source
	// loadInstructions is what the part of a script outside of its functions may take.
	loadInstructions = 5_000_000
)

// Script is a Lua 5.1 program that says of each flow record whether to count it, by functions with
// FastNetMon's names:
//
//	function process_netflow(agent_ip, flow) return true end  -- NetFlow v5, v9, IPFIX
//	function process_sflow(agent_ip, flow) return true end    -- sFlow v4, v5
//
// true keeps the record, false drops it. agent_ip is a string; flow is a table with the fields that
// README.md lists, the same table each time. A kind without a function is not asked about.
//
// There are the base, table, string and math libraries, and bit.band, bor, bxor, lshift and rshift;
// nothing that reads files, loads code or prints. require("ffi") gives as much of LuaJIT's as
// scripts written for FastNetMon take to reach the same flow: cdef, typeof and cast.
//
// Concurrency: a Script never changes; each worker has a State of its own.
type Script struct {
	proto   *lua.FunctionProto
	numbers []numberField
	addrs   []addrField
	small   []lua.LValue // of 0 to 65535
	size    int          // bytes of source
	sum     [sha256.Size]byte
}

// Name returns the name that the script was given, which is that of its file.
func (s *Script) Name() string { return s.proto.SourceName }

// Size returns the length of the script, bytes; of the nil Script it is 0.
func (s *Script) Size() int {
	if s == nil {
		return 0
	}
	return s.size
}

// Same reports whether two scripts, either of which may be nil, come from the same text.
func (s *Script) Same(other *Script) bool {
	if s == nil || other == nil {
		return s == other
	}
	return s.sum == other.sum
}

// NewScript compiles a script and tries to load it. name is that of the file, for errors, which are
// Mistakes.
func NewScript(source []byte, name string) (*Script, error) {
	s, err := newScript(source, name)
	if err != nil {
		return nil, scriptMistake(name, source, err)
	}
	return s, nil
}

func newScript(source []byte, name string) (*Script, error) {
	if len(source) > MaxScript {
		return nil, fmt.Errorf("a script of more than %d bytes", MaxScript)
	}
	chunk, err := parse.Parse(bytes.NewReader(source), name)
	if err != nil {
		return nil, err
	}
	proto, err := lua.Compile(chunk, name)
	if err != nil {
		return nil, err
	}
	s := &Script{
		proto: proto, small: make([]lua.LValue, 1<<16), size: len(source),
		sum: sha256.Sum256(source),
	}
	for n := range s.small {
		s.small[n] = lua.LNumber(n)
	}
	names := map[string]bool{}
	gather(proto, names)
	s.numbers, s.addrs = fieldsOf(names)
	trial, err := s.NewState(StateConfig{Clock: func() int64 { return 0 }})
	if err != nil {
		return nil, err
	}
	trial.Close()
	return s, nil
}

// gather notes all strings of a function: those fields of flow that a script names.
func gather(p *lua.FunctionProto, names map[string]bool) {
	for _, c := range p.Constants {
		if text, ok := c.(lua.LString); ok {
			names[string(text)] = true
		}
	}
	for _, inner := range p.FunctionPrototypes {
		gather(inner, names)
	}
}

// Defaults of StateConfig.
const (
	DefaultBudget       = 200 * time.Millisecond
	DefaultInstructions = 10_000
)

// StateConfig says what a State may take.
type StateConfig struct {
	// Budget is the CPU time per second of one worker; 0: DefaultBudget. Records above it are kept
	// without being asked about. Without a Clock there is none.
	Budget time.Duration
	// Instructions is what one call may take, of Lua's virtual machine; 0: DefaultInstructions.
	Instructions int
	// Clock gives nanoseconds, and never goes back; nil: calls take what they take, so that what
	// is kept does not depend on how fast the machine is.
	Clock func() int64
}

// window is the time that a budget is kept in, nanoseconds: a share of the second.
const window = int64(100 * time.Millisecond)

// sampleEvery is the number of calls of which one is timed.
const sampleEvery = 16

// A script is given up after so many failures one after the other, or when half of so many calls
// failed.
const (
	failuresInRow = 100
	failureWindow = 1024
)

// kinds of hooks.
const (
	netflow = iota
	sflow
	numHooks
)

// hookNames are FastNetMon's.
func hookNames() [numHooks]string { return [...]string{"process_netflow", "process_sflow"} }

// State runs a Script for one worker.
//
// Concurrency: one goroutine calls all methods but Stats, which any may call.
type State struct {
	script *Script
	lua    *lua.LState
	meter  meter
	hooks  [numHooks]*lua.LFunction
	flow   *lua.LTable

	numbers []numberField
	addrs   []addrField
	texts   [addrCache]addrText

	clock        func() int64
	instructions int
	share        int64 // of the budget in a window, nanoseconds
	began        int64 // the window
	spent        int64 // in it
	mean         int64 // cost of a call, nanoseconds
	untimed      int   // calls until one is timed

	inRow  int // failures
	judged int // calls of which recent failed
	recent int

	stats counters
}

// NewState loads the script: what stands outside of its functions runs once for each state. Errors
// of Lua begin with the file's name and the line.
func (s *Script) NewState(c StateConfig) (*State, error) {
	if c.Budget <= 0 {
		c.Budget = DefaultBudget
	}
	if c.Instructions <= 0 {
		c.Instructions = DefaultInstructions
	}
	st := &State{
		script: s, clock: c.Clock, instructions: c.Instructions,
		share:   int64(c.Budget) / int64(time.Second/time.Duration(window)),
		numbers: slices.Clone(s.numbers), addrs: s.addrs,
	}
	st.lua = newLua(&st.meter)
	st.meter.closed = make(chan struct{})
	close(st.meter.closed)
	st.lua.SetContext(&st.meter)
	st.flow = st.lua.NewTable()
	st.meter.left = loadInstructions
	st.lua.Push(st.lua.NewFunctionFromProto(s.proto))
	if err := st.lua.PCall(0, 0, nil); err != nil {
		st.Close()
		return nil, cause(err)
	}
	found := false
	for i, name := range hookNames() {
		switch f := st.lua.GetGlobal(name).(type) {
		case *lua.LFunction:
			st.hooks[i], found = f, true
		case *lua.LNilType:
		default:
			st.Close()
			return nil, fmt.Errorf("%s is no function", name)
		}
	}
	if !found {
		st.Close()
		return nil, errors.New("neither process_netflow nor process_sflow")
	}
	return st, nil
}

// Close frees the state.
func (s *State) Close() { s.lua.Close() }

// cause returns the message of an error of Lua, without its stack.
func cause(err error) error {
	var failure *lua.ApiError
	if errors.As(err, &failure) && failure.Object != lua.LNil && failure.Object != nil {
		return errors.New(lua.LVAsString(failure.Object))
	}
	return err
}

// Burst tells the time at the begin of a burst of datagrams: budgets are kept by it.
func (s *State) Burst(now int64) {
	if now-s.began >= window {
		s.began, s.spent = now, 0
	}
}

// Wants reports whether the script is asked about records of p at all.
func (s *State) Wants(p decode.FlowProto) bool { return s.hooks[hookOf(p)] != nil }

func hookOf(p decode.FlowProto) int {
	if p == decode.SFlow4 || p == decode.SFlow5 {
		return sflow
	}
	return netflow
}

// Keep asks the script whether to count a record. agent is the exporter by its own address. It is
// true where the script has no function for p, has failed, has been given up or is over its budget.
func (s *State) Keep(r *decode.Record, p decode.FlowProto, agent decode.Addr) bool {
	hook := s.hooks[hookOf(p)]
	switch {
	case hook == nil:
		return true
	case s.stats.disabled.Load():
		bump(&s.stats.bypassed)
		return true
	case s.clock != nil && s.spent >= s.share:
		bump(&s.stats.shed)
		return true
	}
	bump(&s.stats.calls)
	if s.clock == nil {
		return s.ask(hook, r, agent)
	}
	if s.untimed--; s.untimed >= 0 {
		s.spent += s.mean
		return s.ask(hook, r, agent)
	}
	s.untimed = sampleEvery - 1
	begin := s.clock()
	keep := s.ask(hook, r, agent)
	s.timed(s.clock() - begin)
	return keep
}

// timed takes on what a call cost. One that took much longer than the others was interrupted, more
// likely than not: the mean rises by half of it and a microsecond in one step at most.
func (s *State) timed(cost int64) {
	const least, weight = 1000, 16
	s.mean += (min(cost, weight/2*s.mean+weight*least) - s.mean) / weight
	s.spent += s.mean
}

// ask calls the script.
func (s *State) ask(hook *lua.LFunction, r *decode.Record, agent decode.Addr) bool {
	s.fill(r)
	s.meter.left = s.instructions
	s.lua.Push(hook)
	s.lua.Push(s.text(agent))
	s.lua.Push(s.flow)
	if err := s.lua.PCall(2, 1, nil); err != nil {
		s.fail(err)
		return true
	}
	answer := s.lua.Get(-1)
	s.lua.Pop(1)
	switch answer {
	case lua.LTrue:
		s.judge(0)
		return true
	case lua.LFalse:
		bump(&s.stats.dropped)
		s.judge(0)
		return false
	}
	s.fail(fmt.Errorf("returned %s: neither true nor false", answer.Type()))
	return true
}

// fail notes a failure.
func (s *State) fail(err error) {
	bump(&s.stats.failed)
	text := cause(err).Error()
	if len(text) > maxReason {
		text = text[:maxReason]
	}
	s.stats.reason.Store(&text)
	s.judge(1)
}

// judge gives a script up that fails too often.
func (s *State) judge(failed int) {
	s.inRow = (s.inRow + failed) * failed
	s.recent += failed
	if s.judged++; s.inRow >= failuresInRow || s.recent > failureWindow/2 {
		s.stats.disabled.Store(true)
	}
	if s.judged == failureWindow {
		s.judged, s.recent = 0, 0
	}
}
