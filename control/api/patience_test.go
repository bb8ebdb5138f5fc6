package api_test

import (
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/control/api"
	"weir/control/api/apitest"
)

// TestReloadMayTakeLong has a reload outlast every timeout of other requests: tables of large
// networks take their time.
func TestReloadMayTakeLong(t *testing.T) {
	const header = 100 * time.Millisecond
	b := apitest.Sample()
	b.OnReload = func(ctx context.Context, _ bool) (api.ReloadResult, error) {
		select {
		case <-time.After(6 * header):
			return api.ReloadResult{Type: "reload", OK: true}, nil
		case <-ctx.Done():
			return api.ReloadResult{}, ctx.Err()
		}
	}
	path, _ := serve(t, b, func(s *api.Server) { s.SetHeaderTimeout(header) })
	c := api.Dial(path)
	defer c.Close()
	c.SetPatience(header)
	if r, err := c.Reload(t.Context(), false); err != nil || !r.OK {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Errorf("the next question: %v", err)
	}
}

// TestNobodyAnswers asks a daemon that hangs: it is as good as none. A client that gives up says
// that it did.
func TestNobodyAnswers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := api.Dial(path)
	defer c.Close()
	c.SetPatience(50 * time.Millisecond)
	var u *api.Unreachable
	if _, err := c.Status(t.Context()); !errors.As(err, &u) ||
		!strings.Contains(err.Error(), "unix:"+path+" (timeout)") {
		t.Errorf("a daemon that hangs: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := c.Status(ctx); errors.As(err, &u) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a client that gives up: %v", err)
	}
}

// TestUnreachableIsShort has a reason that has no name of its own: no path, no method.
func TestUnreachableIsShort(t *testing.T) {
	long := "/" + strings.Repeat("x", 200)
	_, err := api.Dial(long).Status(t.Context())
	var u *api.Unreachable
	if !errors.As(err, &u) || !strings.Contains(err.Error(), "(invalid argument)") {
		t.Errorf("have %v", err)
	}
}

// TestHostProvesNothing sends what a browser sends that was told that weir is another host.
func TestHostProvesNothing(t *testing.T) {
	b := &apitest.Backend{OnReload: func(context.Context, bool) (api.ReloadResult, error) {
		t.Error("the backend was asked")
		return api.ReloadResult{}, nil
	}}
	s := api.NewServer(b, quiet())
	for host, origin := range map[string]string{
		"evil.example": "http://evil.example", "weir": "http://weir", "": "null", " ": "http:// ",
	} {
		r := httptest.NewRequest("POST", "/api/v1/reload", nil)
		r.Host = host
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		problem(t, w, 403)
	}
}

func TestUnknownIncidentsAreNamed(t *testing.T) {
	s := api.NewServer(apitest.Sample(), quiet())
	const id = "0123456789abcdef"
	for _, path := range []string{"/api/v1/attacks/" + id, "/api/v1/attacks/" + id + "/report"} {
		if p := problem(t, ask(s, "GET "+path), 404); !strings.Contains(p.Detail, id) {
			t.Errorf("%s: %s", path, p.Detail)
		}
	}
}

// TestListenMindsNoUmask opens a socket in a process that would let everybody in.
func TestListenMindsNoUmask(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	path := filepath.Join(t.TempDir(), "s")
	l, err := api.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if info, err := os.Lstat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v", info, err)
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
		t.Errorf("files beside the socket: %v", files)
	}
}
