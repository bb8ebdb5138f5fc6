package afpacket

import (
	"sync/atomic"
	"testing"
	"time"

	"weir/ring"
	"weir/tools/lab"
)

// TestSpin polls without sleeping for as long as Spin after the last frame, by a clock that stands
// still unless it is told to move, and sleeps after that.
func TestSpin(t *testing.T) {
	l := lab.New(t, lab.Options{})
	const spin = int64(time.Millisecond)
	var now atomic.Int64
	now.Store(time.Now().UnixNano())
	var m *Mirror
	err := l.Sut().Do(func() (err error) {
		m, err = Open(Config{
			Interface: lab.Sut.Interface(0), Spin: time.Duration(spin), Clock: now.Load,
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	var b ring.Batch
	s := m.Sources()[0]
	poll := func() (n int, took time.Duration) {
		t.Helper()
		begin := time.Now()
		n, err := s.Poll(&b)
		if err != nil {
			t.Fatal(err)
		}
		s.Release(&b)
		return n, time.Since(begin)
	}
	for range 3 {
		if _, err := l.SendFrames(0, burstOf(1)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "received", func() bool { n, _ := poll(); return n == 1 })
		now.Add(spin - 1)
		const polls = 200 // each would sleep for 10 ms
		begin := time.Now()
		for range polls {
			if n, _ := poll(); n != 0 {
				t.Fatalf("%d frames of nowhere", n)
			}
		}
		if took := time.Since(begin); took > polls*pollMillis*time.Millisecond/4 {
			t.Errorf("%d polls took %v", polls, took)
		}
		now.Add(1)
		slept := time.Duration(0)
		for range 3 { // what was sent last may still wake it
			_, took := poll()
			slept = max(slept, took)
		}
		if slept < pollMillis*time.Millisecond/2 {
			t.Errorf("slept for %v when patience was over", slept)
		}
	}
}
