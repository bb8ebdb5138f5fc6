package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"golang.org/x/sys/unix"

	"weir/control/api"
	"weir/tools/lab"
)

// finds waits until `weir status --pipeline` begins its findings with that one.
func (r *rig) finds(id, sentence string) {
	r.t.Helper()
	var last api.Finding
	for end := time.Now().Add(patience); time.Now().Before(end); {
		time.Sleep(200 * time.Millisecond)
		p, err := r.client.Pipeline(r.t.Context())
		if err != nil {
			continue
		}
		if last = p.Findings[0]; last.ID == id && strings.Contains(last.Message, sentence) {
			out := r.weir("status", "--pipeline")
			if !strings.Contains(out, last.Message) || !strings.Contains(out, "try: "+last.Try) {
				r.t.Errorf("%s says\n%s", id, out)
			}
			return
		}
	}
	r.t.Errorf("want %s (…%s…), found %+v\n%s", id, sentence, last, r.weir("status", "--pipeline"))
}

// sends sends frames to a host, on a link, until the function that it returns is called.
func (r *rig) sends(link int, src, dst string, pps float64) (stop func()) {
	r.t.Helper()
	g, err := r.lab.Generator(lab.GeneratorConfig{Link: link, Frame: lab.UDPFrame(
		netip.MustParseAddr(src), netip.MustParseAddr(dst), 53, 4444, 90)})
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = g.Run(ctx, pps, nil)
	}()
	return func() { cancel(); <-done; _ = g.Close() }
}

// TestLabPipeline makes the faults that used to mean "all zeros", one after another: each has its
// sentence, and the command to try next.
func TestLabPipeline(t *testing.T) {
	l := lab.New(t, lab.Options{Links: 2})
	if err := l.SetPolled(1); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, l, captures()["afxdp"])
	r.finds("no_input", "No frame arrives on mirror0")
	stop := r.sends(1, "198.18.0.1", "10.0.0.1", 5000)
	r.finds("wrong_interface", "mirror1 receives")
	stop()
	stop = r.sends(0, "198.18.0.1", "198.18.0.2", 1000)
	r.finds("foreign", "outside the networks (10.0.0.0/16, 2001:db8::/48)")
	stop()
	both := r.sends(0, "10.0.0.9", "198.18.0.9", 1000)
	stop = r.sends(0, "198.18.0.1", "10.0.0.1", 1000)
	r.finds("below_limits", "10.0.0.1 at")
	stop()
	stop = r.sends(0, "198.18.0.1", "10.0.250.1", 20_000)
	r.finds("allowlisted", "10.0.250.1 is under attack and on the allowlist")
	stop()
	both()
	if err := l.LinkDown(lab.Sut, 0); err != nil {
		t.Fatal(err)
	}
	r.finds("link_down", "mirror0 is down")
	if err := l.LinkUp(lab.Sut, 0); err != nil {
		t.Fatal(err)
	}
	if err := l.Remove(0); err != nil {
		t.Fatal(err)
	}
	r.finds("interface_missing", "There is no interface mirror0")
	if err := l.Make(0); err != nil {
		t.Fatal(err)
	}
	r.overflows()
}

// overflows lets weir's ring overflow, and looks while it does.
func (r *rig) overflows() {
	r.t.Helper()
	r.eventually("has the interface again", func() bool { return r.state() == "up" })
	stop := r.sends(0, "198.18.0.1", "10.0.0.1", 400_000)
	defer stop()
	for range 10 {
		_ = r.cmd.Process.Signal(syscall.SIGSTOP)
		time.Sleep(300 * time.Millisecond)
		_ = r.cmd.Process.Signal(syscall.SIGCONT)
		time.Sleep(100 * time.Millisecond)
		p, err := r.client.Pipeline(r.t.Context())
		if err != nil {
			continue
		}
		for _, f := range p.Findings {
			if f.ID == "drops" && strings.Contains(f.Message, "lost before weir sees them") {
				return
			}
		}
	}
	r.t.Errorf("no word of drops\n%s", r.weir("status", "--pipeline"))
}

// TestLabWhy asks for hosts in every state.
func TestLabWhy(t *testing.T) {
	r := newRig(t, lab.New(t, lab.Options{}), captures()["afxdp"])
	stop := r.sends(0, "198.18.0.1", "10.0.0.1", 1000)
	defer stop()
	f := func(address string, want ...string) {
		t.Helper()
		r.eventually("explains "+address, func() bool {
			out := r.weir("why", address)
			for _, text := range want {
				if !strings.Contains(out, text) {
					return false
				}
			}
			return true
		})
	}
	f("10.0.0.1", "10.0.0.1: ok", "below every limit: the nearest is incoming_pps at 20 %",
		"10.0.0.0/16, counted by address", "hostgroup  global", "incoming_pps")
	f("10.0.0.2", "had no packet that a limit looks at")
	f("203.0.113.1", "203.0.113.1: outside", "is not in the networks")
	f("10.0.250.7", "allowlisted", "by 10.0.250.0/24: never mitigated")
	attack := r.sends(0, "198.18.0.1", "10.0.0.3", 30_000)
	defer attack()
	f("10.0.0.3", "10.0.0.3: attack", "is under attack since",
		"announce blackhole 10.0.0.3/32 (dry", "attack: incoming_pps")
	if out := r.weir("attacks", "list"); !strings.Contains(out, "udp_flood") &&
		!strings.Contains(out, "dns_amplification") {
		t.Errorf("attacks list:\n%s", out)
	}
	if out := r.weir("hosts", "--sort", "percent"); !strings.Contains(out, "10.0.0.3") {
		t.Errorf("hosts:\n%s", out)
	}
	top := r.weir("top", "--once", "-o", "json")
	var all struct {
		Type    string
		Hosts   api.HostList
		Attacks api.AttackList
	}
	if err := json.Unmarshal([]byte(top), &all); err != nil || all.Type != "top" ||
		len(all.Hosts.Hosts) == 0 || len(all.Attacks.Attacks) == 0 {
		t.Errorf("top --once: %v\n%s", err, top)
	}
	for _, list := range []string{"networks", "cores", "status"} {
		if out := r.weir(list); len(out) < 100 {
			t.Errorf("%s:\n%s", list, out)
		}
	}
}

// TestLabReload reloads good and bad files by command and by signal.
func TestLabReload(t *testing.T) {
	r := newRig(t, lab.New(t, lab.Options{}), captures()["afxdp"])
	path := filepath.Join(r.dir, "weir.yaml")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r.configure(strings.Replace(string(good), "pps: 5k", "pps: 7k", 1))
	if out := r.weir("reload", "--dry-run"); !strings.Contains(out, "with weir reload") {
		t.Errorf("dry run:\n%s", out)
	}
	if out := r.weir("reload"); !strings.Contains(out, "thresholds.incoming.pps  5000  7000  now") {
		t.Errorf("reload:\n%s", out)
	}
	hash := r.status().Config.Hash
	r.configure(string(good) + "nonsense: 1\n")
	var out, errOut strings.Builder
	status := Main([]string{"reload", "--socket", filepath.Join(r.dir, "api.sock")}, &out, &errOut)
	if status != exitFailed || !strings.Contains(errOut.String(), "nonsense: unknown key") {
		t.Errorf("a bad file: status %d, %s", status, &errOut)
	}
	s := r.status()
	if s.Config.Hash != hash || s.Config.ReloadOK || len(s.Problems) == 0 {
		t.Errorf("after a bad file: %+v", s.Config)
	}
	r.configure(string(good))
	if err := r.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	r.eventually("reloads at SIGHUP", func() bool {
		s := r.status()
		return s.Config.ReloadOK && s.Config.Hash != hash
	})
	if err := r.stop(syscall.SIGTERM); err != nil {
		t.Errorf("SIGTERM: %v", err)
	}
	r.clean()
	if _, err := os.Stat(filepath.Join(r.dir, "api.sock")); err == nil {
		t.Error("the socket stays behind")
	}
}

// TestLabStartFailure starts weirs that cannot run: each says why in one line, and changes nothing.
func TestLabStartFailure(t *testing.T) {
	l := lab.New(t, lab.Options{Links: 2})
	r := newRig(t, l, captures()["afxdp"])
	f := func(yaml string, want ...string) {
		t.Helper()
		path := filepath.Join(r.dir, "second.yaml")
		if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := r.command("run", "-c", path)
		var said lockedBuffer
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := l.Sut().Start(cmd); err != nil {
			t.Fatal(err)
		}
		err := cmd.Wait()
		for _, text := range want {
			if err == nil || !strings.Contains(said.String(), text) {
				t.Errorf("want %q, got %v: %s", text, err, &said)
			}
		}
	}
	first := labConfig(r.dir, captures()["afxdp"])
	f(first, "another weir uses it")
	other := func(name string) string { return strings.ReplaceAll(first, r.dir, r.dir+"/"+name) }
	f(strings.Replace(first, "state_dir: "+r.dir, "state_dir: "+r.dir+"/x", 1), "listening")
	f(other("a"), "9108: bind: address already in use")
	moved := func(name, from, to string) string {
		return strings.ReplaceAll(strings.Replace(other(name), "9108", "9109", 1), from, to)
	}
	f(moved("b", "mirror0", "mirror7"), "open AF_XDP on mirror7", "no such interface")
	f(moved("c", "mirror0, zerocopy: prefer", "mirror1, zerocopy: required"),
		"zero-copy: the driver does not support it")
	f(moved("d", "mirror0", "mirror0"), "another XDP program is attached")
	f(moved("e", r.dir+"/e/state", "/proc/x"), "make the state directory: mkdir /proc/x")
	f(strings.Replace(first, "10.0.0.0/16", "10.0.0.0/33", 1), "networks[0]")
	r.receives()
}

// TestLabFullDisk lets the disk run full under an attack: weir says so, detects all the same, and
// writes what it owes when there is room.
func TestLabFullDisk(t *testing.T) {
	dir := t.TempDir()
	if os.Geteuid() == 0 {
		if err := unix.Mount("weir-test", dir, "tmpfs", 0, "size=4k"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	}
	r := newRig(t, lab.New(t, lab.Options{}), captures()["afxdp"])
	yaml := labConfig(r.dir, captures()["afxdp"]) + "evidence: {dir: " + dir + "/evidence}\n"
	if err := r.stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	r.configure(yaml)
	r.start()
	stop := r.sends(0, "198.18.0.1", "10.0.0.3", 30_000)
	r.eventually("finds the attack", func() bool {
		_, ok := r.attack("10.0.0.3", "active")
		return ok
	})
	r.eventually("says that the disk is full", func() bool {
		return strings.Contains(strings.Join(r.status().Problems, " "), "Reports cannot be written")
	})
	stop()
	if err := unix.Mount("weir-test", dir, "tmpfs", unix.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	a, _ := r.attack("10.0.0.3", "all")
	r.eventually("writes what it owes", func() bool {
		_, err := os.Stat(filepath.Join(dir, "evidence", a.ID, "evidence.pcapng"))
		return err == nil
	})
}

// TestLabDocument holds a real daemon's answers to the document that it serves of itself.
func TestLabDocument(t *testing.T) {
	r := newRig(t, lab.New(t, lab.Options{}), captures()["afxdp"])
	stop := r.sends(0, "198.18.0.1", "10.0.0.3", 30_000)
	defer stop()
	r.eventually("finds the attack", func() bool {
		_, ok := r.attack("10.0.0.3", "active")
		return ok
	})
	a, _ := r.attack("10.0.0.3", "active")
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", filepath.Join(r.dir, "api.sock"))
		},
	}}
	get := func(path string) (*http.Request, *http.Response, []byte) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), "GET", "http://weir"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return request, answer, body
	}
	_, _, text := get("/api/v1/openapi.json")
	document, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	document.Servers = nil
	router, err := gorillamux.NewRouter(document)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"status", "pipeline", "networks", "cores", "hosts?sort=percent&limit=5", "hosts/10.0.0.3",
		"hosts/192.0.2.1", "attacks?state=active", "attacks/" + a.ID, "hosts?limit=x",
	} {
		request, answer, body := get("/api/v1/" + path)
		route, params, err := router.FindRoute(request)
		if err != nil {
			t.Fatal(path, err)
		}
		err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
			RequestValidationInput: &openapi3filter.RequestValidationInput{
				Request: request, PathParams: params, Route: route,
			},
			Status: answer.StatusCode, Header: answer.Header,
			Body: io.NopCloser(bytes.NewReader(body)),
		})
		if err != nil {
			t.Errorf("%s: %v\n%s", path, err, body)
		}
	}
}
