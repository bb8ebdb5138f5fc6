package bench

import (
	"fmt"
	"strings"

	"weir/tools/blast"
	"weir/tools/lab"
)

// Wire is a workload as a lab's generator makes it: one frame, and what differs from frame to
// frame. Checksums are those of the first.
type Wire struct {
	Name    string
	Frame   []byte
	Patches []lab.Patch
	Home    string // the prefix that its hosts are in, and no sources
}

// Offsets in the frames of W1 to W4.
const (
	wireSrc   = blast.EthernetLen + 12
	wireDst   = blast.EthernetLen + 16
	wirePorts = blast.EthernetLen + blast.IPv4Len
	wireSeq   = wirePorts + 4
)

// WireNames are the workloads that Wire knows.
func WireNames() []string { return []string{"W1", "W2", "W3", "W4"} }

// FindWire returns the workload with that name. Sources are anywhere in the upper half of IPv4's
// addresses, hosts and ports as blast.Workload has them.
func FindWire(name string) (w Wire, err error) {
	from, err := blast.Find(name)
	if err != nil {
		return w, err
	}
	frame := make([]byte, from.MaxLen)
	w = Wire{Name: name, Frame: frame[:from.Frames().Next(frame)]}
	random := func(offset int, base, mask uint32) lab.Patch {
		return lab.Patch{Offset: offset, Width: 4, Base: base, Mask: mask, Random: true}
	}
	w.Patches = []lab.Patch{random(wireSrc, 1<<31, 1<<31-1)}
	const ten = 10 << 24
	switch name {
	case "W1":
		w.Home = "10.0.0.0/16"
		w.Patches = append(w.Patches, random(wirePorts, 0, 1<<32-1))
	case "W2":
		w.Home = "10.9.0.0/16"
		w.Patches = append(w.Patches, random(wirePorts, 0, 1<<32-1),
			random(wireDst, ten|9<<16, 1<<16-1))
	case "W3":
		w.Home = "10.16.0.0/12"
		w.Patches = append(w.Patches, random(wirePorts, 0, 1<<32-1),
			random(wireDst, ten|1<<20, 1<<20-1))
	case "W4":
		w.Home = "10.0.0.0/16"
		port := random(wirePorts, 0, 1<<16-1)
		port.Width = 2
		w.Patches = append(w.Patches, port, random(wireSeq, 0, 1<<32-1))
	default:
		return w, fmt.Errorf("find workload %q for a veth: it is none of %s", name,
			strings.Join(WireNames(), ", "))
	}
	return w, nil
}
