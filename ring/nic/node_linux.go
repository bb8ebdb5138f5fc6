package nic

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// nodesRoot is where the kernel shows the machine's NUMA nodes.
const nodesRoot = "/sys/devices/system/node"

// Node returns the NUMA node that the interface hangs on, or -1 where it is on none, or the kernel
// does not tell: virtual interfaces have no such file, and machines with one node say -1.
func (h *Handle) Node(i *Interface) int {
	s := &sysfs{root: sysfsRoot, name: i.Name, index: i.Index}
	if s.shows() != nil {
		return -1
	}
	text, err := os.ReadFile(sysfsFile(i.Name, "device/numa_node"))
	if err != nil {
		return -1
	}
	node, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return -1
	}
	return node
}

// OnNode calls f so that memory which it touches first is on a NUMA node: by the thread's policy,
// or, where that is refused, on cores of the node. Where the node is not known, has no memory left
// or cannot be reached, the memory is wherever the kernel puts it.
func OnNode(node int, f func()) {
	const mostNodes = 1024
	if node < 0 || node >= mostNodes {
		f()
		return
	}
	runtime.LockOSThread()
	var nodes unix.CPUSet // a set of bits like any other
	nodes.Set(node)
	if unix.SetMemPolicy(unix.MPOL_PREFERRED, &nodes) != nil {
		runtime.UnlockOSThread()
		onCores(coresOf(nodesRoot, node), f)
		return
	}
	defer func() {
		if unix.SetMemPolicy(unix.MPOL_DEFAULT, nil) == nil { // else the thread ends with its work
			runtime.UnlockOSThread()
		}
	}()
	f()
}

// onCores calls f on those of cores that are allowed, if there are any.
func onCores(cores []int, f func()) {
	var before, there unix.CPUSet
	if len(cores) == 0 || unix.SchedGetaffinity(0, &before) != nil {
		f()
		return
	}
	for _, c := range cores {
		if before.IsSet(c) {
			there.Set(c)
		}
	}
	if there.Count() == 0 || there == before {
		f()
		return
	}
	runtime.LockOSThread()
	if unix.SchedSetaffinity(0, &there) != nil {
		runtime.UnlockOSThread()
		f()
		return
	}
	defer func() {
		if unix.SchedSetaffinity(0, &before) == nil {
			runtime.UnlockOSThread()
		}
	}()
	f()
}

// coresOf returns the cores of a node, none where there is no such node.
func coresOf(root string, node int) []int {
	if node < 0 {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(root, "node"+strconv.Itoa(node), "cpulist"))
	if err != nil {
		return nil
	}
	return coreList(strings.TrimSpace(string(text)))
}

// coreList reads the kernel's way to write a set of cores: 0,2-5.
func coreList(list string) (cores []int) {
	const most = 1 << 13 // of cores that a kernel can be built for
	for part := range strings.SplitSeq(list, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil || from < 0 || to >= most {
			return nil
		}
		for c := from; c <= to; c++ {
			cores = append(cores, c)
		}
	}
	return cores
}
