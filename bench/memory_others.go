//go:build !linux

package bench

// frameMemory returns memory for frames.
func frameMemory(size int) ([]byte, error) { return make([]byte, size), nil }

func freeMemory([]byte) {}
