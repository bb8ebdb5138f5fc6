package rate

import (
	"net/netip"
	"testing"

	"weir/counters"
)

// BenchmarkSpread is a second of 131,072 hosts, each with one new record, and with shares left of
// flows of 10 and 60 seconds. Records come in no order, and in another one each second.
func BenchmarkSpread(b *testing.B) {
	const hosts = 1 << 17
	m := &counters.Memory{}
	defer m.Close()
	nets := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/12")}
	l, err := counters.NewFlowLayout(nets, 1, 4<<30)
	if err != nil {
		b.Fatal(err)
	}
	table, err := counters.NewTable(m, l)
	if err != nil {
		b.Fatal(err)
	}
	g, err := counters.NewMerger(m, l)
	if err != nil {
		b.Fatal(err)
	}
	s := NewSpreader(l)
	ops := make([]counters.FlowOp, 64)
	second := func(n uint32) {
		for at := uint32(0); at < hosts; at += uint32(len(ops)) {
			for i := range ops {
				host := ((at+uint32(i))*(2*n+40503) + n) % hosts
				ops[i] = counters.FlowOp{
					Packets: 1000, Bytes: 100_000, Samples: 1000, Rate: 1,
					Milli: []uint32{0, 10_000, 60_000}[(host+n)%3], Slot: 2 * host,
				}
			}
			table.CountFlows(ops, 0)
		}
		b.StartTimer()
		g.Add(table, 1)
		s.Second(g, Second)
		g.Sort()
		g.Reset(0)
		b.StopTimer()
	}
	b.StopTimer()
	for n := range uint32(20) {
		second(n)
	}
	b.ResetTimer()
	b.ReportAllocs()
	for n := range uint32(b.N) {
		second(n)
	}
	b.ReportMetric(float64(s.Held()), "held")
}
