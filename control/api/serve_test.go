package api_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/control/api"
	"weir/control/api/apitest"
)

// serve starts a server of b and returns its socket, and what stops it and waits.
func serve(t *testing.T, b api.Backend, adjust ...func(*api.Server)) (string, func()) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := api.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	s := api.NewServer(b, quiet())
	for _, f := range adjust {
		f(s)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	stopped := false
	stop := func() {
		cancel()
		if stopped {
			return
		}
		stopped = true
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
	t.Cleanup(stop)
	return path, stop
}

func dial(t *testing.T, path string) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func answered(c net.Conn, within time.Duration) error {
	_ = c.SetReadDeadline(time.Now().Add(within))
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return errors.Join(err, answer.Body.Close())
}

const livez = "GET /livez HTTP/1.1\r\nHost: weir\r\n\r\n"

func TestOneConnectionTooMany(t *testing.T) {
	path, _ := serve(t, apitest.Sample())
	var first net.Conn
	for range api.MaxConnections {
		first = dial(t, path)
		_, _ = io.WriteString(first, livez)
		if err := answered(first, 5*time.Second); err != nil {
			t.Fatal(err)
		}
	}
	late := dial(t, path)
	_, _ = io.WriteString(late, livez)
	if err := answered(late, 200*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("one too many is not left waiting: %v", err)
	}
	_ = first.Close()
	if err := answered(late, 5*time.Second); err != nil {
		t.Fatalf("with a place free: %v", err)
	}
}

func TestHalfAHeaderIsCut(t *testing.T) {
	path, _ := serve(t, apitest.Sample(), func(s *api.Server) {
		s.SetHeaderTimeout(100 * time.Millisecond)
	})
	c := dial(t, path)
	_, _ = io.WriteString(c, livez[:len(livez)-5])
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadAll(c); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the connection stays")
	}
}

func TestHugeHeaderIsRefused(t *testing.T) {
	path, _ := serve(t, apitest.Sample())
	c := dial(t, path)
	go func() { _, _ = io.WriteString(c, livez[:25]+"x: "+strings.Repeat("y", 64<<10)) }()
	_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.Contains(line, " 4") {
		t.Fatalf("%q, %v", line, err)
	}
}

func TestStopsDespiteHangingClients(t *testing.T) {
	entered := make(chan struct{})
	b := &apitest.Backend{OnWhy: func(ctx context.Context, _ netip.Addr) (api.Why, error) {
		close(entered)
		<-ctx.Done()
		return api.Why{}, ctx.Err()
	}}
	path, stop := serve(t, b)
	half := dial(t, path)
	_, _ = io.WriteString(half, livez[:10])
	c := dial(t, path)
	_, _ = io.WriteString(c, strings.Replace(livez, "/livez", "/api/v1/hosts/192.0.2.1", 1))
	<-entered
	begin := time.Now()
	stop()
	if d := time.Since(begin); d > 2500*time.Millisecond {
		t.Errorf("it took %v", d)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stays: %v", err)
	}
}

func TestServeSaysWhereItFailed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := api.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	err = api.NewServer(apitest.Sample(), quiet()).Serve(t.Context(), l)
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("%v does not name %s", err, path)
	}
}

func TestListen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "made", "weir.sock")
	l, err := api.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != os.ModeSocket || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := api.Listen(path); !errors.Is(err, api.ErrInUse) {
		t.Errorf("a second one: %v", err)
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
		t.Errorf("files beside the socket: %v", files)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stays: %v", err)
	}
}

func TestListenReplacesAStaleSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	_ = stale.Close()
	l, err := api.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	// Replaced by another while it listens: the other's stays.
	_ = os.Remove(path)
	other, err := api.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the other's socket is gone: %v", err)
	}
	_ = c.Close()
	_ = other.Close()
}

func TestListenKeepsWhatIsNoSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := api.Listen(path)
	if err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file: %v", err)
	}
	if data, _ := os.ReadFile(path); string(data) != "mine" {
		t.Error("the file is changed")
	}
	if _, err := api.Listen(filepath.Join(path, "below")); err == nil {
		t.Error("below a file")
	}
}
