package top

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"weir/control/api"
)

func TestFixedUnits(t *testing.T) {
	for _, c := range []struct {
		u    unit
		what measure
		v    uint64
		want string
	}{
		{unitKilo, packets, 940_049, "940.0k"}, {unitKilo, bits, 7_912_345_678, "7912346k"},
		{unitMega, packets, 72_000, "0.072M"}, {unitMega, bits, 7_912_345_678, "7912.3M"},
		{unitGiga, packets, 14_880_952, "0.015G"}, {unitGiga, bits, 7_912_345_678, "7.912G"},
		{unitGiga, bits, 0, "0.000G"},
	} {
		if got := c.u.fixed(c.v, c.what); got != c.want {
			t.Errorf("%d in unit %d: %s, want %s", c.v, c.u, got, c.want)
		}
	}
}

// What its column has room for by the comment of room has room; what has none, in a column as
// narrow as that, is written in another unit and not cut.
func TestFixedUnitsHaveRoom(t *testing.T) {
	m := New(&fake{}, Options{}, epoch())
	for m.unit = unitKilo; m.unit < numUnits; m.unit++ {
		for what, most := range [...]uint64{packets: 99_999_900, bits: 99_999_999_000} {
			w := m.unit.room(measure(what))
			c := m.rateCell(most, measure(what))
			if c.fit(w) != c.text {
				t.Errorf("unit %d: no room for %s in %d cells", m.unit, c.text, w)
			}
			c = m.rateCell(math.MaxUint64, measure(what))
			if got := c.fit(w); got != "18.4E" {
				t.Errorf("unit %d: %s", m.unit, got)
			}
		}
	}
}

// Without styles no screen has an escape sequence, whatever is wrong.
func TestNoColor(t *testing.T) {
	env := map[string]string{"TERM": "xterm-256color", "LANG": "C.UTF-8", "NO_COLOR": "1"}
	for _, keys := range []string{"", "2", "3", "4", "?", "enter", "3 enter", "/ x", "space"} {
		s := open(t, 80, 24)
		s.m.opt.Look = LookFrom(func(k string) string { return env[k] }, false)
		s.press(keys)
		calm := s.m.text()
		s.f.err = &api.Unreachable{Err: context.DeadlineExceeded}
		s.tick(3 * time.Second)
		if strings.Contains(calm+s.m.text(), "\x1b") {
			t.Errorf("after %q:\n%q", keys, calm)
		}
	}
}

// Flows that nobody counts are not shown as none.
func TestUnknownFlows(t *testing.T) {
	s := open(t, 80, 24)
	status := sampleStatus()
	status.Traffic.In.FPS, status.Traffic.Out = 0, api.Rates{}
	s.send(answer{kind: kindStatus, at: s.m.now, value: status})
	v := strings.Split(s.m.text(), "\n")
	if !strings.Contains(v[1], "  - flow/s") || !strings.Contains(v[2], "  0 flow/s") {
		t.Errorf("flows:\n%s\n%s", v[1], v[2])
	}
}

// A narrow screen or a long version takes nothing from what matters.
func TestIdentity(t *testing.T) {
	for _, c := range []struct {
		width   int
		version string
	}{{40, "0.4.0"}, {80, "0.4.0-17-g0123456789ab+dirty"}, {120, strings.Repeat("9", 99)}} {
		s := open(t, c.width, 24)
		status := sampleStatus()
		status.Version, status.Mode, status.Uptime = c.version, "enforce", 999*86400
		s.send(answer{kind: kindStatus, at: s.m.now, value: status})
		first, _, _ := strings.Cut(s.m.text(), "\n")
		for _, want := range []string{"weir ", "ENFORCE", "drops 0.08%", "attacks 2"} {
			if !strings.Contains(first, want) {
				t.Errorf("%d: no %q in %q", c.width, want, first)
			}
		}
	}
}

// The age of a frozen picture is that of its data, also after it was asked for anew.
func TestFrozenAge(t *testing.T) {
	s := open(t, 80, 24)
	s.press("space")
	age := func() string {
		_, rest, _ := strings.Cut(s.m.text(), " FROZEN, ")
		got, _, _ := strings.Cut(rest, " old ")
		return got
	}
	s.tick(7 * time.Second)
	if got := age(); got != "7s" {
		t.Errorf("age %q", got)
	}
	s.press("r")
	s.tick(9 * time.Second)
	if got := age(); got != "2s" {
		t.Errorf("age %q after a refresh", got)
	}
}

// What is old is grey and warns of nothing; what is new again does.
func TestStaleIsGrey(t *testing.T) {
	s := open(t, 80, 24)
	s.m.opt.Look.Styles = true
	severe := func() (n int) {
		for i, l := range strings.Split(s.m.text(), "\n") {
			if i != 3 { // the line that says why
				n += strings.Count(l, ";31m") + strings.Count(l, ";33m")
			}
		}
		return n
	}
	if severe() == 0 {
		t.Error("nothing is severe in the sample")
	}
	s.f.err = &api.Unreachable{Err: context.DeadlineExceeded}
	s.tick(3 * time.Second)
	if n := severe(); n != 0 || !strings.Contains(s.m.text(), "\x1b[0;2m") {
		t.Errorf("%d spans of old data are severe", n)
	}
	s.f.err = nil
	s.tick(5 * time.Second)
	if severe() == 0 {
		t.Error("still grey")
	}
}
