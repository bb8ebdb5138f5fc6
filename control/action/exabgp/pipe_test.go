package exabgp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"weir/control/ban"
	"weir/control/governor"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// approved returns a route to address that passed the governor.
func approved(t testing.TB, address string, communities ...ban.Community) governor.Approved {
	t.Helper()
	a := netip.MustParseAddr(address)
	hop := "192.0.2.1"
	if a.Is6() {
		hop = "100::1"
	}
	g := governor.New(governor.Rules{
		Networks:  []netip.Prefix{netip.PrefixFrom(a, a.BitLen())},
		MaxActive: 1, MaxPerMinute: 1, MaxShare: 100, MaxLease: time.Hour,
	})
	out, refusal := g.Ask(governor.Route{
		Prefix: netip.PrefixFrom(a, a.BitLen()), NextHop: netip.MustParseAddr(hop),
		Communities: communities, Lease: int64(time.Minute),
	}, governor.Detector, 1)
	if refusal != governor.None {
		t.Fatal(refusal)
	}
	return out
}

// fifo makes a named pipe.
func fifo(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs a Pipe until the test ends, or until what it returns is called.
func run(t testing.TB, path string, logs io.Writer, refresh time.Duration) (*Pipe, func()) {
	t.Helper()
	before := goleak.IgnoreCurrent()
	p, err := New(Config{Pipe: path}, slog.New(slog.NewTextHandler(logs, nil)))
	if err != nil {
		t.Fatal(err)
	}
	p.refresh = refresh
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		p.Run(ctx)
		close(ended)
	}()
	stop := func() {
		cancel()
		<-ended
	}
	t.Cleanup(func() {
		stop()
		goleak.VerifyNone(t, before)
	})
	return p, stop
}

// reader is somebody who reads the pipe.
type reader struct {
	*os.File
	got bytes.Buffer
}

func openReader(t testing.TB, path string) *reader {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return &reader{File: f}
}

// expect reads until exactly want has come since the last time, and a little longer.
func (r *reader) expect(t testing.TB, want string) {
	t.Helper()
	buf := make([]byte, 4096)
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		if err := r.SetReadDeadline(time.Now().Add(2 * lookTime)); err != nil {
			t.Fatal(err)
		}
		n, err := r.Read(buf)
		r.got.Write(buf[:n])
		if err != nil && r.got.Len() >= len(want) {
			break
		}
		if errors.Is(err, io.EOF) { // nobody writes yet
			time.Sleep(lookTime)
		}
	}
	if got := r.got.String(); got != want {
		t.Errorf("read %q, want %q", got, want)
	}
	r.got.Reset()
}

func until(t testing.TB, p *Pipe, what string, is func(s State) bool) State {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); {
		if s := p.State(); is(s) {
			return s
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("not in time: %s: %+v", what, p.State())
	return State{}
}

func settled(s State) bool { return s.Open && s.Pending == 0 && s.Error == "" }

func TestLines(t *testing.T) {
	large := ban.Community{Large: true, A: 4200000001, B: 1, C: 666}
	f := func(announce, withdraw, address string, communities ...ban.Community) {
		t.Helper()
		a := approved(t, address, communities...)
		if got, want := lines(&a), (route{announce + "\n", withdraw + "\n"}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	const withdraw = "withdraw route 192.0.2.7/32 next-hop 192.0.2.1"
	f("announce route 192.0.2.7/32 next-hop 192.0.2.1 community 65535:666", withdraw,
		"192.0.2.7", ban.Blackhole) // to the byte what FastNetMon writes
	f("announce route 192.0.2.7/32 next-hop 192.0.2.1 community 65535:65281", withdraw,
		"192.0.2.7", ban.NoExport)
	f("announce route 192.0.2.7/32 next-hop 192.0.2.1 community [ 65535:666 65535:65281 ]",
		withdraw, "192.0.2.7", ban.Blackhole, ban.NoExport)
	f("announce route 192.0.2.7/32 next-hop 192.0.2.1", withdraw, "192.0.2.7")
	f("announce route 192.0.2.7/32 next-hop 192.0.2.1 large-community [ 4200000001:1:666 ]",
		withdraw, "192.0.2.7", large)
	f("announce route 2001:db8::7/128 next-hop 100::1 community [ 65535:666 65535:65282 ] "+
		"large-community [ 4200000001:1:666 1:2:3 ]",
		"withdraw route 2001:db8::7/128 next-hop 100::1",
		"2001:db8::7", large, ban.Blackhole, ban.NoAdvertise,
		ban.Community{Large: true, A: 1, B: 2, C: 3})
}

const (
	add1 = "announce route 192.0.2.7/32 next-hop 192.0.2.1 community 65535:666\n"
	del1 = "withdraw route 192.0.2.7/32 next-hop 192.0.2.1\n"
	add2 = "announce route 192.0.2.8/32 next-hop 192.0.2.1 community 65535:666\n"
	del2 = "withdraw route 192.0.2.8/32 next-hop 192.0.2.1\n"
	add6 = "announce route 2001:db8::7/128 next-hop 100::1 community 65535:666\n"
	del6 = "withdraw route 2001:db8::7/128 next-hop 100::1\n"
)

func three(t testing.TB) (a1, a2, a6 governor.Approved) {
	return approved(t, "192.0.2.7", ban.Blackhole), approved(t, "192.0.2.8", ban.Blackhole),
		approved(t, "2001:db8::7", ban.Blackhole)
}

func TestPipe(t *testing.T) {
	path := fifo(t)
	a1, a2, a6 := three(t)
	r := openReader(t, path)
	p, stop := run(t, path, io.Discard, time.Hour)
	p.Set([]governor.Approved{a6, a1, {}})
	r.expect(t, add1+add6)
	p.Set([]governor.Approved{a6, a1}) // nothing new
	r.expect(t, "")
	p.Set([]governor.Approved{a2, a6}) // withdrawals first
	r.expect(t, del1+add2)
	p.Set([]governor.Approved{approved(t, "192.0.2.8", ban.Blackhole, ban.NoExport), a6})
	r.expect(t, "announce route 192.0.2.8/32 next-hop 192.0.2.1 "+
		"community [ 65535:666 65535:65281 ]\n")
	s := until(t, p, "settled", settled)
	if s.Routes != 2 || s.Announced != 4 || s.Withdrawn != 1 || s.Opened != 1 || s.Unread != 0 {
		t.Errorf("%+v", s)
	}
	p.mu.Lock()
	p.want = nil // as Set does, before Run has taken notice
	p.mu.Unlock()
	stop()
	r.expect(t, del2+del6)
	if s := p.State(); s.Open || s.Routes != 0 || s.Withdrawn != 3 {
		t.Errorf("%+v", s)
	}
}

// Without a reader nothing is told, and it shows. What was wanted only meanwhile is never told.
func TestReaderIsAway(t *testing.T) {
	path := fifo(t)
	var logs bytes.Buffer
	p, stop := run(t, path, &logs, time.Hour)
	a1, a2, _ := three(t)
	p.Set([]governor.Approved{a1, a2})
	s := until(t, p, "an error", func(s State) bool { return s.Pending == 2 })
	if s.Open || !strings.Contains(s.Error, path) || !strings.Contains(s.Error, "nobody reads") {
		t.Errorf("%+v", s)
	}
	p.Set([]governor.Approved{a2})
	until(t, p, "one less", func(s State) bool { return s.Pending == 1 })
	openReader(t, path).expect(t, add2)
	until(t, p, "settled", settled)
	stop()
	for _, want := range []string{"WARN", "nobody reads", "INFO", "again"} {
		if strings.Count(logs.String(), want) != 1 {
			t.Errorf("%q is not once in %s", want, logs.String())
		}
	}
}

// A reader that is there anew is told everything; of a withdrawal, three times in all.
func TestReaderReturns(t *testing.T) {
	path := fifo(t)
	a1, a2, _ := three(t)
	r := openReader(t, path)
	p, _ := run(t, path, io.Discard, time.Hour)
	p.Set([]governor.Approved{a1, a2})
	r.expect(t, add1+add2)
	p.Set([]governor.Approved{a2})
	r.expect(t, del1)
	for _, want := range []string{del1 + add2, del1 + add2, add2} {
		_ = r.Close()
		until(t, p, "nobody reads", func(s State) bool { return !s.Open })
		r = openReader(t, path)
		r.expect(t, want)
	}
	if s := until(t, p, "settled", settled); s.Opened != 4 || s.Routes != 1 {
		t.Errorf("%+v", s)
	}
}

// Everything is told again from time to time, in case that the reader changed unseen.
func TestRefresh(t *testing.T) {
	path := fifo(t)
	a1, a2, _ := three(t)
	r := openReader(t, path)
	p, _ := run(t, path, io.Discard, time.Second)
	p.Set([]governor.Approved{a1, a2})
	r.expect(t, add1+add2)
	r.expect(t, add1+add2)
	p.Set([]governor.Approved{a2})
	r.expect(t, del1)
	r.expect(t, del1+add2)
	r.expect(t, del1+add2)
	r.expect(t, add2)
}

// A reader that stops reading delays nobody, and gets the state as it is when it goes on.
func TestFullPipe(t *testing.T) {
	path := fifo(t)
	r := openReader(t, path)
	p, _ := run(t, path, io.Discard, time.Hour)
	a1, a2, _ := three(t)
	var longest time.Duration
	full := func(s State) bool { return s.Pending > 0 && strings.Contains(s.Error, "full") }
	for i := 0; !full(p.State()); i++ {
		begin := time.Now()
		p.Set([]governor.Approved{[]governor.Approved{a1, a2}[i%2]})
		longest = max(longest, time.Since(begin))
		if i > 1e6 {
			t.Fatal("never full")
		}
	}
	t.Logf("Set took %v at most", longest)
	if longest > time.Second {
		t.Errorf("Set took %v", longest)
	}
	if s := p.State(); !s.Open || (s.Unread < 4096 && runtime.GOOS == "linux") {
		t.Errorf("%+v", s)
	}
	p.Set([]governor.Approved{a1})
	var got strings.Builder
	buf := make([]byte, 4096)
	for {
		_ = r.SetReadDeadline(time.Now().Add(5 * lookTime))
		n, err := r.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			break
		}
	}
	state := map[string]bool{}
	for line := range strings.Lines(got.String()) {
		switch line {
		case add1, add2:
			state[line] = true
		case del1:
			delete(state, add1)
		case del2:
			delete(state, add2)
		default:
			t.Fatalf("line %q", line)
		}
	}
	if len(state) != 1 || !state[add1] {
		t.Errorf("in the end %v stands", state)
	}
	if s := until(t, p, "settled", settled); s.Routes != 1 {
		t.Errorf("%+v", s)
	}
}

// What an earlier weir may have announced is withdrawn, unless it is wanted.
func TestWithdraw(t *testing.T) {
	path := fifo(t)
	a1, _, _ := three(t)
	p, _ := run(t, path, io.Discard, time.Hour)
	p.Set([]governor.Approved{a1})
	for _, address := range []string{"192.0.2.7", "192.0.2.8"} {
		p.Withdraw(netip.PrefixFrom(netip.MustParseAddr(address), 32),
			netip.MustParseAddr("192.0.2.1"))
	}
	until(t, p, "both pending", func(s State) bool { return s.Pending == 2 })
	openReader(t, path).expect(t, del2+add1)
	if s := until(t, p, "settled", settled); s.Routes != 1 {
		t.Errorf("%+v", s)
	}
}

// A route that does not fit in a line is not told in parts.
func TestLongLine(t *testing.T) {
	path := fifo(t)
	r := openReader(t, path)
	p, _ := run(t, path, io.Discard, time.Hour)
	a1, _, _ := three(t)
	var many []ban.Community
	for i := range 500 {
		many = append(many, ban.Community{A: 65000, B: uint32(i)})
	}
	p.Set([]governor.Approved{approved(t, "192.0.2.9", many...), a1})
	r.expect(t, add1)
	if s := p.State(); !strings.Contains(s.Error, "192.0.2.9/32 has more communities") {
		t.Errorf("%+v", s)
	}
}

func TestNoPipe(t *testing.T) {
	f := func(path, why string) {
		t.Helper()
		_, err := New(Config{Pipe: path}, nil)
		if err == nil || !strings.Contains(err.Error(), path) ||
			!strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v, want %q", path, err, why)
		}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	f("pipe", "not absolute")
	f("", "not absolute")
	f(dir, "no named pipe")
	f("/dev/null", "no named pipe")
	f(file, "no named pipe")

	// One that is missing may come; a file that comes in its place is not written to.
	path := filepath.Join(dir, "later")
	p, _ := run(t, path, io.Discard, time.Hour)
	a1, _, _ := three(t)
	p.Set([]governor.Approved{a1})
	until(t, p, "missing", func(s State) bool { return strings.Contains(s.Error, "mkfifo") })
	if err := os.Rename(file, path); err != nil {
		t.Fatal(err)
	}
	until(t, p, "a file", func(s State) bool {
		return strings.Contains(s.Error, "no named pipe") && s.Pending == 1
	})
	if got, err := os.ReadFile(path); err != nil || string(got) != "keep" {
		t.Errorf("%q, %v", got, err)
	}
	if err := errors.Join(os.Remove(path), unix.Mkfifo(path, 0o600)); err != nil {
		t.Fatal(err)
	}
	openReader(t, path).expect(t, add1)
}
