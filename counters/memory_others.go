//go:build !linux || race

package counters

// mapMemory takes tables from the Go heap: one pointer-free object each, which the collector
// does not scan, and which the race detector watches.
func mapMemory(size int) ([]byte, error) {
	words := make([]uint64, (size+7)/8) // uint64 for the alignment of every element type
	return bytesOf(words)[:size], nil
}

func unmapMemory([]byte) error { return nil }
