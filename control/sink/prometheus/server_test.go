package prometheus

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestPathsAndMethods(t *testing.T) {
	e := New(fixed{sample()})
	for _, c := range []struct {
		method, target string
		code           int
		body           string // part of it
	}{
		{"GET", "/metrics", 200, "weir_attacks_total 9\n"},
		{"HEAD", "/metrics", 200, ""},
		{"GET", "/metrics?name=x", 200, "weir_attacks_total 9\n"},
		{"GET", "/", 200, `<a href="/metrics">`},
		{"HEAD", "/", 200, ""},
		{"POST", "/metrics", 405, "only GET and HEAD"},
		{"DELETE", "/", 405, "only GET and HEAD"},
		{"GET", "/metrics/", 404, "metrics are at /metrics"},
		{"GET", "/favicon.ico", 404, "metrics are at /metrics"},
		{"POST", "/debug/pprof/", 404, "metrics are at /metrics"},
	} {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, httptest.NewRequest(c.method, c.target, nil))
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.body) {
			t.Errorf("%s %s: status %d, body %.200q", c.method, c.target, w.Code, w.Body)
		}
		if allow := w.Header().Get("Allow"); (allow == "GET, HEAD") != (c.code == 405) {
			t.Errorf("%s %s: Allow %q", c.method, c.target, allow)
		}
	}
}

func TestListen_Success(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- New(fixed{sample()}).Serve(ctx, l) }()
	answer, err := http.Get("http://" + l.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || !strings.Contains(string(body), "weir_attacks_total 9\n") {
		t.Errorf("%v: %.200q", err, body)
	}
	stop()
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is open: %v", err)
	}
}

func TestListen_Failure(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, addr := range []string{l.Addr().String(), "127.0.0.1", "127.0.0.1:x"} {
		_, err := Listen(addr)
		if err == nil || !strings.HasPrefix(err.Error(), "bind metrics on "+addr+": ") {
			t.Errorf("%s: error %v", addr, err)
		}
	}
}

// TestServeSaysWhyItEnds has the listener closed below it.
func TestServeSaysWhyItEnds(t *testing.T) {
	l, err := Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	err = New(fixed{}).Serve(t.Context(), l)
	if !errors.Is(err, net.ErrClosed) ||
		!strings.HasPrefix(err.Error(), "serve metrics on 127.0.0.1:") {
		t.Errorf("error %v", err)
	}
}

// pipes is a listener without a network, whose time synctest commands.
type pipes struct {
	dialed chan net.Conn
	closed chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn, 64), make(chan struct{})} }

// dial returns a client's end.
func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.dialed <- server
	return client
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialed:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close refuses those that wait, as the kernel does.
func (p *pipes) Close() error {
	close(p.closed)
	for range len(p.dialed) {
		_ = (<-p.dialed).Close()
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// serve calls f with a client's side of a running server, in fake time, and returns how long the
// server took to end afterwards.
func serve(t *testing.T, f func(t *testing.T, l *pipes)) (took time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- New(fixed{sample()}).Serve(ctx, l) }()
		f(t, l)
		begin := time.Now()
		stop()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
		took = time.Since(begin)
	})
	return took
}

const request = "GET /metrics HTTP/1.1\r\nHost: weir\r\n\r\n"

// get makes one request and returns the answer's status, once its body has arrived.
func get(t *testing.T, l *pipes) int {
	t.Helper()
	c := l.dial()
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	return readAnswer(t, c)
}

func readAnswer(t *testing.T, c net.Conn) int {
	t.Helper()
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode
}

// untilClosed returns how long the server keeps the connection of a client that does nothing.
func untilClosed(c net.Conn) time.Duration {
	begin := time.Now()
	_, _ = io.Copy(io.Discard, c)
	return time.Since(begin)
}

// TestSlowClients: whoever does not ask, or does not read, loses its connection.
func TestSlowClients(t *testing.T) {
	serve(t, func(t *testing.T, l *pipes) {
		if took := untilClosed(l.dial()); took != requestTimeout {
			t.Errorf("silent: closed after %v, want %v", took, requestTimeout)
		}
		c := l.dial()
		go func() { _, _ = io.WriteString(c, request[:20]) }()
		if took := untilClosed(c); took != requestTimeout {
			t.Errorf("half a request: closed after %v, want %v", took, requestTimeout)
		}
		slow := l.dial()
		if _, err := io.WriteString(slow, request); err != nil {
			t.Fatal(err)
		}
		time.Sleep(answerTimeout + time.Second) // and reads nothing
		answer, _ := io.ReadAll(slow)
		if strings.HasSuffix(string(answer), "\r\n0\r\n\r\n") {
			t.Errorf("%d bytes were answered to the end", len(answer))
		}
	})
}

// TestSlowScraperHoldsNoOther has as many that do not read as there are places.
func TestSlowScraperHoldsNoOther(t *testing.T) {
	serve(t, func(t *testing.T, l *pipes) {
		for range maxConnections - 1 {
			if _, err := io.WriteString(l.dial(), request); err != nil {
				t.Fatal(err)
			}
		}
		begin := time.Now()
		if code := get(t, l); code != 200 || time.Since(begin) != 0 {
			t.Errorf("one place left: status %d after %v", code, time.Since(begin))
		}
		if _, err := io.WriteString(l.dial(), request); err != nil {
			t.Fatal(err)
		}
		if code := get(t, l); code != 200 || time.Since(begin) != answerTimeout {
			t.Errorf("no place left: status %d after %v", code, time.Since(begin))
		}
	})
}

func TestHugeHeader(t *testing.T) {
	serve(t, func(t *testing.T, l *pipes) {
		c := l.dial()
		go func() {
			_, _ = io.WriteString(c, strings.TrimSuffix(request, "\r\n")+"X: ")
			_, _ = io.WriteString(c, strings.Repeat("x", 64<<10))
		}()
		if code := readAnswer(t, c); code != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("status %d", code)
		}
	})
}

// TestStop has nobody to wait for, and then those who do not end.
func TestStop(t *testing.T) {
	idle := serve(t, func(t *testing.T, l *pipes) {
		if code := get(t, l); code != 200 {
			t.Errorf("status %d", code)
		}
	})
	if idle > 10*time.Millisecond {
		t.Errorf("idle: it took %v to stop", idle)
	}
	busy := serve(t, func(t *testing.T, l *pipes) {
		for range maxConnections + 5 { // the last ones wait for a place
			c := l.dial()
			go func() { _, _ = io.WriteString(c, request) }()
		}
		synctest.Wait()
	})
	if busy != stopPatience {
		t.Errorf("slow scrapers: it took %v to stop, want %v", busy, stopPatience)
	}
}
