package cli

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"weir/control/api"
	"weir/control/api/apitest"
)

var update = flag.Bool("update", false, "write testdata/*.golden")

// serve answers for a daemon with b until the test ends, and returns its socket. The folder is not
// the test's own: a socket's path must be short.
func serve(t *testing.T, b api.Backend) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket = filepath.Join(dir, "api.sock")
	serveAt(t, b, socket)
	return socket
}

// serveAt answers for a daemon with b at socket until the test ends.
func serveAt(t *testing.T, b api.Backend, socket string) {
	t.Helper()
	l, err := api.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- api.NewServer(b, slog.New(slog.DiscardHandler)).Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// runAsk runs a command line, in words, against the daemon at socket.
func runAsk(socket, line string) (status int, out, errOut string) {
	var o, e bytes.Buffer
	status = Main(append(strings.Fields(line), "--socket", socket), &o, &e)
	return status, o.String(), e.String()
}

// transcript returns what somebody sees who types the lines.
func transcript(socket string, lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		status, out, errOut := runAsk(socket, line)
		fmt.Fprintf(&b, "$ weir %s\n%s", line, out)
		if errOut != "" {
			fmt.Fprintf(&b, "[stderr]\n%s", errOut)
		}
		fmt.Fprintf(&b, "[status %d]\n\n", status)
	}
	return b.String()
}

func TestTables(t *testing.T) {
	f := func(name string, b api.Backend, lines ...string) {
		t.Helper()
		got := transcript(serve(t, b), lines)
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
			t.Errorf("%s differs; look at the difference after -update. Got\n%s", path, got)
		}
	}
	full, bare := apitest.Sample(), &apitest.Backend{}
	active, over := "attacks show "+apitest.ActiveID, "attacks show "+apitest.OverID
	f("status", full, "status", "status --pipeline", "status --routes")
	f("status_empty", bare, "status", "status --pipeline", "status --routes")
	f("status_routes", crowded(), "status")
	f("why", full, "why 203.0.113.7", "why 203.0.113.9", "why 192.0.2.1")
	f("attacks", full, "attacks list", "attacks list --state over", active, over,
		"attacks report "+apitest.ActiveID)
	f("attacks_empty", bare, "attacks list", "attacks list --state active",
		"attacks list --state over", active)
	f("lists", full, "hosts", "hosts --family 6", "hosts dns -n 1", "hosts nobody", "networks",
		"cores")
	f("lists_empty", bare, "hosts", "networks", "cores", "exporters")
	f("exporters", full, "exporters", "exporters 192.0.2.0/24 -n 1", "exporters 10.0.0.1",
		"exporters core")
	f("reload", full, "reload", "reload --dry-run")
	f("reload_nothing", &apitest.Backend{Data: apitest.Data{Reload: api.ReloadResult{OK: true}}},
		"reload")
	f("reload_refused", refusing(), "reload", "reload --dry-run")
}

// crowded is a daemon with more routes than a status shows, that has all the same been stopped.
func crowded() *apitest.Backend {
	b := &apitest.Backend{}
	for i := range 13 {
		b.Data.Routes.Routes = append(b.Data.Routes.Routes, api.Route{
			Prefix: fmt.Sprintf("192.0.2.%d/32", i), ID: apitest.ActiveID, State: "asked",
		})
	}
	b.Data.Status.Mitigation = api.Mitigation{
		Killed: true, KillFile: "/var/lib/weir/kill", Routes: 13,
		Speaker: &api.Speaker{Error: "exit status 1"},
		Journal: &api.Journal{Error: "fsync: no space left on device"},
		Script:  &api.Script{Path: "/x", Done: 3}, ExaBGP: &api.ExaBGP{Pipe: "/y", Open: true},
	}
	return b
}

// refusing is a daemon whose file has errors.
func refusing() *apitest.Backend {
	return &apitest.Backend{Data: apitest.Data{Reload: api.ReloadResult{Errors: []string{
		"weir.yaml:3:1: mdoe: unknown key\n" +
			"    3 | mdoe: observe\n      | ^^^^ did you mean \"mode\"?",
		"weir.yaml:9:3: ban.time: missing",
	}}}}
}

// TestJSON holds what -o json prints to the answer that the table is made of, on one line.
func TestJSON(t *testing.T) {
	for _, b := range []*apitest.Backend{apitest.Sample(), {}} {
		socket := serve(t, b)
		f := func(line string, want any, errs ...error) {
			t.Helper()
			for _, err := range errs {
				if err != nil {
					t.Fatal(err)
				}
			}
			var text bytes.Buffer
			if err := encodeLine(&text, want); err != nil {
				t.Fatal(err)
			}
			_, out, _ := runAsk(socket, line+" -o json")
			if out != text.String() || strings.Count(out, "\n") != 1 {
				t.Errorf("weir %s: got\n%s, want\n%s", line, out, text.String())
			}
			if strings.Contains(out, "null") {
				t.Errorf("weir %s: a list is null: %s", line, out)
			}
		}
		ctx := t.Context()
		why, err := b.Why(ctx, netip.MustParseAddr("203.0.113.7"))
		f("why 203.0.113.7", why, err)
		hosts, err := b.Hosts(ctx, api.HostQuery{Family: 4, Limit: 1})
		f("hosts --family 4 -n 1", hosts, err)
		reload, err := b.Reload(ctx, true)
		f("reload --dry-run", reload, err)
		f("status", b.Status())
		f("status --pipeline", b.Pipeline())
		f("status --routes", b.Routes())
		f("networks", b.Networks())
		f("exporters -n 10000", b.Exporters(api.ExporterQuery{}))
		f("cores", b.Cores())
		f("attacks list", b.Attacks("all"))
		f("attacks list --state active", b.Attacks("active"))
		for id, text := range b.Data.Reports {
			attack, err := b.Attack(id)
			f("attacks show "+id, attack, err)
			f("attacks report "+id, reportText{"report", id, string(text)})
		}
	}
}

func TestExitStatus(t *testing.T) {
	f := func(b api.Backend, line string, want int, wantErr string) {
		t.Helper()
		status, _, errOut := runAsk(serve(t, b), line)
		if status != want || !strings.Contains(errOut, wantErr) {
			t.Errorf("weir %s: status %d, want %d; %s", line, status, want, errOut)
		}
	}
	full := apitest.Sample()
	f(full, "status", exitOK, "") // that something is wrong is an answer too
	f(full, "attacks show 0123456789abcdef", exitFailed, "not found")
	f(full, "attacks report nonsense", exitFailed, "not found")
	f(refusing(), "reload", exitFailed, "unknown key")
	f(refusing(), "reload --dry-run -o json", exitFailed, "unknown key")
	f(full, "hosts --sort size", exitUsage, `"sort" is "size", not one of pps, bps, fps`)
	f(full, "hosts --direction up", exitUsage, `"direction"`)
	f(full, "hosts --family 5", exitUsage, `"family"`)
	f(full, "hosts -n 0", exitUsage, "--limit is 0")
	f(full, "hosts -n -1", exitUsage, `"limit"`)
	f(full, "hosts -n 10001", exitUsage, `"limit"`)
	f(full, "hosts a b", exitUsage, "")
	f(full, "attacks list --state open", exitUsage, `"open", not active, over or all`)
	f(full, "attacks show", exitUsage, "")
	f(full, "why", exitUsage, "")
	f(full, "why 10.0.0.256", exitUsage, "not an IP address")
	f(full, "why fe80::1%eth0", exitUsage, "not an IP address")
	f(full, "status -o yaml", exitUsage, "not table or json")
	f(full, "status now", exitUsage, "")
	f(full, "status --pipeline --routes", exitUsage, "two questions")
	f(full, "cores --fast", exitUsage, "")
	broken := &apitest.Backend{OnStatus: func() api.Status { panic("broken") }}
	f(broken, "status", exitFailed, "log")
}

// TestUnreachable asks where nobody answers: every command says so at once.
func TestUnreachable(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "api.sock")
	want := "weir: no daemon at unix:" + socket + " (no such file). Is it running? " +
		"try: systemctl status weir\n"
	for _, line := range []string{
		"status", "status --pipeline", "why 192.0.2.1", "hosts", "networks", "cores", "exporters",
		"reload",
		"attacks list", "attacks show 0123456789abcdef", "attacks report 0123456789abcdef",
		"status -o json", "status --routes", "ban 192.0.2.1 --reason r --ttl 1h",
		"unban 192.0.2.1 --reason r", "withdraw-all --expect 3",
	} {
		begin := time.Now()
		status, out, errOut := runAsk(socket, line)
		if status != exitUnreachable || out != "" || errOut != want {
			t.Errorf("weir %s: status %d, out %q, err %q", line, status, out, errOut)
		}
		if took := time.Since(begin); took > time.Second {
			t.Errorf("weir %s: it took %v to say that", line, took)
		}
	}
}

// TestHostileText puts what could upset a terminal into every text that a daemon may send.
func TestHostileText(t *testing.T) {
	b := apitest.Sample()
	poison(reflect.ValueOf(&b.Data).Elem())
	socket := serve(t, b)
	for _, line := range []string{
		"status", "status --pipeline", "status --routes", "why 203.0.113.7", "why 203.0.113.9",
		"hosts", "networks", "cores", "reload", "attacks list", "attacks show " + apitest.ActiveID,
	} {
		_, out, errOut := runAsk(socket, line)
		if !strings.Contains(out+errOut, "?[2J") {
			t.Errorf("weir %s: nothing hostile in\n%s", line, out)
		}
		for _, c := range out + errOut {
			if c != '\n' && !unicode.IsPrint(c) {
				t.Errorf("weir %s: %q in\n%q", line, c, out+errOut)
				break
			}
		}
	}
}

// poison makes every text hostile but those that are looked for.
func poison(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem())
		}
	case reflect.String:
		v.SetString("\x1b[2J" + v.String() + "\u202e\u009b\r\a\xff")
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i))
		}
	case reflect.Struct:
		if _, ok := v.Interface().(time.Time); ok {
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "ID" {
				poison(v.Field(i))
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			value := reflect.New(v.Type().Elem()).Elem()
			value.Set(v.MapIndex(key))
			poison(value)
			v.SetMapIndex(key, value)
		}
	}
}

func TestSeverity(t *testing.T) {
	f := func(word string, colour bool, want string) {
		t.Helper()
		if got := severity(word, colour); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	f("error", false, "error  ")
	f("error", true, "\x1b[1;31merror  \x1b[0m")
	f("ok", true, "\x1b[32mok     \x1b[0m")
	f("\x1b[5m", true, "?[5m   ")
}

func TestUptime(t *testing.T) {
	f := func(seconds float64, want string) {
		t.Helper()
		if got := uptime(seconds); got != want {
			t.Errorf("%v: %q, want %q", seconds, got, want)
		}
	}
	f(0, "0s")
	f(61.4, "1m1s")
	f(86399.9, "1d0s")
	f(3*86400+7, "3d7s")
}
