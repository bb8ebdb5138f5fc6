package daemon

import (
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"weir/control"
	"weir/fastpath"
)

// How Go collects garbage, unless its environment variables say otherwise. Tables and frames are
// outside its heap, which is some tens of megabytes and allocated on by the control plane alone.
// Each collection takes a quarter of the Ps while it lasts and stops the workers twice; with twice
// the live memory's worth of garbage in between there are half as many as with Go's own once. The
// limit is far above what a sound weir takes: it keeps a faulty one from being killed for its
// memory at once.
const (
	gcPercent = 200 // of live memory, before the next collection
	gcLimit   = 1 << 30
)

// tameCollector sets how garbage is collected.
func tameCollector(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(gcLimit)
	}
}

// makeRoom keeps the process off the cores of workers, and lets the control plane run beside
// them.
func (d *Daemon) makeRoom(inputs []control.Input) {
	var cores []int
	for i := range inputs {
		if inputs[i].Core >= 0 {
			cores = append(cores, inputs[i].Core)
		}
	}
	if err := fastpath.KeepOff(cores); err != nil {
		d.log.Warn("leave the workers' cores", "error", err)
	}
	fastpath.Room(len(inputs))
	tameCollector(os.Getenv)
}

// mostMergers is how many cores help the loop to merge at most: beyond, their memory is what binds.
const mostMergers = 3

// mergers returns how many cores may help the loop to merge: those that neither a worker nor the
// loop needs.
func mergers(workers, cpus int) int { return max(0, min(mostMergers, cpus-workers-1)) }

// hugeBytes returns how much of this process's memory is in huge pages, by a file like the
// kernel's smaps_rollup; 0 where that is not there. It takes milliseconds for gigabytes.
func hugeBytes(path string) (bytes uint64) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) != 3 || words[2] != "kB" {
			continue
		}
		n, err := strconv.ParseUint(words[1], 10, 64)
		if err == nil && (words[0] == "AnonHugePages:" || words[0] == "Private_Hugetlb:") {
			bytes += n << 10
		}
	}
	return bytes
}
