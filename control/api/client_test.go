package api_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"weir/control/api"
	"weir/control/api/apitest"
)

func same[T any](t *testing.T, name string, want T) func(T, error) {
	return func(got T, err error) {
		t.Helper()
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v\nhave %+v\nwant %+v", name, err, got, want)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	b := apitest.Sample()
	path, _ := serve(t, b)
	c, ctx := api.Dial(path), t.Context()
	same(t, "status", b.Status())(c.Status(ctx))
	same(t, "pipeline", b.Pipeline())(c.Pipeline(ctx))
	same(t, "networks", b.Networks())(c.Networks(ctx))
	same(t, "cores", b.Cores())(c.Cores(ctx))
	same(t, "exporters", b.Exporters(api.ExporterQuery{}))(c.Exporters(ctx, api.ExporterQuery{}))
	some := api.ExporterQuery{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Limit: 1}
	same(t, "exporter", b.Exporters(some))(c.Exporters(ctx, some))
	for _, q := range []api.HostQuery{
		{}, {Limit: 1}, {Family: 6, Sort: "bps", Direction: "incoming"}, {Filter: "dns"},
	} {
		want, _ := b.Hosts(ctx, q)
		same(t, "hosts", want)(c.Hosts(ctx, q))
	}
	for _, text := range []string{"203.0.113.7", "203.0.113.9", "2001:db8::25"} {
		a := netip.MustParseAddr(text)
		want, _ := b.Why(ctx, a)
		same(t, "why "+text, want)(c.Why(ctx, a))
	}
	for _, state := range []string{"all", "active", "over"} {
		same(t, "attacks "+state, b.Attacks(state))(c.Attacks(ctx, state))
	}
	for _, id := range []string{apitest.ActiveID, apitest.OverID} {
		want, _ := b.Attack(id)
		same(t, "attack", want)(c.Attack(ctx, id))
		text, _ := b.Report(id)
		same(t, "report", text)(c.Report(ctx, id))
	}
	for _, dry := range []bool{false, true} {
		want, _ := b.Reload(ctx, dry)
		same(t, "reload", want)(c.Reload(ctx, dry))
	}
}

func TestQueryArrives(t *testing.T) {
	want := api.HostQuery{
		Sort: "percent", Direction: "outgoing", Filter: "a b&c=/;", Family: 6, Limit: 77,
	}
	b := apitest.Sample()
	b.OnHosts = func(_ context.Context, got api.HostQuery) (api.HostList, error) {
		if got != want {
			t.Errorf("have %+v", got)
		}
		return api.HostList{}, nil
	}
	path, _ := serve(t, b)
	if _, err := api.Dial(path).Hosts(t.Context(), want); err != nil {
		t.Error(err)
	}
}

func TestProblemsReachTheClient(t *testing.T) {
	path, _ := serve(t, apitest.Sample())
	c := api.Dial(path)
	_, missing := c.Attack(t.Context(), "ffffffffffffffff")
	_, outside := c.Report(t.Context(), "../../etc/passwd")
	_, state := c.Attacks(t.Context(), "new")
	_, zone := c.Why(t.Context(), netip.MustParseAddr("fe80::1%eth0"))
	for _, row := range []struct {
		err    error
		status int
	}{{missing, 404}, {outside, 404}, {state, 400}, {zone, 400}} {
		var p *api.Problem
		if !errors.As(row.err, &p) || p.Status != row.status || p.Error() == "" {
			t.Errorf("want %d, have %v", row.status, row.err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	dir := t.TempDir()
	refused := filepath.Join(dir, "refused")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: refused, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	for path, reason := range map[string]string{
		filepath.Join(dir, "none"): "no such file", refused: "connection refused",
	} {
		begin := time.Now()
		_, err := api.Dial(path).Status(t.Context())
		var u *api.Unreachable
		if !errors.As(err, &u) || u.Socket != path {
			t.Fatalf("%s: %v", reason, err)
		}
		want := "no daemon at unix:" + path + " (" + reason +
			"). Is it running? try: systemctl status weir"
		if err.Error() != want {
			t.Errorf("have %s\nwant %s", err, want)
		}
		if d := time.Since(begin); d > time.Second {
			t.Errorf("%s took %v", reason, d)
		}
	}
}

// TestForbidden asks as somebody else: root may do everything.
func TestForbidden(t *testing.T) {
	const key = "WEIR_TEST_FORBIDDEN"
	if path := os.Getenv(key); path != "" {
		_, err := api.Dial(path).Status(t.Context())
		if err == nil || !strings.Contains(err.Error(), "(permission denied)") {
			t.Errorf("have %v", err)
		}
		return
	}
	path, _ := serve(t, apitest.Sample())
	if os.Getuid() != 0 {
		if err := os.Chmod(path, 0); err != nil {
			t.Fatal(err)
		}
		t.Setenv(key, path)
		TestForbidden(t)
		return
	}
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Skip("root, and no setpriv")
	}
	dir, err := os.MkdirTemp("/tmp", "weir-api-") // that others can enter, unlike TempDir's
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "api.test")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(program, data, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(setpriv, "--reuid=65534", "--regid=65534", "--clear-groups", "--",
		program, "-test.run=^TestForbidden$")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), key+"="+path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestStrangeServers(t *testing.T) {
	var answer http.HandlerFunc
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer(w, r)
	})}
	ended := make(chan struct{})
	go func() { _ = s.Serve(l); close(ended) }()
	defer func() { _ = s.Close(); <-ended }()
	c := api.Dial(path)

	answer = func(w http.ResponseWriter, _ *http.Request) {
		block := make([]byte, 1<<20)
		for range api.MaxAnswer>>20 + 1 {
			_, _ = w.Write(block)
		}
	}
	if _, err := c.Report(t.Context(), "x"); err == nil ||
		!strings.Contains(err.Error(), "more than") {
		t.Errorf("an oversized answer: %v", err)
	}
	answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }
	if _, err := c.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "status") {
		t.Errorf("no JSON: %v", err)
	}
	if _, err := c.Reload(t.Context(), true); err == nil {
		t.Error("no JSON after a reload")
	}
	answer = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	var p *api.Problem
	if _, err := c.Status(t.Context()); !errors.As(err, &p) || p.Status != 502 || p.Detail == "" {
		t.Errorf("a refusal without a problem: %v", err)
	}
}
