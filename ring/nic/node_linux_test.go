package nic

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"unsafe"

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

// TestOnNode runs what it is given once, and leaves the thread as it was. A veth hangs on no node.
func TestOnNode(t *testing.T) {
	runtime.LockOSThread() // both look at this thread
	defer runtime.UnlockOSThread()
	var before, inside, after unix.CPUSet
	f := func(what string, run func(f func())) {
		t.Helper()
		ran := 0
		_ = unix.SchedGetaffinity(0, &before)
		run(func() { ran++; _ = unix.SchedGetaffinity(0, &inside) })
		_ = unix.SchedGetaffinity(0, &after)
		if ran != 1 || before != after || inside.Count() == 0 {
			t.Errorf("%s: ran %d times, on %v, %v, %v", what, ran, before, inside, after)
		}
		if mode := policy(t); mode != unix.MPOL_DEFAULT {
			t.Errorf("%s: the thread's policy is %d", what, mode)
		}
	}
	for _, node := range []int{-1, 0, 999, 4711} {
		f(fmt.Sprint("node ", node), func(f func()) { OnNode(node, f) })
	}
	mode := -1
	OnNode(0, func() { mode = policy(t) })
	if mode != unix.MPOL_PREFERRED {
		t.Logf("the kernel refuses a policy: %d", mode)
	}
	f("cores", func(f func()) { onCores([]int{0}, f) })
	if !inside.IsSet(0) || inside.Count() != 1 {
		t.Errorf("ran on %v", inside)
	}
	f("no cores", func(f func()) { onCores([]int{1023}, f) })
	l := lab.New(t, lab.Options{})
	h := open(t, l)
	i := find(t, h, "mirror0")
	if got := h.Node(&i); got != -1 {
		t.Error("node of a veth:", got)
	}
}

// policy returns how the thread's memory is placed, of MPOL.
func policy(t *testing.T) (mode int) {
	t.Helper()
	_, _, errno := unix.Syscall6(unix.SYS_GET_MEMPOLICY, uintptr(unsafe.Pointer(&mode)), 0, 0, 0,
		0, 0)
	if errno != 0 {
		t.Skip("this kernel has no NUMA: ", errno)
	}
	return mode & 0xff
}
