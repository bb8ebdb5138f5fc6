package top

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// terminal is what a screen writes to. It answers nothing.
type terminal struct {
	mu sync.Mutex
	b  strings.Builder
}

func (m *terminal) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.b.Write(p)
}

func (m *terminal) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.b.String()
}

// TestRun shows the screen on a terminal that is mute, takes keys, one of them torn in two, and
// what was pasted, and leaves the terminal as it was.
func TestRun(t *testing.T) {
	in, keys := io.Pipe()
	defer in.Close()
	defer keys.Close()
	out := &terminal{}
	ended := make(chan error, 1)
	go func() {
		ended <- Run(context.Background(), &fake{}, Options{Interval: time.Second}, in, out)
	}()
	until := func(text string) {
		t.Helper()
		for end := time.Now().Add(5 * time.Second); !strings.Contains(out.String(), text); {
			if time.Now().After(end) {
				t.Fatalf("never %q in %q", text, out)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	press := func(text string) {
		t.Helper()
		if _, err := io.WriteString(keys, text); err != nil {
			t.Fatal(err)
		}
	}
	until("\x1b[?1049h") // the other screen
	press("\x1b")
	time.Sleep(10 * time.Millisecond)
	press("[3~\x1b[200~qqq\x1b[201~") // no key of ours, and no keys
	select {
	case err := <-ended:
		t.Fatal("ended: ", err)
	case <-time.After(100 * time.Millisecond):
	}
	press("q")
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("does not end")
	}
	until("\x1b[?1049l")
}
