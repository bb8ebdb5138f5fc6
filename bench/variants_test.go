package bench

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"weir/counters"
)

// BenchmarkTableVariants compares the two ways to find a host's slot that were considered: by
// address, and through a 4-byte index into an arena that fills in order of arrival. Both count
// the same random hosts in bursts of 64 with all prefetching that weir has.
func BenchmarkTableVariants(b *testing.B) {
	for _, hosts := range []uint32{1, 1 << 16, 1 << 20, 10 << 20} {
		random := rand.New(rand.NewPCG(1, uint64(hosts)))
		stream := make([]uint32, 1<<22)
		for i := range stream {
			stream[i] = random.Uint32N(hosts)
		}
		b.Run(fmt.Sprintf("direct/hosts=%d", hosts), func(b *testing.B) {
			countBursts(b, 16<<20, stream, func(host uint32) uint32 { return 2 * host })
		})
		b.Run(fmt.Sprintf("indexed/hosts=%d", hosts), func(b *testing.B) {
			index, used := make([]uint32, 16<<20), uint32(0)
			countBursts(b, 16<<20, stream, func(host uint32) uint32 {
				if index[host] == 0 {
					used++
					index[host] = used
				}
				return index[host]
			})
		})
	}
}

// countBursts counts a packet for each host of stream, whose slot number place tells.
func countBursts(b *testing.B, hosts uint32, stream []uint32, place func(uint32) uint32) {
	network := netip.PrefixFrom(netip.AddrFrom4([4]byte{10}), 32)
	for n := hosts; n > 1; n /= 2 {
		network = netip.PrefixFrom(network.Addr(), network.Bits()-1)
	}
	l, err := counters.NewLayout([]netip.Prefix{network}, 1, 1<<34)
	if err != nil {
		b.Fatal(err)
	}
	m := &counters.Memory{}
	defer m.Close()
	table, err := counters.NewTable(m, l)
	if err != nil {
		b.Fatal(err)
	}
	var ops [64]counters.Op
	var expired [64]uint8
	at := 0
	for b.Loop() {
		for i := range ops {
			line := counters.Line(place(stream[at]))
			ops[i] = counters.Op{Line: line, Hash: uint32(at), Bytes: 60}
			at = (at + 1) & (len(stream) - 1)
		}
		table.Prefetch(ops[:])
		table.PrefetchBitmaps(ops[:])
		for _, i := range table.Count(ops[:], 0, expired[:0]) {
			table.Touch(ops[i].Line, 0)
			table.Slot(ops[i].Line).Arm(1 << 30)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/64, "ns/packet")
}
