package blast

import (
	"fmt"
	"net/netip"
	"strings"
)

// Workload is an endless stream of frames with a fixed seed, as it arrives at a network's edge.
type Workload struct {
	Name string
	Text string // one line for people
	// Home is the network under attack: Home4 or Home6. The other addresses are outside.
	Home netip.Prefix
	// Hosts is how many addresses of Home appear.
	Hosts int
	// Zipf is the exponent of the hosts' popularity: the k-th has k^-Zipf times the packets of
	// the first. 0: each has as many.
	Zipf float64
	// MaxLen is the length of the longest frame in bytes, without FCS.
	MaxLen int
	// Cycle is how many frames show all that the workload has. When fewer are repeated in a
	// ring, it is a smaller workload: fewer hosts, or fewer flows.
	Cycle int

	seed  uint64
	frame func(f *Frames, b []byte) int
}

// Workloads returns the packet workloads that benchmarks are named by, in their order.
func Workloads() []Workload {
	home4, home6 := Home4(), Home6()
	const small, large, ring = MinFrame, MaxFrame, 1 << 20
	return []Workload{
		{"W1", "64 B UDP to one host, random sources and ports",
			home4, 1, 0, small, ring, 0x10, udpFlood(target)},
		{"W2", "64 B UDP to 65,536 hosts, random sources and ports",
			home4, 1 << 16, 0, small, ring, 0x20, udpFlood(hosts16)},
		{"W3", "64 B UDP to 1,048,576 hosts, random sources and ports",
			home4, 1 << 20, 0, small, ring, 0x30, udpFlood(hosts20)},
		{"W3b", "64 B UDP to 10,000,000 hosts, random sources and ports",
			home4, 10e6, 0, small, 10e6, 0x3b, udpFlood(hosts10M)},
		{"W4", "64 B TCP SYN to port 80 of one host, random sources",
			home4, 1, 0, small, ring, 0x40, (*Frames).synFlood},
		{"W5", "IMIX of 2,000 hosts with Zipf popularity, 20 % outgoing",
			home4, 2000, 1.1, large, 1 << 16, 0x50, (*Frames).imix},
		{"W6", "78 B IPv6 UDP to 65,536 hosts of one /48, random sources and ports",
			home6, 1 << 16, 0, ipv6Frame, ring, 0x60, (*Frames).ipv6},
		{"W6b", "W6 with hop-by-hop and fragment headers",
			home6, 1 << 16, 0, extendedFrame, ring, 0x6b, (*Frames).ipv6Extended},
		{"W7", "W2 behind an 802.1Q tag and two MPLS labels",
			home4, 1 << 16, 0, small + VLANLen + 2*MPLSLen, ring, 0x70, (*Frames).mpls},
		{"W7b", "W2 behind two VLAN tags (802.1ad)",
			home4, 1 << 16, 0, small + 2*VLANLen, ring, 0x7b, (*Frames).qinq},
		{"W7c", "W2 inside GRE and inside L2TP",
			home4, 1 << 16, 0, small + IPv4Len + UDPLen + L2TPLen + PPPLen, ring, 0x7c,
			(*Frames).tunnels},
		{"W8", "64 B fragments to 65,536 hosts, 5 % truncated or malformed, 5 % not IP",
			home4, 1 << 16, 0, small, ring, 0x80, (*Frames).hostile},
	}
}

// Find returns the workload with that name.
func Find(name string) (Workload, error) {
	var names []string
	for _, w := range Workloads() {
		if w.Name == name {
			return w, nil
		}
		names = append(names, w.Name)
	}
	return Workload{}, fmt.Errorf("find workload %q: it is none of %s",
		name, strings.Join(names, ", "))
}

// Generate writes the workload's first count frames, frame i at mem[i*stride], and returns their
// lengths. Other bytes of mem stay as they are. It panics if stride is less than MaxLen or mem
// holds fewer than count frames.
func (w *Workload) Generate(mem []byte, stride, count int) []uint16 {
	if stride < w.MaxLen || count > len(mem)/stride {
		panic(fmt.Sprintf("BUG: blast.Generate: %d frames of %d bytes in %d, %s needs %d each",
			count, stride, len(mem), w.Name, w.MaxLen))
	}
	f := w.Frames()
	lengths := make([]uint16, count)
	for i := range lengths {
		lengths[i] = uint16(f.Next(mem[i*stride : (i+1)*stride]))
	}
	return lengths
}

// Frames returns the workload's frames from the first on.
func (w *Workload) Frames() *Frames { return w.frames(0, 0) }

// frames returns those of another seed than the workload's, which 0 stands for; part is a stream
// of its own to the same hosts, for each of several senders.
func (w *Workload) frames(seed uint64, part int) *Frames {
	if seed != 0 {
		seed = mix(seed)
	}
	seed ^= w.seed
	f := &Frames{
		frame: w.frame, seed: seed, random: newRandom(seed, uint64(part)),
		hosts: newShuffle(uint32(w.Hosts)),
	}
	f.hosts.key = uint32(mix(seed^w.seed) * uint64(part+1) >> 32)
	if seed == w.seed && part == 0 {
		f.hosts.key = 0
	}
	if w.Zipf != 0 {
		f.popular = popularHosts(w.Hosts, w.Zipf)
	}
	return f
}

// Frames is a place in the stream of a Workload.
type Frames struct {
	frame func(f *Frames, b []byte) int
	seed  uint64
	random
	hosts   shuffle
	popular picker
}

// Next implements Stream; b has room for the workload's MaxLen bytes.
func (f *Frames) Next(b []byte) int { return f.frame(f, b) }
