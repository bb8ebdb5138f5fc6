package top

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"weir/control/api"
)

var update = flag.Bool("update", false, "write testdata/*.golden")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s", path, got)
	}
}

// fitsScreen checks that a picture has no line too many and none too wide.
func fitsScreen(t *testing.T, m Model, got string) {
	t.Helper()
	lines := strings.Split(got, "\n")
	if len(lines) > max(m.height, 1) {
		t.Errorf("%d lines on %d", len(lines), m.height)
	}
	for _, l := range lines {
		if w := ansi.StringWidth(l); w > m.width {
			t.Errorf("%d cells on %d: %q", w, m.width, l)
		}
	}
}

func TestScreens(t *testing.T) {
	for _, c := range []struct {
		name          string
		width, height int
		keys          string
		change        func(*screen)
	}{
		{name: "hosts", width: 80, height: 24, keys: "j"},
		{name: "hosts_120x40", width: 120, height: 40, keys: "a b U"},
		{name: "hosts_mega", width: 120, height: 24, keys: "u u"},
		{name: "hosts_kilo", width: 80, height: 24, keys: "u"},
		{name: "hosts_40x10", width: 40, height: 10, keys: "l l"},
		{name: "networks", width: 80, height: 24, keys: "2"},
		{name: "attacks", width: 80, height: 24, keys: "3"},
		{name: "attacks_120x40", width: 120, height: 40, keys: "3"},
		{name: "attacks_mega", width: 120, height: 24, keys: "3 u u"},
		{name: "attack", width: 80, height: 24, keys: "3 enter"},
		{name: "attack_over", width: 80, height: 24, keys: "3 j enter"},
		{name: "cores", width: 80, height: 24, keys: "4"},
		{name: "help", width: 80, height: 24, keys: "?"},
		{name: "why", width: 80, height: 24, keys: "enter"},
		{name: "empty", width: 80, height: 24, change: noTraffic},
		{name: "nothing_fits", width: 80, height: 24, keys: "3 / n o n e enter"},
		{name: "filter", width: 80, height: 24, keys: "/ 2 0 3 . 0"},
		{name: "disconnected", width: 80, height: 24, change: func(s *screen) {
			s.f.err = &api.Unreachable{Socket: "/run/weir/api.sock", Err: os.ErrNotExist}
			s.tick(12 * time.Second)
		}},
		{name: "disconnected_color", width: 80, height: 24, change: func(s *screen) {
			s.m.opt.Look.Styles = true
			s.f.err = &api.Unreachable{Socket: "/run/weir/api.sock", Err: os.ErrNotExist}
			s.tick(12 * time.Second)
		}},
		{name: "frozen", width: 80, height: 24, keys: "j j space",
			change: func(s *screen) { s.tick(7 * time.Second) }},
		{name: "tiny", width: 39, height: 24},
		{name: "ascii", width: 80, height: 24, change: func(s *screen) {
			s.m.opt.Look.ASCII = true
		}},
		{name: "routes", width: 80, height: 24, change: mitigated},
		{name: "routes_120x24", width: 120, height: 24, change: mitigated},
		{name: "color", width: 80, height: 24, change: func(s *screen) {
			s.m.opt.Look = Look{Styles: true}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, c.width, c.height)
			s.press(c.keys)
			if c.change != nil {
				c.change(s)
			}
			got := s.m.text()
			fitsScreen(t, s.m, got)
			golden(t, c.name, got)
		})
	}
}

// mitigated has routes, and a peer without a session.
func mitigated(s *screen) {
	status := sampleStatus()
	status.Mitigation = api.Mitigation{
		Frozen: true, Routes: 3, Peers: []api.Peer{{State: "established"}, {State: "active"}},
	}
	s.m.opt.Look = Look{Styles: true}
	s.send(answer{kind: kindStatus, at: s.m.now, value: status})
}

func noTraffic(s *screen) {
	status := sampleStatus()
	status.Healthy = false
	status.Problems = []string{
		"No source receives anything: enp1s0f0 has no link.",
		"The mirror port sends only VLAN 12, none of whose addresses is ours, so that not one " +
			"packet belongs to a home network.",
	}
	status.Traffic = api.Traffic{}
	s.send(answer{kind: kindStatus, at: s.m.now, value: status})
	s.send(answer{kind: kindHosts, at: s.m.now, value: api.HostList{}, query: s.m.query()})
}

func TestFirstAnswerMissing(t *testing.T) {
	s := &screen{t, New(&fake{err: &api.Unreachable{Err: os.ErrNotExist}},
		Options{Socket: "/run/weir/api.sock"}, epoch()), nil}
	if v := s.m.text(); !strings.Contains(v, "waiting for the daemon at /run/weir/api.sock") {
		t.Errorf("before the first answer:\n%s", v)
	}
	s.tick(0)
	if v := s.m.text(); !strings.Contains(v, "no daemon at /run/weir/api.sock; retrying") {
		t.Errorf("after a failure:\n%s", v)
	}
	s.m.src = &fake{}
	s.tick(time.Second)
	if v := s.m.text(); !strings.Contains(v, "203.0.113.7") || strings.Contains(v, "no daemon") {
		t.Errorf("after the daemon came:\n%s", v)
	}
}

// A long socket path leaves room for what matters; one that hangs is told from none.
func TestHungDaemon(t *testing.T) {
	s := open(t, 80, 24)
	s.m.opt.Socket = "/" + strings.Repeat("very-long/", 20) + "api.sock"
	s.f.err = context.DeadlineExceeded
	s.tick(5 * time.Second)
	v := s.m.text()
	fitsScreen(t, s.m, v)
	for _, want := range []string{"no answer at /very", "api.sock - last data 5 s old; retrying"} {
		if !strings.Contains(v, want) {
			t.Errorf("no %q in:\n%s", want, v)
		}
	}
}

func TestListErrorShows(t *testing.T) {
	s := open(t, 80, 24)
	s.send(answer{kind: kindHosts, at: s.m.now, err: errors.New("bad filter")})
	if v := s.m.text(); !strings.HasSuffix(v, "bad filter") || !strings.Contains(v, "203.0.113.7") {
		t.Errorf("the error or the last data is missing:\n%s", v)
	}
	s.m.errs[kindStatus] = errors.New("garbage")
	if v := s.m.text(); !strings.Contains(v, "the daemon's answer is unusable: garbage - last") {
		t.Errorf("a status that is no status:\n%s", v)
	}
}

func TestOnce(t *testing.T) {
	var out bytes.Buffer
	if err := OnceJSON(context.Background(), &fake{}, &out); err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"type", "status", "hosts", "networks", "attacks", "cores"} {
		if len(got[k]) == 0 {
			t.Errorf("no %s", k)
		}
	}
	if len(got) != 6 || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("%d keys in %d lines", len(got), strings.Count(out.String(), "\n"))
	}
	out.Reset()
	o := Options{Socket: "/run/weir/api.sock", Look: Look{Styles: true}}
	if err := OnceText(context.Background(), &fake{}, o, 120, &out); err != nil {
		t.Fatal(err)
	}
	golden(t, "once", out.String())
	gone := &fake{err: &api.Unreachable{Err: os.ErrNotExist}}
	var u *api.Unreachable
	if err := OnceText(context.Background(), gone, o, 80, &out); !errors.As(err, &u) {
		t.Errorf("text from no daemon: %v", err)
	}
	if err := OnceJSON(context.Background(), gone, &out); !errors.As(err, &u) {
		t.Errorf("JSON from no daemon: %v", err)
	}
}

func TestLook(t *testing.T) {
	for _, c := range []struct {
		env   string
		ascii bool
		want  Look
	}{
		{"TERM=xterm LANG=en_US.UTF-8", false, Look{false, true}},
		{"TERM=xterm LANG=C.utf8 NO_COLOR=1", false, Look{false, false}},
		{"TERM=xterm LANG=en_US.UTF-8 LC_ALL=C", false, Look{true, true}},
		{"TERM=xterm", false, Look{true, true}},
		{"TERM=xterm LC_CTYPE=de_DE.UTF-8", true, Look{true, true}},
		{"TERM=dumb LANG=C.UTF-8", false, Look{true, false}},
	} {
		env := map[string]string{}
		for _, kv := range strings.Fields(c.env) {
			k, v, _ := strings.Cut(kv, "=")
			env[k] = v
		}
		got := LookFrom(func(k string) string { return env[k] }, c.ascii)
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.env, got, c.want)
		}
	}
}
