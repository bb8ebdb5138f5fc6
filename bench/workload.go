// Package bench measures weir: each scenario prints one number per workload, with the facts of
// the machine beside it. CPU time, not wall time; medians of several runs; nothing allocated.
package bench

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// Workload is a stream of frames with a fixed seed: what arrives on the wire, without FCS.
type Workload struct {
	Name string
	Text string // one line for people
	// frame writes frame i into buf and returns its length.
	frame func(r *rand.Rand, buf []byte) int
}

// home is the network that every workload attacks; sources lie outside.
const home = 10 << 24

// Workloads are the packet workloads, in the order of their names.
func Workloads() []Workload {
	return []Workload{
		{"W1", "64 B UDP to one host, random sources and ports", flood(1)},
		{"W2", "64 B UDP to 65,536 hosts, random sources and ports", flood(1 << 16)},
		{"W3", "64 B UDP to 1,048,576 hosts, random sources and ports", flood(1 << 20)},
		{"W4", "64 B TCP SYN flood to one host's port 80, random sources", synFlood},
	}
}

// Find returns the workload with that name.
func Find(name string) (Workload, error) {
	for _, w := range Workloads() {
		if w.Name == name {
			return w, nil
		}
	}
	return Workload{}, fmt.Errorf("find workload %q: it is none of W1 to W4", name)
}

// Generate writes count frames with the workload's fixed seed, frame i at mem[i*stride], and
// returns their lengths.
func (w Workload) Generate(mem []byte, stride, count int) []uint16 {
	r := rand.New(rand.NewPCG(0x77656972, uint64(len(w.Name))))
	lengths := make([]uint16, count)
	for i := range lengths {
		lengths[i] = uint16(w.frame(r, mem[i*stride:(i+1)*stride]))
	}
	return lengths
}

// smallFrame is a minimal Ethernet frame without FCS: 64 bytes on the wire.
const smallFrame = 60

// outside returns a random address that is not in 10.0.0.0/8.
func outside(r *rand.Rand) uint32 {
	for {
		if ip := r.Uint32(); ip>>24 != home>>24 {
			return ip
		}
	}
}

func flood(hosts uint32) func(*rand.Rand, []byte) int {
	return func(r *rand.Rand, b []byte) int {
		host := uint32(1)
		if hosts > 1 {
			host = r.Uint32N(hosts)
		}
		const udp = 17
		ipv4(b, outside(r), home|9<<16*uint32(min(1, hosts>>16))|host, udp)
		binary.BigEndian.PutUint16(b[34:], uint16(r.Uint32()))
		binary.BigEndian.PutUint16(b[36:], uint16(r.Uint32()))
		binary.BigEndian.PutUint16(b[38:], smallFrame-34)
		return smallFrame
	}
}

func synFlood(r *rand.Rand, b []byte) int {
	const tcp, syn = 6, 2
	ipv4(b, outside(r), home|1, tcp)
	binary.BigEndian.PutUint16(b[34:], uint16(r.Uint32()))
	binary.BigEndian.PutUint16(b[36:], 80)
	binary.BigEndian.PutUint32(b[38:], r.Uint32())
	b[46], b[47] = 5<<4, syn
	return smallFrame
}

// ipv4 writes Ethernet and IPv4 headers of a smallFrame.
func ipv4(b []byte, src, dst uint32, proto uint8) {
	clear(b[:smallFrame])
	b[5], b[11] = 1, 2
	binary.BigEndian.PutUint16(b[12:], 0x0800)
	b[14], b[22], b[23] = 0x45, 57, proto
	binary.BigEndian.PutUint16(b[16:], smallFrame-14)
	binary.BigEndian.PutUint32(b[26:], src)
	binary.BigEndian.PutUint32(b[30:], dst)
}
