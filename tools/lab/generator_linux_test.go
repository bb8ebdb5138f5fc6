package lab

import (
	"testing"
	"time"
)

func TestAtOnce(t *testing.T) {
	f := func(want uint64, pps float64, pause time.Duration) {
		t.Helper()
		if got := atOnce(pps, pause); got != want {
			t.Errorf("atOnce(%v, %v) = %d, want %d", pps, pause, got, want)
		}
	}
	f(1, 10, tick)              // rare ones still go
	f(1251, 1e6, tick)          // as they come, and some to spare
	f(2501, 1e6, 2*tick)        // a tick was missed
	f(2501, 1e6, time.Second)   // held up: bit by bit
	f(1, 1e6, 0)                // no time has passed
	f(25_001, 1e7, time.Second) // the sender may bound it further
}
