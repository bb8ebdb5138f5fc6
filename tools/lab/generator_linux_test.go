package lab

import (
	"testing"
	"time"

	"weir/tools/blast"
)

// A load's frames arrive as its stream has them, from the first on, over several bursts; GRO may
// have changed their order.
func TestLoad(t *testing.T) {
	const frames = 600
	for _, name := range []string{"W2", "W5", "W8"} {
		t.Run(name, func(t *testing.T) {
			l := New(t, Options{})
			from := receiver(t, l)
			w, err := blast.Find(name)
			if err != nil {
				t.Fatal(err)
			}
			load, want := w.Load(), sendable{w.Frames()}
			g := generator(t, l, GeneratorConfig{Load: &load})
			for _, n := range []int{frames - 1, 1} { // the stream goes on
				if sent, err := g.Send(n); err != nil || sent != n {
					t.Fatal(sent, err)
				}
			}
			if g.Sent() != frames {
				t.Errorf("sent %d, want %d", g.Sent(), frames)
			}
			frame, missing := make([]byte, w.MaxLen), map[string]int{}
			for range frames {
				missing[string(frame[:want.Next(frame)])]++
			}
			for i := range frames {
				got := string(receive(t, from))
				if missing[got]--; missing[got] < 0 {
					t.Fatalf("frame %d is none of the load's: %x", i, got)
				}
			}
		})
	}
}

// Paced frames leave the gap between them, those of a load and those of one frame; the last run's
// pace is not the next one's.
func TestPace(t *testing.T) {
	const (
		frames = 20_000
		gap    = 4 * time.Microsecond
	)
	l := New(t, Options{})
	w, err := blast.Find("W2")
	if err != nil {
		t.Fatal(err)
	}
	load := w.Load()
	for name, c := range map[string]GeneratorConfig{
		"load":  {Load: &load},
		"frame": {Frame: udp("198.18.0.1", "10.0.1.1", 64)},
	} {
		g := generator(t, l, c)
		for _, gap := range []time.Duration{gap, 0} {
			g.kernel.Pace(gap)
			start := time.Now()
			if sent, err := g.Send(frames); err != nil || sent != frames {
				t.Fatalf("%s: %d, %v", name, sent, err)
			}
			if took := time.Since(start); took < frames*gap*9/10 { // looks that were held up
				t.Errorf("%s: %d frames took %v", name, frames, took)
			}
		}
	}
}

func TestLoad_Failure(t *testing.T) {
	l := New(t, Options{MTU: 500})
	w, err := blast.Find("W5")
	if err != nil {
		t.Fatal(err)
	}
	load := w.Load()
	for name, c := range map[string]GeneratorConfig{
		"longer than the MTU": {Load: &load},
		"and a frame":         {Load: &load, Frame: udp("198.18.0.1", "10.0.1.1", 64)},
	} {
		if g, err := l.Generator(c); err == nil {
			t.Errorf("%s: no error", name)
			_ = g.Close()
		}
	}
}
