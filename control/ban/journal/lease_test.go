package journal

import (
	"testing"
	"time"
)

// TestLeases restarts after some time in both clocks, and holds what is left to what it should be.
func TestLeases(t *testing.T) {
	const lease = 30 * time.Minute
	f := func(name string, wall, boot time.Duration, reboot bool, want time.Duration) {
		t.Helper()
		d, clock := newMemDisk(), stillClock()
		j, _ := mustOpen(t, d, clock, Options{})
		mustIntend(t, j, route(1))
		mustClose(t, j)
		clock.wall += int64(wall)
		clock.boot += int64(boot)
		if reboot {
			clock.boot, clock.id = int64(boot), "boot-2"
		}
		j, r := mustOpen(t, d, clock, Options{})
		if want <= 0 {
			if len(r.Routes) != 0 || len(r.Expired) != 1 {
				t.Errorf("%s: %+v", name, r)
			}
		} else if len(r.Routes) != 1 || r.Routes[0].Lease != want {
			t.Errorf("%s: %+v, not %v", name, r.Routes, want)
		}
		mustClose(t, j)
		_, again := mustOpen(t, d, clock, Options{})
		expect(t, again, r.Routes...)
	}
	f("at once", 0, 0, false, lease)
	f("the same boot", time.Minute, time.Minute, false, lease-time.Minute)
	f("the last moment", lease-1, lease-1, false, 1)
	f("ended", lease, lease, false, 0)
	f("long ended", 1000*lease, 1000*lease, false, 0)
	f("the wall clock leapt ahead", time.Hour, time.Minute, false, lease-time.Minute)
	f("the wall clock went back", -time.Hour, time.Minute, false, lease-time.Minute)
	f("it went back, and the lease ended", -time.Hour, lease, false, 0)
	f("a snapshot of the machine", 0, -time.Minute, false, lease)

	f("a reboot", 5*time.Minute, time.Minute, true, lease-5*time.Minute)
	f("a reboot, ended", lease, time.Minute, true, 0)
	f("a reboot, the wall clock went back", -time.Hour, time.Minute, true, lease)
	f("a reboot, the wall clock is at 1970", -1_700_000_000*time.Second, 0, true, lease)
	f("a reboot, the wall clock leapt ahead", time.Hour, time.Minute, true, 0)
	f("a reboot, the boot clock is higher", time.Minute, time.Hour, true, lease-time.Minute)
}

// TestLeaseNeverGrows restarts at random moments, with clock steps and reboots: what is left never
// becomes more, and is used up by time that the boot clock sees.
func TestLeaseNeverGrows(t *testing.T) {
	rng := seeded(t)
	d, clock := newMemDisk(), stillClock()
	j, _ := mustOpen(t, d, clock, Options{})
	mustIntend(t, j, route(1))
	mustClose(t, j)
	for left := route(1).Lease; ; {
		passed := time.Duration(rng.Int64N(int64(time.Minute)))
		step := time.Duration(rng.Int64N(int64(10*time.Minute))) - 5*time.Minute
		clock.wall += int64(passed + step)
		clock.boot += int64(passed)
		reboot := rng.IntN(4) == 0
		if reboot {
			clock.boot, clock.id = int64(passed), clock.id+"'"
		}
		j, r := mustOpen(t, d, clock, Options{})
		mustClose(t, j)
		if len(r.Routes) == 0 {
			return
		}
		got := r.Routes[0].Lease
		if got > left || !reboot && got != left-passed {
			t.Fatalf("%v became %v after %v, reboot %v", left, got, passed, reboot)
		}
		left = got
	}
}

// TestRenewedLease counts from the renewal, in the record as in what is restored.
func TestRenewedLease(t *testing.T) {
	d, clock := newMemDisk(), stillClock()
	j, _ := mustOpen(t, d, clock, Options{})
	mustIntend(t, j, route(1), route(2))
	clock.mu.Lock()
	clock.boot += int64(20 * time.Minute)
	clock.wall += int64(20 * time.Minute)
	clock.mu.Unlock()
	j.Renew(prefix(1), 30*time.Minute)
	j.Renew(prefix(2), 2*MaxLease)
	mustClose(t, j)
	clock.boot += int64(20 * time.Minute)
	_, r := mustOpen(t, d, clock, Options{})
	if len(r.Routes) != 2 || r.Routes[0].Lease != 10*time.Minute ||
		r.Routes[1].Lease != MaxLease-20*time.Minute {
		t.Errorf("%+v", r.Routes)
	}
}
