package nic

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"weir/tools/lab"
)

func TestCoreList(t *testing.T) {
	f := func(list string, want ...int) {
		t.Helper()
		if got := coreList(list); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", list, got, want)
		}
	}
	f("0", 0)
	f("0,2-4", 0, 2, 3, 4)
	f("")
	f("x-2")
	f("0-99999999")
	f("-1")
}

func TestCoresOf(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "node1"), 0o700); err != nil {
		t.Fatal(err)
	}
	err := os.WriteFile(filepath.Join(root, "node1", "cpulist"), []byte("8-11\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if got := coresOf(root, 1); !slices.Equal(got, []int{8, 9, 10, 11}) {
		t.Error(got)
	}
	if got := append(coresOf(root, 0), coresOf(root, -1)...); got != nil {
		t.Error(got)
	}
}

// TestOnNode leaves the thread as it was. A veth hangs on no node.
func TestOnNode(t *testing.T) {
	var before, inside, after unix.CPUSet
	for _, node := range []int{-1, 0, 4711} {
		ran := 0
		_ = unix.SchedGetaffinity(0, &before)
		OnNode(node, func() { ran++; _ = unix.SchedGetaffinity(0, &inside) })
		_ = unix.SchedGetaffinity(0, &after)
		if ran != 1 || before != after || inside.Count() == 0 {
			t.Errorf("node %d: ran %d times, on %v, %v, %v", node, ran, before, inside, after)
		}
	}
	l := lab.New(t, lab.Options{})
	h := open(t, l)
	i := find(t, h, "mirror0")
	if got := h.Node(&i); got != -1 {
		t.Error("node of a veth:", got)
	}
}
