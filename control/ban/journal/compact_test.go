package journal

import (
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// grown is a journal of four routes that the next record makes too large.
func grown(t *testing.T) (*memDisk, *Journal) {
	t.Helper()
	d := newMemDisk()
	j, _ := mustOpen(t, d, runningClock(), Options{CompactBytes: 4000})
	for n := 0; j.State().Bytes < 3700; n++ {
		mustIntend(t, j, route(n%4))
	}
	if s := j.State(); s.Compactions > 0 || s.Bytes > 4000 {
		t.Fatalf("state %+v", s)
	}
	return d, j
}

// TestCompactionCrash is killed and loses power at every change of the disk in a compaction, and
// finds the same routes each time: in the old file or in the new one, whole.
func TestCompactionCrash(t *testing.T) {
	rng := seeded(t)
	d, j := grown(t)
	step := 1
	if testing.Short() {
		step = 13
	}
	all := func(n int) (cuts []int) {
		for at := 0; at < n; at += step {
			cuts = append(cuts, at)
		}
		return cuts
	}
	var mu sync.Mutex
	var left []*memDisk
	d.cuts = all
	d.hook = func() {
		mu.Lock()
		defer mu.Unlock()
		left = append(left, d.killed(), d.cutOff(rng), d.cutOff(rng))
	}
	mustIntend(t, j, route(0))
	mustClose(t, j)
	if s := j.State(); s.Compactions != 1 || s.Records != 4 {
		t.Errorf("state %+v", s)
	}
	old, anew := 0, 0
	for _, after := range left {
		if len(after.journal()) > 3000 {
			old++
		} else {
			anew++
		}
		hasPrefixes(t, after, "a crash", 0, 1, 2, 3)
		if slices.Contains(mustList(t, after), tempName) {
			hasPrefixes(t, after, "a crash with the temporary file", 0, 1, 2, 3)
		}
	}
	if old < 3000/step || anew < 4 {
		t.Errorf("%d crashes found the old file, %d the new one", old, anew)
	}
}

// TestCompactionDropsExpired writes no lease that has ended; its route stays known until it is
// withdrawn.
func TestCompactionDropsExpired(t *testing.T) {
	clock := stillClock()
	j, _ := mustOpen(t, newMemDisk(), clock, Options{CompactBytes: 4000})
	brief := route(9)
	brief.Lease = time.Second
	mustIntend(t, j, brief)
	clock.mu.Lock()
	clock.boot += int64(time.Second)
	clock.mu.Unlock()
	for n := 0; j.State().Bytes < 3700; n++ {
		mustIntend(t, j, route(n%4))
	}
	mustIntend(t, j, route(0))
	mustClose(t, j)
	if s := j.State(); s.Compactions != 1 || s.Records != 4 || s.Routes != 5 {
		t.Errorf("state %+v", s)
	}
}

func mustList(t *testing.T, d disk) []string {
	t.Helper()
	names, err := d.list()
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestCompactionStopsAnywhere makes one operation after the other of a compaction fail: nothing is
// lost, and the journal takes intents again at the latest after its pause.
func TestCompactionStopsAnywhere(t *testing.T) {
	for at := 0; ; at++ {
		seen := 0
		synctest.Test(t, func(t *testing.T) {
			d, j := grown(t)
			var fault faults
			d.fail = fault.fail
			began := false
			fault.set(func(op, _ string) error {
				if began = began || op == "create"; !began {
					return nil
				}
				if seen++; seen == at+1 {
					return syscall.EIO
				}
				return nil
			})
			mustIntend(t, j, route(0))
			synctest.Wait()
			fault.heal()
			hasPrefixes(t, d, "after the fault", 0, 1, 2, 3)
			pause(j)
			mustIntend(t, j, route(4))
			mustClose(t, j)
			hasPrefixes(t, d, "closed", 0, 1, 2, 3, 4)
		})
		if t.Failed() {
			t.Fatalf("operation %d", at)
		}
		if seen <= at {
			return
		}
	}
}
