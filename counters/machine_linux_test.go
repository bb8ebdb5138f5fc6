package counters

import (
	"os"
	"path/filepath"
	"testing"
)

func TestGroupMemory(t *testing.T) {
	root := t.TempDir()
	write := func(dir, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, dir, "memory.max"), []byte(text),
			0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("a", "4096\n")
	write("a/b", "8192\n")
	write("a/b/c", "max\n")
	write("d", "garbage\n")
	f := func(group string, want uint64) {
		t.Helper()
		if got := groupMemory(root, group); got != want {
			t.Errorf("groupMemory(%q) = %d, want %d", group, got, want)
		}
	}
	f("/a/b/c", 4096)
	f("/a", 4096)
	f("/", ^uint64(0))
	f("/d", ^uint64(0))
	f("/none", ^uint64(0))
}

func TestMachineMemory(t *testing.T) {
	total, err := MachineMemory()
	if err != nil {
		t.Fatal(err)
	}
	if total < 64<<20 || total > 1<<50 {
		t.Errorf("the machine has %d bytes", total)
	}
	budget, err := DefaultBudget()
	if err != nil || budget == 0 || budget > total/4 {
		t.Errorf("budget %d of %d bytes: %v", budget, total, err)
	}
}
