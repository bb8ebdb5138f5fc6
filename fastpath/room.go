package fastpath

import "runtime"

// Room gives each of so many workers a P of Go's scheduler, which their sources keep while they
// sleep, and leaves two: one for a mark worker of the collector, which would take a worker's
// otherwise.
func Room(workers int) {
	if want := workers + 2; runtime.GOMAXPROCS(0) < want {
		runtime.GOMAXPROCS(want)
	}
}
