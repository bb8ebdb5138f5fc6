package daemon

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"
)

func TestHugeBytes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rollup")
	text := "7f00-7fff ---p 00000000 00:00 0 [rollup]\nRss:  9000 kB\n" +
		"AnonHugePages:      4096 kB\nPrivate_Hugetlb:    2048 kB\nShmemPmdMapped: 7 kB\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := hugeBytes(path); got != 6<<20 {
		t.Error(got)
	}
	if got := hugeBytes(path + "no"); got != 0 {
		t.Error(got)
	}
}

// TestTameCollector leaves to an operator what the environment says.
func TestTameCollector(t *testing.T) {
	percent := debug.SetGCPercent(123)
	limit := debug.SetMemoryLimit(2 << 30)
	defer func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) }()
	tameCollector(func(string) string { return "off" })
	if p, l := debug.SetGCPercent(123), debug.SetMemoryLimit(-1); p != 123 || l != 2<<30 {
		t.Errorf("changed to %d, %d", p, l)
	}
	tameCollector(func(string) string { return "" })
	if p, l := debug.SetGCPercent(123), debug.SetMemoryLimit(-1); p != gcPercent || l != gcLimit {
		t.Errorf("%d, %d", p, l)
	}
}

func TestMergers(t *testing.T) {
	for _, c := range []struct{ workers, cpus, want int }{
		{1, 2, 0}, {1, 4, 2}, {16, 32, 3}, {8, 4, 0},
	} {
		if got := mergers(c.workers, c.cpus); got != c.want {
			t.Errorf("%d workers on %d CPUs: %d mergers, not %d", c.workers, c.cpus, got, c.want)
		}
	}
}
