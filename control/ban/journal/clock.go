package journal

import (
	"crypto/rand"
	"time"
)

// Clock tells the time in two ways, and which boot the second one counts from.
type Clock interface {
	// Wall returns nanoseconds since 1970 UTC; it may step.
	Wall() int64
	// Boot returns nanoseconds since BootID's boot: never backwards, suspended time included.
	Boot() int64
	// BootID returns at most 64 bytes, the same for as long as Boot goes on.
	BootID() string
}

// SystemClock returns the machine's. Where the boot-time clock cannot be had it counts from now, as
// a boot of its own: leases then go by the wall clock across a restart.
func SystemClock() Clock {
	c := systemClock{id: bootID(), start: time.Now()}
	if _, ok := sinceBoot(); !ok || c.id == "" {
		c.id, c.own = rand.Text(), true
	}
	return c
}

type systemClock struct {
	id    string
	start time.Time
	own   bool // counts from start
}

func (c systemClock) Wall() int64    { return time.Now().UnixNano() }
func (c systemClock) BootID() string { return c.id }

func (c systemClock) Boot() int64 {
	if !c.own {
		if ns, ok := sinceBoot(); ok {
			return ns
		}
	}
	return int64(time.Since(c.start))
}

func now(c Clock) stamp { return stamp{c.Wall(), c.Boot(), c.BootID()} }
