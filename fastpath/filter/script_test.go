package filter

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/decode"
)

// load returns a state of a script whose clock stands still.
func load(t testing.TB, source string, change func(*StateConfig)) *State {
	t.Helper()
	script, err := NewScript([]byte(source), "hook.lua")
	if err != nil {
		t.Fatal(err)
	}
	c := StateConfig{Clock: func() int64 { return 0 }}
	if change != nil {
		change(&c)
	}
	s, err := script.NewState(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// hook returns a script whose netflow function has that body.
func hook(body string) string { return "function process_netflow(agent, flow) " + body + " end" }

var agent9 = addr("203.0.113.9")

// flow is a flow record in which no two numbers are the same.
func flow() decode.Record {
	return decode.Record{
		Src: addr("192.0.2.1"), Dst: addr("2001:db8::7"), Version: 6, Packets: 70_001,
		Bytes: 5_000_000_000, Sampling: 1000, SrcPort: 53, DstPort: 4444, Proto: 17, TCPFlags: 18,
		TTL: 57, NVLAN: 2, VLAN: [8]uint16{100, 200}, Fragment: decode.LaterFragment,
		Flow: decode.Flow{
			Start: 1_700_000_000_123_456_789, End: 1_700_000_001_000_000_000, SrcAS: 64500,
			DstAS: 4_200_000_001, InIf: 3, OutIf: 0x3fffffff, NextHop: addr("192.0.2.254"),
			Forwarding: 64, TOS: 184,
		},
	}
}

func TestFields(t *testing.T) {
	r := flow()
	for _, condition := range []string{
		`agent == "203.0.113.9"`,
		`flow.src_ip == "192.0.2.1"`,
		`flow.dst_ip == "2001:db8::7" and flow.dest_ip == "2001:db8::7"`,
		`flow.next_hop == "192.0.2.254" and flow.nexthop_ip == "192.0.2.254"`,
		`flow.src_port == 53`,
		`flow.dst_port == 4444 and flow.dest_port == 4444`,
		`flow.protocol == 17 and flow.ip_version == 6`,
		`flow.packets == 70001 and flow.flow_packets == 70001`,
		`flow.bytes == 5000000000 and flow.length == 5e9 and flow.flow_octets == 5e9`,
		`flow.flags == 18 and bit.band(flow.tcp_flags, 2) == 2 and bit.bor(1, 2) == 3`,
		`flow.sampling == 1000 and flow.sample_ratio == 1000`,
		`flow.ttl == 57 and flow.tos == 184 and flow.fragment == 2`,
		`flow.forwarding_status == 64 and bit.rshift(64, 6) == 1 and bit.lshift(1, 6) == 64`,
		`flow.src_as == 64500 and flow.dst_as == 4200000001 and flow.dest_as == 4200000001`,
		`flow.in_if == 3 and flow.if_index_in == 3 and flow.inputPort == 3`,
		`flow.out_if == 1073741823 and flow.if_index_out == 0x3fffffff and flow.outputPort > 3`,
		`flow.start_ms == 1700000000123 and flow.flow_start == 1700000000123`,
		`flow.end_ms == 1700000001000 and flow.flow_finish == 1700000001000`,
		`flow.vlan == 100 and bit.bxor(6, 3) == 5`,
		`flow.nothing == nil`,
	} {
		s := load(t, hook("return not ("+condition+")"), nil)
		if s.Keep(&r, decode.NetFlow9, agent9) {
			t.Errorf("not %s: %+v", condition, s.Stats())
		}
		if st := s.Stats(); st.Calls != 1 || st.Dropped != 1 || st.Failed != 0 {
			t.Errorf("%+v", st)
		}
	}
}

// TestFieldsChange has one state see one record after the other, through all keys.
func TestFieldsChange(t *testing.T) {
	s := load(t, hook(`
		local n = 0
		for _ in pairs(flow) do n = n + 1 end
		local port = flow.src_port
		return n ~= 37 or flow.bytes ~= port + 100000 or
			flow.src_ip ~= "10.0." .. math.floor(port / 256) .. "." .. port % 256`), nil)
	for n := range uint64(2000) {
		port := uint32(n) * 7 % 65536
		r := decode.Record{Version: 4, Bytes: uint64(port) + 100_000, SrcPort: uint16(port)}
		r.Src = decode.AddrFrom4(10<<24 | port)
		if s.Keep(&r, decode.IPFIX, agent9) {
			t.Fatalf("record %d: %+v", n, s.Stats())
		}
	}
}

func TestHooks(t *testing.T) {
	for _, test := range []struct {
		source         string
		netflow, sflow bool
	}{
		{"function process_netflow() return false end", true, false},
		{"function process_sflow() return false end", false, true},
		{"process_sflow = function() return false end process_netflow = process_sflow", true, true},
	} {
		s := load(t, test.source, nil)
		for p := range decode.NumFlowProtos {
			want := test.netflow
			if p == decode.SFlow4 || p == decode.SFlow5 {
				want = test.sflow
			}
			r := flow()
			if got := s.Keep(&r, p, agent9); got == want || s.Wants(p) != want {
				t.Errorf("%s: kept %v of %v", test.source, got, p)
			}
		}
	}
}

// TestFastNetMon has a script as they are written for FastNetMon, which reaches the flow through
// LuaJIT's FFI.
func TestFastNetMon(t *testing.T) {
	s := load(t, `
local ffi = require("ffi")
ffi.cdef([[typedef struct { uint32_t src_ip, dest_ip; uint16_t if_index_out; } NF5_FLOW_t;]])
local ignored = { ["203.0.113.9"] = { [3] = "uplink", [5] = "transit" } }
function process_netflow(flow_agent_ip, flow)
	local lua_flow = ffi.cast(ffi.typeof("NF5_FLOW_t*"), flow)
	print("packets and bytes: ", lua_flow.flow_packets, lua_flow.flow_octets)
	for agent_ip, ports in pairs(ignored) do
		if agent_ip == flow_agent_ip and ports[lua_flow.if_index_out] then return false end
	end
	return true
end`, nil)
	for port, want := range map[uint32]bool{3: false, 4: true, 5: false} {
		r := flow()
		r.Flow.OutIf = port
		if s.Keep(&r, decode.NetFlow5, agent9) != want {
			t.Errorf("interface %d: %+v", port, s.Stats())
		}
	}
	r := flow()
	r.Flow.OutIf = 3
	if !s.Keep(&r, decode.NetFlow5, addr("203.0.113.10")) {
		t.Error("another agent")
	}
}

func TestNewScriptFailure(t *testing.T) {
	for _, test := range []struct{ source, want string }{
		{"function process_netflow( return true end", `hook.lua:1: syntax error near "return"`},
		{"x = 1\nfunction process_netflow()\n", "hook.lua:2: syntax error: the script ends"},
		{"goto nowhere", "no visible label 'nowhere'"},
		{"break", "hook.lua:1: no loop to break"},
		{"x = 1\ny.z = 2", "hook.lua:2: attempt to index"},
		{"error({})", "hook.lua:1: failed without a reason"},
		{"x = 1", "neither process_netflow nor process_sflow"},
		{"process_sflow = 7", "process_sflow is no function"},
		{"error('no list')", "no list"},
		{"while true do end", "too many instructions"},
		{"for i = 1, 1e9 do pcall(error) end", "too many instructions"},
		{`require("json")`, `there is no "json"`},
		{"io.open('/etc/passwd')", "attempt to index"},
		{"os.exit(1)", "attempt to index"},
		{"dofile('/etc/passwd')", "attempt to call"},
		{"loadstring('x = 1')()", "attempt to call"},
		{"debug.traceback()", "attempt to index"},
		{"coroutine.create(print)", "attempt to index"},
		{"x = string.rep('x', 1e9)", "more than 65536 bytes"},
		{"x = ('x'):rep(65537)", "more than 65536 bytes"},
		{"function f() return 1 + f() end f()", "stack overflow"},
		{strings.Repeat(" ", MaxScript+1), "more than 1048576 bytes"},
	} {
		s, err := NewScript([]byte(test.source), "hook.lua")
		if err == nil || s != nil || !strings.Contains(err.Error(), test.want) ||
			!strings.Contains(err.Error(), "hook.lua") {
			t.Errorf("%.60s: %v, want %q", test.source, err, test.want)
		}
	}
}

// TestFailures has scripts fail in every way: records are kept, until the script is given up.
func TestFailures(t *testing.T) {
	for _, test := range []struct{ body, want string }{
		{"error('of its own')", "of its own"},
		{"return flow.nothing.more", "attempt to index"},
		{"return nil", "returned nil"},
		{"return 1", "returned number"},
		{"", "returned nil"},
		{"while true do end", "too many instructions"},
		{"while true do pcall(function() while true do end end) end", "too many instructions"},
		{"return process_netflow(agent, flow) and true", "stack overflow"},
		{"return string.rep('x', 1e8) == ''", "more than 65536"},
		{"local t = setmetatable({}, {__index = function(t, k) return t[k] end}) return t.x", ""},
		{"return tostring(setmetatable({}, {__tostring = function() error({}) end}))", ""},
	} {
		s := load(t, hook(test.body), nil)
		r := flow()
		for n := range failuresInRow + 50 {
			if !s.Keep(&r, decode.NetFlow9, agent9) {
				t.Fatalf("%s: dropped record %d", test.body, n)
			}
			if want := n >= failuresInRow-1; s.Stats().Disabled != want {
				t.Fatalf("%s: disabled %v after %d failures", test.body, !want, n+1)
			}
		}
		st := s.Stats()
		if st.Calls != failuresInRow || st.Failed != failuresInRow || st.Bypassed != 50 ||
			!strings.Contains(st.Reason, test.want) || len(st.Reason) > maxReason {
			t.Errorf("%s: %+v", test.body, st)
		}
	}
}

// TestProtectedCalls has a script catch errors for as long as it may: that costs more than other
// instructions do.
func TestProtectedCalls(t *testing.T) {
	s := load(t, `
local n = 0
function process_netflow() while true do n = n + 1 pcall(error) end end
function process_sflow() return n <= 100 end`, nil)
	r := flow()
	s.Keep(&r, decode.NetFlow9, agent9)
	if st := s.Stats(); !s.Keep(&r, decode.SFlow5, agent9) || st.Failed != 1 {
		t.Errorf("over 100 calls: %+v", st)
	}
}

// TestFailsSometimes has one record in so many fail.
func TestFailsSometimes(t *testing.T) {
	for _, test := range []struct {
		every    int
		disabled bool
	}{{3, false}, {2, false}, {1, true}} {
		s := load(t, fmt.Sprintf("local n = 0\n"+hook(`
			n = n + 1
			if n %% %d == 0 then error("now") end
			return false`), test.every), nil)
		r := flow()
		dropped := 0
		for range 5 * failureWindow {
			if !s.Keep(&r, decode.NetFlow9, agent9) {
				dropped++
			}
		}
		st := s.Stats()
		if st.Disabled != test.disabled || int(st.Dropped) != dropped ||
			st.Calls+st.Bypassed != 5*failureWindow || st.Failed+st.Dropped != st.Calls {
			t.Errorf("1 of %d: %+v", test.every, st)
		}
	}
	s := load(t, "local n = 0\n"+hook(`n = n + 1 if n % 10 > 3 then error("now") end return true`),
		nil)
	r := flow()
	for range failureWindow {
		s.Keep(&r, decode.NetFlow9, agent9)
	}
	if st := s.Stats(); !st.Disabled || st.Calls > failureWindow {
		t.Errorf("6 of 10: %+v", st)
	}
}

// TestBudget has a call take a tenth of a millisecond by the clock.
func TestBudget(t *testing.T) {
	now := int64(0)
	s := load(t, hook("return false"), func(c *StateConfig) {
		c.Budget = 100 * time.Millisecond // 10 ms, 100 calls, in each window
		c.Clock = func() int64 { now += 100_000; return now }
	})
	r := flow()
	for range 100 { // windows, until the cost is known
		now += window
		s.Burst(now)
		for range 1000 {
			s.Keep(&r, decode.NetFlow9, agent9)
		}
	}
	before := s.Stats()
	for range 10 {
		now += window
		s.Burst(now)
		for range 1000 {
			s.Keep(&r, decode.NetFlow9, agent9)
		}
	}
	st := s.Stats()
	calls := st.Calls - before.Calls
	if calls < 900 || calls > 1100 || st.Shed-before.Shed != 10_000-calls ||
		st.Dropped != st.Calls || st.Disabled {
		t.Errorf("%d calls: from %+v to %+v", calls, before, st)
	}
	if s.Burst(s.began + window - 1); s.Keep(&r, decode.NetFlow9, agent9) != true {
		t.Error("asked before the next window")
	}
	if s.Burst(s.began + window); s.Keep(&r, decode.NetFlow9, agent9) != false {
		t.Error("not asked in the next window")
	}
}

// TestNoBudget has a state without a clock: every record is asked about, whatever that takes.
func TestNoBudget(t *testing.T) {
	s := load(t, hook("for i = 1, 500 do end return false"), func(c *StateConfig) {
		c.Budget, c.Clock = 1, nil
	})
	r := flow()
	for range 1000 {
		if s.Keep(&r, decode.NetFlow9, agent9) {
			t.Fatal("a record was kept")
		}
	}
	if st := s.Stats(); st.Calls != 1000 || st.Shed != 0 || st.Disabled {
		t.Errorf("%+v", st)
	}
}

// TestStates has states of one script run at once.
func TestStates(t *testing.T) {
	source := "local n = 0\n" + hook("n = n + 1 return n % 2 == 0")
	script, err := NewScript([]byte(source), "hook.lua")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		s, err := script.NewState(StateConfig{Clock: func() int64 { return 0 }})
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			defer s.Close()
			for n := range 1000 {
				r := flow()
				if s.Keep(&r, decode.NetFlow9, agent9) != (n%2 == 1) {
					t.Errorf("record %d", n)
				}
			}
		})
	}
	wg.Wait()
}

// TestAllocs allows one allocation for each number above 65535 that a script reads.
func TestAllocs(t *testing.T) {
	for _, test := range []struct {
		name, body string
		want       float64
	}{
		{"small numbers", "return flow.dst_port == 53 and flow.protocol == 17", 0},
		{"addresses", "return flow.src_ip ~= agent", 0},
		{"a large number", "return flow.bytes < 1000", 1},
	} {
		s := load(t, hook(test.body), nil)
		r := flow()
		got := testing.AllocsPerRun(1000, func() {
			r.Bytes++
			r.DstPort++
			s.Keep(&r, decode.NetFlow9, agent9)
		})
		if got > test.want {
			t.Errorf("%s: %v allocations", test.name, got)
		}
	}
}

func BenchmarkKeep(b *testing.B) {
	for _, bench := range []struct{ name, body string }{
		{"constant", "return true"},
		{"port", "return not (flow.protocol == 17 and flow.dst_port == 53)"},
		{"six fields", `return not (flow.src_ip == "192.0.2.9" or flow.dst_ip == "192.0.2.9" or
			flow.src_port == 1 or flow.dst_port == 2 or flow.packets > 1e6 or flow.protocol == 1)`},
		{"spoofed", `return flow.src_ip ~= "192.0.2.9"`},
		{"fails", "return nil"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			s := load(b, hook(bench.body), func(c *StateConfig) {
				c.Budget = time.Hour
				c.Clock = func() int64 { return time.Now().UnixNano() }
			})
			r := flow()
			b.ReportAllocs()
			n := uint64(0)
			for b.Loop() {
				n++
				if bench.name == "spoofed" {
					r.Src.Lo = n * 0x9e3779b97f4a7c15
				}
				s.inRow, s.recent = 0, 0
				s.Keep(&r, decode.NetFlow9, agent9)
			}
		})
	}
}
