package top

import (
	"fmt"
	"os"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"weir/control/api"
)

// summary is what keys change, in short.
func summary(m *Model) string {
	s := fmt.Sprintf("%s %s %s v%d row %d", m.at.tab, m.sort, m.direction, m.family,
		m.lists[m.at.tab].cursor)
	for _, x := range []struct {
		is   bool
		text string
	}{
		{m.at.page != pageList, " of " + m.at.subject}, {m.help, " help"}, {m.bytes, " bytes"},
		{m.unit != unitAuto, fmt.Sprintf(" unit %d", m.unit)},
		{m.entering, " entering " + m.input}, {m.frozen, " frozen"},
		{m.filters[m.at.tab] != "", " /" + m.filters[m.at.tab]}, {m.notice != "", " " + m.notice},
	} {
		if x.is {
			s += x.text
		}
	}
	return s
}

func TestKeys(t *testing.T) {
	const start = "Hosts pps incoming v0 row 0"
	for _, c := range []struct{ keys, want string }{
		{"b", "Hosts bps incoming v0 row 0"}, {"f", "Hosts fps incoming v0 row 0"},
		{"%", "Hosts percent incoming v0 row 0"}, {"b p", start},
		{"o", "Hosts pps outgoing v0 row 0"}, {"a", "Hosts pps both v0 row 0"}, {"a i", start},
		{"v", "Hosts pps incoming v4 row 0"}, {"v v", "Hosts pps incoming v6 row 0"},
		{"v v v", start}, {"U", start + " bytes"}, {"U U", start},
		{"u", start + " unit 1"}, {"u u u", start + " unit 3"}, {"u u u u", start},
		{"jjj", "Hosts pps incoming v0 row 3"}, {"2 jjjkb", "Networks bps incoming v0 row 1"},
		{"/ab", start + " entering ab"}, {"/ qq", start + " entering qq"}, {"[3~", start},
		{"[1;5B j", "Hosts pps incoming v0 row 1"}, {"[ j", "Hosts pps incoming v0 row 1"},
		{"OP 2", "Networks pps incoming v0 row 0"}, {"? [3~ 2", start},
		{"/ [3", start + " entering [3"},
		{"2", "Networks pps incoming v0 row 0"}, {"tab tab", "Attacks pps incoming v0 row 0"},
		{"shift+tab", "Cores pps incoming v0 row 0"}, {"4 tab", start}, {"3 1", start},
		{"?", start + " help"}, {"? ?", start}, {"? esc", start}, {"? 2", start},
		{"j down", "Hosts pps incoming v0 row 2"}, {"j k up", start},
		{"G", "Hosts pps incoming v0 row 24"}, {"G g", start}, {"end home", start},
		{"pgdown", "Hosts pps incoming v0 row 16"}, {"pgdown pgup", start}, {"l h", start},
		{"/", start + " entering "}, {"/ w e x backspace b", start + " entering web"},
		{"/ w ctrl+u q", start + " entering q"}, {"/ w enter", start + " /w"},
		{"/ w esc", start}, {"/ w enter esc", start}, {"/ w enter / esc", start},
		{"/ w space x enter", start + " /w x"},
		{"enter", start + " of 203.0.113.7"}, {"enter esc", start}, {"enter backspace", start},
		{"enter /", start + " of 203.0.113.7"}, {"enter G", start + " of 203.0.113.7"},
		{"enter enter", start + " of 203.0.113.7"},
		{"2 enter", "Hosts pps incoming v0 row 0 /203.0.113.0/24"},
		{"2 j enter esc", "Networks pps incoming v0 row 1"},
		{"2 enter enter esc esc", "Networks pps incoming v0 row 0"},
		{"3 enter", "Attacks pps incoming v0 row 0 of 20260102-030322-1"},
		{"3 enter enter", "Attacks pps incoming v0 row 0 of 203.0.113.7/32"},
		{"3 enter enter esc esc", "Attacks pps incoming v0 row 0"},
		{"4 enter", "Cores pps incoming v0 row 0"}, {"3 enter 1", start},
		{"space", start + " frozen"}, {"space space", start}, {"r", start}, {"x", start},
	} {
		s := open(t, 80, 24)
		s.press(c.keys)
		if got := summary(&s.m); got != c.want {
			t.Errorf("%s: %s, want %s", c.keys, got, c.want)
		}
		fitsScreen(t, s.m, s.m.text())
	}
}

func TestQuit(t *testing.T) {
	for _, c := range []struct {
		keys, last string
		quits      bool
	}{
		{"", "q", true}, {"", "ctrl+c", true}, {"/", "q", false}, {"/", "ctrl+c", true},
		{"?", "q", true}, {"enter", "q", true},
	} {
		s := open(t, 80, 24)
		s.press(c.keys)
		_, cmd := s.m.Update(key(c.last))
		quits := false
		if cmd != nil {
			_, quits = cmd().(tea.QuitMsg)
		}
		if quits != c.quits {
			t.Errorf("%s %s: quits %v", c.keys, c.last, quits)
		}
	}
}

func TestNoAddressNoWhy(t *testing.T) {
	s := open(t, 80, 24)
	s.send(answer{kind: kindHosts, at: s.m.now, query: s.m.query(),
		value: api.HostList{Hosts: []api.Host{{Address: "nonsense"}}}})
	s.press("enter")
	if s.m.at.page != pageList || s.m.notice != "not an address: nonsense" {
		t.Errorf("page %v, notice %q", s.m.at.page, s.m.notice)
	}
}

// The selected host stays selected when the order changes; the first row stays the first.
func TestCursorFollows(t *testing.T) {
	s := open(t, 80, 24)
	s.press("j j")
	was := s.m.rowKey(2)
	hosts := sampleHosts(25)
	hosts.Hosts[2], hosts.Hosts[9] = hosts.Hosts[9], hosts.Hosts[2]
	s.send(answer{kind: kindHosts, at: s.m.now, value: hosts, query: s.m.query()})
	if c := s.m.lists[tabHosts].cursor; c != 9 || s.m.rowKey(9) != was {
		t.Errorf("row %d, %s", c, s.m.rowKey(c))
	}
	s.press("g")
	hosts.Hosts[0], hosts.Hosts[4] = hosts.Hosts[4], hosts.Hosts[0]
	s.send(answer{kind: kindHosts, at: s.m.now, value: hosts, query: s.m.query()})
	if c := s.m.lists[tabHosts].cursor; c != 0 {
		t.Errorf("left the first row for %d", c)
	}
}

func TestPolling(t *testing.T) {
	s := open(t, 80, 24)
	ask := func() [numKinds]int64 {
		var n [numKinds]int64
		for k := range n {
			n[k] = s.f.asked[k].Swap(0)
		}
		return n
	}
	ask()
	s.tick(time.Second)
	if n := ask(); n != [numKinds]int64{kindStatus: 1, kindHosts: 1} {
		t.Errorf("hosts: %v", n)
	}
	s.press("4")
	ask()
	s.tick(2 * time.Second)
	if n := ask(); n != [numKinds]int64{kindStatus: 1, kindCores: 1} {
		t.Errorf("cores: %v", n)
	}
	s.press("space")
	s.tick(9 * time.Second)
	if n := ask(); n != [numKinds]int64{} {
		t.Errorf("frozen: %v", n)
	}
	s.press("2")
	if n := ask(); n != [numKinds]int64{kindNetworks: 1} || s.m.count() == 0 {
		t.Errorf("a list that was not there, frozen: %v, %d rows", n, s.m.count())
	}
	s.press("1 v")
	if n := ask(); n != [numKinds]int64{} || s.m.count() != 24 {
		t.Errorf("another choice, frozen: %v, %d rows", n, s.m.count())
	}
	s.press("r")
	if n := ask(); n != [numKinds]int64{kindStatus: 1, kindHosts: 1} {
		t.Errorf("refreshed: %v", n)
	}
}

// One question of a kind is in flight, and one that has changed meanwhile is asked again.
func TestOneInFlight(t *testing.T) {
	m := New(&fake{}, Options{Interval: time.Second}, epoch())
	step := func(msg tea.Msg) {
		next, _ := m.Update(msg)
		m = next.(Model)
	}
	step(tickMsg(epoch()))
	first := m.question(kindHosts)().(answer)
	if !m.inflight[kindHosts] || !m.inflight[kindStatus] || m.inflight[kindCores] {
		t.Fatalf("in flight: %v", m.inflight)
	}
	step(tickMsg(epoch().Add(time.Second)))
	if m.again[kindHosts] {
		t.Error("a tick asks again while a question is in flight")
	}
	step(key("b"))
	step(first)
	if !m.inflight[kindHosts] || m.again[kindHosts] {
		t.Errorf("not asked again: in flight %v", m.inflight[kindHosts])
	}
	if got := m.query().Sort; got != "bps" || len(m.rows.hosts) == 0 {
		t.Errorf("sorted by %s, %d hosts meanwhile", got, len(m.rows.hosts))
	}
}

func TestFrozenDropsWhatComes(t *testing.T) {
	s := open(t, 80, 24)
	s.press("space")
	s.send(answer{kind: kindHosts, at: s.m.now, value: api.HostList{}, query: s.m.query()})
	if s.m.count() == 0 {
		t.Error("a late answer changed a frozen picture")
	}
	s.f.err = &api.Unreachable{Err: os.ErrNotExist}
	s.press("r")
	s.f.err = nil
	if s.m.count() == 0 || s.m.wanted[kindHosts] {
		t.Error("a failed refresh changed a frozen picture, or is still wanted")
	}
}

// Scrolling beyond the hosts at hand asks for more of them.
func TestMoreHosts(t *testing.T) {
	s := open(t, 80, 24)
	l := sampleHosts(25)
	l.Matched = 4000
	s.send(answer{kind: kindHosts, at: s.m.now, value: l, query: s.m.query()})
	s.press("G")
	if s.m.limit != 2*firstHosts {
		t.Errorf("limit %d", s.m.limit)
	}
}
