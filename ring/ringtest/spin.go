package ringtest

import (
	"sync/atomic"
	"time"

	"weir/ring"
)

// T is what Spin needs of a *testing.T; programs that use this package do without testing.
type T interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// Spin holds a source to what it promises of its sleep: for as long as spin after the last frame it
// polls without sleeping, after that it sleeps for as long as sleep. clock is the source's, in
// nanoseconds, and stands still unless Spin moves it; send has one frame arrive.
func Spin(
	t T, s ring.Source, clock *atomic.Int64, spin, sleep time.Duration, send func(),
) {
	t.Helper()
	var b ring.Batch
	poll := func() (n int, took time.Duration) {
		begin := time.Now()
		n, err := s.Poll(&b)
		if err != nil {
			t.Fatal(err)
		}
		s.Release(&b)
		return n, time.Since(begin)
	}
	for range 3 {
		send()
		for end := time.Now().Add(5 * time.Second); ; {
			if n, _ := poll(); n == 1 {
				break
			} else if n > 1 || time.Now().After(end) {
				t.Fatalf("%d frames for one that was sent", n)
			}
		}
		clock.Add(int64(spin) - 1)
		const polls = 200
		begin := time.Now()
		for range polls {
			if n, _ := poll(); n != 0 {
				t.Fatalf("%d frames of nowhere", n)
			}
		}
		if took := time.Since(begin); took > polls*sleep/4 {
			t.Errorf("%d polls took %v", polls, took)
		}
		clock.Add(1)
		slept := time.Duration(0)
		// Signals, and what was sent last, end a sleep early.
		for i := 0; i < 20 && slept < sleep/2; i++ {
			_, took := poll()
			slept = max(slept, took)
		}
		if slept < sleep/2 {
			t.Errorf("slept for %v when patience was over", slept)
		}
	}
}
