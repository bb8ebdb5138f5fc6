package logs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// clock is a clock that tests put forward.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Unix(1_700_000_000, 0).UTC()} }

func (c *clock) Now() time.Time          { return c.now }
func (c *clock) advance(d time.Duration) { c.now = c.now.Add(d) }

// start returns a logger with the lines that it writes, without their time.
func start(o Options) (*slog.Logger, *Limiter, *clock, *bytes.Buffer) {
	c, out := newClock(), &bytes.Buffer{}
	o.Clock = c.Now
	log, limiter := New(out, o)
	return log, limiter, c, out
}

// expect compares the lines written so far, their time left out, and forgets them.
func expect(t *testing.T, out *bytes.Buffer, want ...string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSuffix(line, "\n")
		if at, rest, ok := strings.Cut(line, " "); ok && strings.HasPrefix(at, "time=") {
			line = rest
		}
		got = append(got, line)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	out.Reset()
}

func TestOneLinePerCause(t *testing.T) {
	log, limiter, c, out := start(Options{})
	for i := range 5 {
		log.Error("read queue", "error", fmt.Sprint("number ", i))
		c.advance(time.Second)
	}
	expect(t, out, `level=ERROR msg="read queue" error="number 0"`)
	c.advance(25*time.Second - 1)
	log.Error("read queue")
	expect(t, out)
	c.advance(1)
	log.Error("read queue")
	expect(t, out, `level=ERROR msg="read queue" hidden=5`)
	c.advance(time.Hour)
	log.Error("read queue")
	log.Error("read queue")
	expect(t, out, `level=ERROR msg="read queue"`)
	if got := limiter.Hidden(); got != 6 {
		t.Errorf("%d hidden, want 6", got)
	}
}

func TestCausesAreToldApart(t *testing.T) {
	log, limiter, _, out := start(Options{Level: slog.LevelDebug})
	for range 2 {
		log.Error("a")
		log.Error("b")
		log.Warn("a")
		log.Debug("a")
		log.Error("a", "other", 1)
		log.Error("a", "cause", "x")
		log.Error("a", "other", 2, "cause", "y")
		log.With("cause", "z").Error("a")
		log.With("cause", "z").Error("a", "cause", "x") // the latest counts
		log.WithGroup("g").Error("a", "cause", "in a group, where it is only an attribute")
		log.WithGroup("g").With("cause", "x").Error("a")
	}
	expect(t, out, "level=ERROR msg=a", "level=ERROR msg=b", "level=WARN msg=a",
		"level=DEBUG msg=a", "level=ERROR msg=a cause=x", "level=ERROR msg=a other=2 cause=y",
		"level=ERROR msg=a cause=z")
	if got := limiter.Hidden(); got != 15 {
		t.Errorf("%d hidden, want 15", got)
	}
}

func TestBurst(t *testing.T) {
	log, _, c, out := start(Options{Every: 10 * time.Second, Burst: 3})
	say := func(n int) {
		for range n {
			log.Warn("x")
		}
	}
	const plain, one = "level=WARN msg=x", "level=WARN msg=x hidden=2"
	say(5)
	expect(t, out, plain, plain, plain)
	c.advance(10 * time.Second)
	say(2)
	expect(t, out, one)
	c.advance(15 * time.Second)
	say(1)
	expect(t, out, "level=WARN msg=x hidden=1")
	c.advance(5 * time.Second) // the half that is left of the last pause counts
	say(1)
	expect(t, out, plain)
	c.advance(time.Hour)
	say(5)
	expect(t, out, plain, plain, plain)
}

func TestClockPutBack(t *testing.T) {
	log, _, c, out := start(Options{})
	log.Error("x")
	c.advance(-24 * time.Hour)
	log.Error("x")
	c.advance(30 * time.Second)
	log.Error("x")
	expect(t, out, "level=ERROR msg=x", "level=ERROR msg=x hidden=1")
}

func TestLevel(t *testing.T) {
	var level slog.LevelVar
	level.Set(slog.LevelWarn)
	log, limiter, _, out := start(Options{Level: &level})
	log.Info("quiet")
	level.Set(slog.LevelInfo)
	log.Info("loud")
	expect(t, out, "level=INFO msg=loud")
	if limiter.Hidden() != 0 {
		t.Error("what is below the level was counted as hidden")
	}
}

// TestCausesAreBounded has ever new causes.
func TestCausesAreBounded(t *testing.T) {
	log, limiter, c, out := start(Options{})
	for i := range 10 * maxCauses {
		log.Error("x", "cause", i)
		log.Error("x", "cause", i)
		if i%90 == 89 { // so that the limit of all together does not show
			c.advance(time.Second)
		}
	}
	if n := len(limiter.causes); n > maxCauses {
		t.Errorf("%d causes are kept", n)
	}
	shown := strings.Count(out.String(), "\n")
	if hidden := int(limiter.Hidden()); shown+hidden != 20*maxCauses || shown < maxCauses {
		t.Errorf("%d shown and %d hidden of %d", shown, hidden, 20*maxCauses)
	}
}

// TestSharedLine fills the table, so that there is no room for other causes.
func TestSharedLine(t *testing.T) {
	log, _, c, out := start(Options{})
	fill := func() {
		for i := range maxCauses {
			c.advance(time.Second / 90)
			log.Error("x", "cause", i)
		}
		out.Reset()
	}
	fill()
	log.Warn("w1")
	log.Warn("w2")
	log.Warn("w3")
	expect(t, out, "level=WARN msg=w1")
	c.advance(31 * time.Second)
	log.Warn("w4") // makes room
	log.Warn("w5")
	expect(t, out, "level=WARN msg=w4", "level=WARN msg=w5")
	fill()
	log.Warn("w6")
	expect(t, out, "level=WARN msg=w6 hidden=2")
}

func TestRateOfAllCauses(t *testing.T) {
	log, limiter, c, out := start(Options{})
	n := 0
	for range 3 { // seconds
		for range 500 {
			log.Info("x", "cause", n%900)
			n++
		}
		c.advance(time.Second)
	}
	// A whole burst, then what came back in each second.
	if shown := strings.Count(out.String(), "\n"); shown != 3*maxRate {
		t.Errorf("%d lines, want %d", shown, 3*maxRate)
	}
	if got := limiter.Hidden(); got != 1500-3*maxRate {
		t.Errorf("%d hidden", got)
	}
	out.Reset()
	c.advance(time.Hour)
	log.Info("x", "cause", 899)
	expect(t, out, "level=INFO msg=x cause=899 hidden=1")
}

func TestNothingFromTheWireMakesLines(t *testing.T) {
	log, _, _, out := start(Options{})
	const evil = "a\nlevel=ERROR msg=\"all is lost\"\x1b[31m\u202e"
	log.Warn("bad "+evil, "name", evil, "error", errors.New(evil), evil, 1)
	if got := strings.Count(out.String(), "\n"); got != 1 {
		t.Errorf("%d lines:\n%s", got, out)
	}
	if strings.ContainsAny(strings.TrimSuffix(out.String(), "\n"), "\x1b\u202e\n") {
		t.Errorf("raw controls in %q", out)
	}
	if !strings.Contains(out.String(), `name="a\nlevel=ERROR msg=\"all is lost\"\x1b[31m\u202e"`) {
		t.Errorf("not quoted: %s", out)
	}
}

func TestLongValuesAreCut(t *testing.T) {
	long := strings.Repeat("é", 1<<20)
	for _, asJSON := range []bool{false, true} {
		log, limiter, _, out := start(Options{JSON: asJSON})
		log.Error(long, "s", long, "e", errors.New(long), "a", netip.Addr{}, "b", []byte(long),
			slog.Group("g", "s", long))
		if out.Len() > 16*maxValue || !strings.Contains(out.String(), "é…") {
			t.Errorf("%d bytes: %.100s", out.Len(), out)
		}
		for c := range limiter.causes {
			if len(c.message) != maxKey {
				t.Errorf("a cause keeps %d bytes", len(c.message))
			}
		}
	}
}

func TestJSON(t *testing.T) {
	log, _, c, out := start(Options{JSON: true})
	log.Error("x", "n", 1)
	log.Error("x", "n", 2)
	c.advance(time.Minute)
	log.Error("x", "n", 3)
	d := json.NewDecoder(out)
	var first, second map[string]any
	if err := errors.Join(d.Decode(&first), d.Decode(&second)); err != nil {
		t.Fatal(err)
	}
	if first["time"] != "2023-11-14T22:13:20Z" || first["n"] != 1. || first["hidden"] != nil ||
		second["n"] != 3. || second["hidden"] != 1. {
		t.Errorf("%v\n%v", first, second)
	}
	if d.More() {
		t.Error("a third line")
	}
}

// nothing is an error that cannot say so.
type nothing struct{ text string }

func (n *nothing) Error() string { return n.text }

func TestValuesThatPanic(t *testing.T) {
	log, _, _, out := start(Options{})
	log.Error("x", "error", (*nothing)(nil))
	expect(t, out, "level=ERROR msg=x error=<nil>")
}

// broken is a writer that fails.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestWriterThatFails(t *testing.T) {
	log, limiter := New(broken{}, Options{})
	log.Error("x")
	log.Error("x")
	if limiter.Hidden() != 1 {
		t.Error("counts went wrong")
	}
}

func TestManyGoroutines(t *testing.T) {
	var out bytes.Buffer // which slog's own lock does not guard against the limiter
	log, limiter := New(&out, Options{})
	var wait sync.WaitGroup
	const goroutines, lines = 8, 500
	for g := range goroutines {
		wait.Go(func() {
			for i := range lines {
				log.With("g", g).Error("x", "cause", i%4)
				_ = limiter.Hidden()
			}
		})
	}
	wait.Wait()
	if shown := strings.Count(out.String(), "\n"); shown != 4 ||
		limiter.Hidden() != goroutines*lines-4 {
		t.Errorf("%d shown, %d hidden", shown, limiter.Hidden())
	}
}

func BenchmarkHidden(b *testing.B) {
	log, _ := New(io.Discard, Options{})
	b.ReportAllocs()
	for b.Loop() {
		log.Error("read queue", "cause", "eth1", "error", io.ErrUnexpectedEOF)
	}
}
