package top

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"weir/control/api"
)

// epoch is the moment of every sample.
func epoch() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

// fake is a daemon that always says the same, or fails.
type fake struct {
	asked [numKinds]atomic.Int64
	err   error
}

func (f *fake) note(k kind) error {
	f.asked[k].Add(1)
	return f.err
}

func (f *fake) Status(context.Context) (api.Status, error) {
	return sampleStatus(), f.note(kindStatus)
}

func (f *fake) Hosts(_ context.Context, q api.HostQuery) (api.HostList, error) {
	return sampleHosts(min(q.Limit, 25)), f.note(kindHosts)
}

func (f *fake) Networks(context.Context) (api.NetworkList, error) {
	return sampleNetworks(), f.note(kindNetworks)
}

func (f *fake) Attacks(context.Context, string) (api.AttackList, error) {
	return sampleAttacks(), f.note(kindAttacks)
}

func (f *fake) Cores(context.Context) (api.CoreList, error) {
	return sampleCores(), f.note(kindCores)
}

func (f *fake) Why(_ context.Context, a netip.Addr) (api.Why, error) {
	return sampleWhy(a.String()), f.note(kindWhy)
}

func rates(pps, bps uint64) api.Rates {
	return api.Rates{
		PPS: pps, BPS: bps, FPS: pps / 9, TCP: pps * 6 / 10, UDP: pps * 3 / 10, ICMP: pps / 20,
		SYN: pps / 30,
	}
}

func sampleStatus() api.Status {
	s := api.Status{
		Type: "status", Version: "0.4.0", Mode: "observe", Started: epoch().Add(-76 * time.Hour),
		Uptime: 76 * 3600, Healthy: true, Hosts: 1234, Attacks: 2, Total: 17,
		Config: api.ConfigStatus{Hash: "9f86d081884c7d65"},
		Traffic: api.Traffic{
			Time: epoch(), PPS: 1_900_000, In: rates(1_234_567, 9_876_543_210),
			Out: rates(654_321, 4_321_098_765), Internal: 120, Foreign: 3, Dropped: 1520,
		},
	}
	s.Traffic.In.AtLeast = true
	for i := range 60 {
		n := uint64(200_000 + 40_000*(i%7))
		if i > 44 {
			n += uint64(i-44) * 60_000
		}
		s.Traffic.History = append(s.Traffic.History, api.Moment{
			InPPS: n, InBPS: n * 8000, OutPPS: n/2 + uint64(i)*1000, OutBPS: n * 4000,
		})
	}
	return s
}

func sampleHosts(n int) api.HostList {
	l := api.HostList{Type: "hosts", Time: epoch(), Active: 1234, Matched: n, Floor: 10}
	for i := range n {
		h := api.Host{
			Address: fmt.Sprintf("203.0.113.%d", 7+i%240), Group: "web", Network: "203.0.113.0/24",
			In: rates(uint64(90_000/(i+1)), uint64(720_000_000/(i+1))), State: "ok",
			Out:     rates(uint64(40_000/(i+2)), uint64(320_000_000/(i+2))),
			Percent: 70 / float64(i+1), Metric: "incoming_tcp_pps",
		}
		switch i {
		case 0:
			h.In = api.Rates{PPS: 940_000, BPS: 7_912_345_678, FPS: 123_456, UDP: 900_000,
				TCP: 20_000, AtLeast: true}
			h.Percent, h.Metric, h.State = 1175.5, "incoming_udp_pps", "attack"
		case 1:
			h.Address, h.Group = "2001:db8:12:3400::cafe:1234", "customers-gold"
			h.In = api.Rates{PPS: 72_000, BPS: 612_345_678, FPS: 512, UDP: 31_000, Frag: 40_000}
			h.Percent, h.Metric, h.State = 90, "incoming_frag_pps", "near"
		case 2:
			h.State = "allowlisted"
		case 5:
			h.Group = "evil\x1b[2J\u202e\u4e16" // what a configuration must not do to the screen
		}
		l.Hosts = append(l.Hosts, h)
	}
	return l
}

func sampleNetworks() api.NetworkList {
	return api.NetworkList{Type: "networks", Time: epoch(), Networks: []api.Network{
		{Prefix: "198.51.100.0/24", Active: 12, In: rates(9_000, 7_100_000), Exact: true,
			Out: rates(51_000, 412_000_000)},
		{Prefix: "203.0.113.0/24", Active: 222, In: rates(1_200_000, 9_600_000_000), Attacks: 2,
			Out: rates(600_000, 4_100_000_000), Exact: true},
		{Prefix: "2001:db8:12:3400::/56", Active: 1000, In: rates(25_000, 201_000_000),
			Out: rates(3_000, 24_000_000)},
	}}
}

func sampleAttacks() api.AttackList {
	end := epoch().Add(-50 * time.Minute)
	a := api.Attack{
		ID: "20260102-030322-1", Target: "203.0.113.7/32", Direction: "incoming", State: "active",
		Begin: epoch().Add(-43 * time.Second), Detected: epoch().Add(-42 * time.Second),
		DelayMS: 850, PPS: 940_000, BPS: 7_912_345_678, FPS: 123_456, PeakPPS: 1_250_000,
		PeakBPS: 9_400_000_000, PeakFPS: 160_000,
		Vectors: []api.Vector{{Name: "dns_reflection", Share: 0.93}, {Name: "udp", Share: 0.03}},
		Trigger: api.Trigger{Metric: "incoming_udp_pps", Value: 610_000, Limit: 80_000,
			Hostgroup: "web", View: "second"},
		Actions: []api.Action{{Time: epoch().Add(-42 * time.Second), Kind: "blackhole",
			Prefix: "203.0.113.7/32", Communities: []string{"65535:666"}, Event: "announced",
			DryRun: true}},
		Evidence: "/var/lib/weir/incidents/20260102-030322-1",
	}
	b := a
	b.ID, b.Target, b.Direction = "20260102-021105-1", "2001:db8:12:3400::cafe:1234", "outgoing"
	b.State, b.Begin, b.End, b.DelayMS = "over", epoch().Add(-53*time.Minute), &end, 12_345
	b.PPS, b.BPS, b.Vectors = 0, 0, []api.Vector{{Name: "syn_flood", Share: 1}}
	b.Actions = []api.Action{{Time: end, Kind: "blackhole", Prefix: b.Target, Event: "withdrawn",
		DryRun: true, Communities: []string{"65535:666", "64500:1"},
		Reason: "below every limit for 10 s, and nothing else keeps it"}}
	return api.AttackList{Type: "attacks", Time: epoch(), Attacks: []api.Attack{a, b}}
}

func sampleCores() api.CoreList {
	return api.CoreList{Type: "cores", Time: epoch(), Cores: []api.Core{
		{Worker: 0, Core: 2, Interface: "enp1s0f0", Queues: []int{0, 1, 2, 3}, Mode: "zerocopy",
			PPS: 810_000, BPS: 6_500_000_000, Busy: 0.42, Fill: 12, HeartAge: 0.31},
		{Worker: 1, Core: 3, Interface: "enp1s0f0", Queues: []int{4, 5, 7}, Mode: "zerocopy",
			PPS: 1_090_000, BPS: 8_500_000_000, Busy: 0.97, Fill: 88, Shed: 0.04, HeartAge: 0.3,
			DroppedPPS: 1520, DroppedAll: 123_456},
		{Worker: 2, Core: -1, Interface: "eth1", Mode: "fanout", Late: true, HeartAge: 17},
		{Worker: 3, Core: -1, Interface: "[2001:db8::1]:2055", Queues: []int{0}, Mode: "socket",
			PPS: 1200, BPS: 9_600_000, Busy: 0.01, HeartAge: 0.2, DroppedAll: 3},
		{Worker: 4, Core: -1, Interface: ":2055", Queues: []int{0}, Mode: "stream", HeartAge: 0.2},
	}}
}

func sampleWhy(a string) api.Why {
	begin := epoch().Add(-43 * time.Second)
	return api.Why{
		Type: "why", Time: epoch(), Address: a, Ours: true, Network: "203.0.113.0/24",
		Counted: "by_address", Group: "web", Prefix: "203.0.113.0/28", State: "attack",
		Verdict: "203.0.113.7 is under attack: its incoming UDP packets are 11.8 times the limit " +
			"that the hostgroup web sets, and have been for 43 seconds.",
		In: rates(940_000, 7_912_345_678), Out: rates(20_000, 160_000_000),
		Limits: []api.Limit{
			{Metric: "incoming_udp_pps", Value: 900_000, Limit: 80_000, Percent: 1125, From: "web"},
			{Metric: "incoming_pps", Value: 940_000, Limit: 1_000_000, Percent: 94, From: "global"},
			{Metric: "incoming_bps", Value: 7_912_345_678, Limit: 20_000_000_000, Percent: 39.6,
				From: "global"},
		},
		Attack: &api.Attack{ID: "20260102-030322-1", Begin: begin,
			Vectors: []api.Vector{{Name: "dns_reflection", Share: 0.93}}},
		Decisions: []api.Decision{
			{Time: begin.Add(time.Second), ID: "20260102-030322-1", What: "attack started"},
			{Time: begin.Add(time.Second), ID: "20260102-030322-1",
				What: "blackhole 203.0.113.7/32 announced (dry run)"},
		},
	}
}

// screen is a model that tests drive: the commands of Update run at once, but for the clock.
type screen struct {
	t *testing.T
	m Model
	f *fake
}

// open returns a screen with its first answers.
func open(t *testing.T, width, height int) *screen {
	f := &fake{}
	s := &screen{t, New(f, Options{Socket: "/run/weir/api.sock", Interval: time.Second},
		epoch()), f}
	s.send(tea.WindowSizeMsg{Width: width, Height: height})
	s.tick(0)
	return s
}

// tick lets the screen's clock show d after the epoch.
func (s *screen) tick(d time.Duration) { s.send(tickMsg(epoch().Add(d))) }

func (s *screen) send(msg tea.Msg) {
	s.t.Helper()
	next, _ := s.m.Update(msg)
	s.m = next.(Model)
	// What is in flight is answered, at the time that the screen has.
	for n := 0; n < 10; n++ {
		k := kindStatus
		for k < numKinds && !s.m.inflight[k] {
			k++
		}
		if k == numKinds {
			return
		}
		a := s.m.question(k)().(answer)
		a.at = s.m.now
		next, _ = s.m.Update(a)
		s.m = next.(Model)
	}
	s.t.Fatal("the screen asks without end")
}

// press sends keys by their names, separated by spaces; "space" is the space bar. What is no name
// is typed key by key.
func (s *screen) press(keys string) {
	s.t.Helper()
	for _, k := range strings.Fields(keys) {
		if _, ok := codes[strings.TrimPrefix(k, "shift+")]; ok || strings.Contains(k, "ctrl+") {
			s.send(key(k))
			continue
		}
		for _, r := range k {
			s.send(key(string(r)))
		}
	}
}

// codes are those of keys that do not print.
var codes = map[string]rune{
	"enter": tea.KeyEnter, "esc": tea.KeyEsc, "backspace": tea.KeyBackspace, "tab": tea.KeyTab,
	"up": tea.KeyUp, "down": tea.KeyDown, "left": tea.KeyLeft, "right": tea.KeyRight,
	"pgup": tea.KeyPgUp, "pgdown": tea.KeyPgDown, "home": tea.KeyHome, "end": tea.KeyEnd,
	"space": tea.KeySpace,
}

func key(name string) tea.KeyPressMsg {
	name, shift := strings.CutPrefix(name, "shift+")
	name, ctrl := strings.CutPrefix(name, "ctrl+")
	k := tea.KeyPressMsg{}
	if shift {
		k.Mod |= tea.ModShift
	}
	if ctrl {
		k.Mod |= tea.ModCtrl
	}
	code, ok := codes[name]
	switch {
	case name == "space":
		k.Code, k.Text = code, " "
	case ok:
		k.Code = code
	default:
		k.Code = []rune(name)[0]
		if !ctrl {
			k.Text = name
		}
	}
	return k
}
