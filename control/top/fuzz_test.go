package top

import (
	"errors"
	"math"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"weir/control/api"
)

// FuzzTop sends random keys, sizes and answers: no panic, and no line that does not fit.
func FuzzTop(f *testing.F) {
	f.Add([]byte("\x00jjG2\x05jenter"), "evil\x1b[31m", uint64(1<<40), 3.5)
	f.Add([]byte{1, 40, 10, 3, 3, 3, 9, 9, '/', 'x', 2, '4', 3, 'l', 'l'}, "世界\u0301",
		uint64(0), -1.0)
	f.Add([]byte{1, 80, 24, 2, 5, 2, 2, 'e', '2', 'e', 'e', '?'}, "2001:db8::1", uint64(7),
		math.NaN())
	f.Add([]byte{1, 255, 255, 2, 0, 2, 1, 2, 2, 2, 3, 2, 4, '3', 'e', 'e'}, "", uint64(1e19),
		1e300)
	f.Fuzz(func(t *testing.T, ops []byte, s string, n uint64, p float64) {
		m := New(&fake{}, Options{Socket: s, Interval: time.Second,
			Look: Look{ASCII: n&1 > 0, Styles: n&2 > 0}}, epoch())
		next := func(i *int) byte {
			if *i++; *i < len(ops) {
				return ops[*i]
			}
			return 0
		}
		for i := 0; i < len(ops) && i < 200; i++ {
			var msg tea.Msg
			switch op := ops[i]; op {
			case 0:
				msg = tickMsg(epoch().Add(time.Duration(n)))
			case 1:
				msg = tea.WindowSizeMsg{Width: int(next(&i)), Height: int(next(&i))}
			case 2:
				msg = strange(&m, kind(next(&i))%numKinds, s, n, p)
			case 3:
				msg = sane(&m, kind(next(&i))%numKinds)
			case 4, 5, 6, 7, 8, 9, 11, 14:
				msg = key([]string{"up", "down", "left", "right", "tab", "shift+tab", "pgdown",
					"backspace"}[op%8])
			case 'e':
				msg = key("enter")
			case 27:
				msg = key("esc")
			case 28:
				msg = tea.PasteMsg{Content: s}
			case 29:
				msg = tea.KeyPressMsg{Text: s, Mod: tea.KeyMod(n)}
			default:
				msg = key(string(rune(op)))
			}
			after, _ := m.Update(msg)
			m = after.(Model)
			fitsScreen(t, m, m.text())
		}
	})
}

// sane is a likely answer.
func sane(m *Model, k kind) answer {
	a := answer{kind: k, at: m.now, query: m.query(), subject: m.at.subject}
	a.value = [numKinds]any{sampleStatus(), sampleHosts(25), sampleNetworks(), sampleAttacks(),
		sampleCores(), sampleWhy("203.0.113.7")}[k]
	return a
}

// strange is an answer whose every value is the fuzzer's.
func strange(m *Model, k kind, s string, n uint64, p float64) answer {
	a := answer{kind: k, at: time.Unix(int64(n), 0), subject: m.at.subject, query: m.query()}
	r := api.Rates{PPS: n, BPS: n, FPS: n, TCP: n, UDP: n / 2, ICMP: n, Frag: n, AtLeast: n%2 > 0}
	when := time.Unix(int64(n), 0)
	att := api.Attack{ID: s, Target: s, Direction: s, State: s, Begin: when, End: &when,
		DelayMS: int64(n), Vectors: []api.Vector{{Name: s, Share: p}}, PPS: n, PeakBPS: n,
		Evidence: s, Trigger: api.Trigger{Metric: s, Hostgroup: s, View: s, Limit: n},
		Actions: []api.Action{{Kind: s, Prefix: s, Communities: []string{s, s}, Reason: s}}}
	switch k {
	case kindStatus:
		a.value = api.Status{Version: s, Mode: s, Uptime: p, Problems: []string{s, s},
			Hosts: int(n), Config: api.ConfigStatus{Hash: s}, Healthy: n%2 > 0,
			Traffic: api.Traffic{In: r, Out: r, Dropped: n, History: make([]api.Moment, n%200)}}
	case kindHosts:
		a.value = api.HostList{Matched: int(n), Hosts: []api.Host{{}, {Address: s, Group: s, In: r,
			Percent: p, Metric: s, State: s}, {Address: s}}}
	case kindNetworks:
		a.value = api.NetworkList{Networks: []api.Network{{Prefix: s, In: r, Active: int(n)}, {}}}
	case kindAttacks:
		a.value = api.AttackList{Attacks: []api.Attack{{}, att}}
	case kindCores:
		a.value = api.CoreList{Cores: []api.Core{{Interface: s, Mode: s, Busy: p, Fill: int(n),
			Shed: p, HeartAge: p, Worker: int(n), Core: int(n), Queues: make([]int, n%99)}}}
	case kindWhy:
		a.value = api.Why{Address: s, Verdict: s, Ours: n%3 > 0, Network: s, State: s, In: r,
			Allowed: n%2 > 0, Attack: &att, Limits: []api.Limit{{Metric: s, Value: n, Percent: p,
				From: s}}, Decisions: []api.Decision{{ID: s, What: s}}}
	}
	if n%5 == 0 {
		a.err = errors.New(s)
	}
	return a
}

func BenchmarkFrame(b *testing.B) {
	for _, c := range []struct {
		name          string
		width, height int
	}{{"80x24", 80, 24}, {"120x110", 120, 110}} {
		b.Run(c.name, func(b *testing.B) {
			m := New(&fake{}, Options{Look: Look{Styles: true}}, epoch())
			m.width, m.height = c.width, c.height
			hosts, status := sane(&m, kindHosts), sane(&m, kindStatus)
			hosts.value = sampleHosts(100)
			b.ReportAllocs()
			for b.Loop() {
				next, _ := m.Update(status)
				next, _ = next.Update(hosts)
				m = next.(Model)
				if len(m.text()) < 1000 {
					b.Fatal("no picture")
				}
			}
		})
	}
}
