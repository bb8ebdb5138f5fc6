//go:build !linux

package bench

import "time"

// threadTime is wall time here: run the benchmark on an idle machine.
func threadTime() time.Duration { return time.Since(processStart) }

var processStart = time.Now()
