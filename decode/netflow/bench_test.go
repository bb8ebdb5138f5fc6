package netflow

import (
	"testing"

	"weir/decode"
	"weir/decode/netflow/netflowtest"
)

// workload is one of F1 to F3: what tells its template, if any, and a datagram.
type workload struct {
	name           string
	template, data []byte
	records        int
}

func workloads() []workload {
	h := netflowtest.Header{Domain: 1, Uptime: 3_600_000, Seconds: 1_767_323_044, Seq: 1}
	flows := netflowtest.Flows(1, 30)
	return []workload{
		{"F1", netflowtest.F1Template(nil, h), netflowtest.F1(nil, h, flows[:25]), 25},
		{"F2", netflowtest.F2Template(nil, h), netflowtest.F2(nil, h, flows[:25]), 25},
		{"F2b", netflowtest.F2bTemplate(nil, h), netflowtest.F2b(nil, h, flows[:19]), 19},
		{"F3", nil, netflowtest.F3(nil, h, flows), 30},
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, w := range workloads() {
		for want, name := range map[Fields]string{Counted: "counted", All: "all"} {
			b.Run(w.name+"/"+name, func(b *testing.B) {
				d := NewDecoder(NewCache(Limits{}), want, nil)
				out := make([]decode.Record, 64)
				read(d, out, w.template)
				a := decode.Arrival{Payload: w.data, Source: decode.AddrFrom4(1), Time: 1e18}
				b.ReportAllocs()
				b.SetBytes(int64(len(w.data)))
				for b.Loop() {
					d.Begin(&a)
					n := d.Next(out)
					if n != w.records || d.Next(out) != 0 {
						b.Fatal(n)
					}
				}
				per := float64(b.Elapsed().Nanoseconds()) / float64(b.N) / float64(w.records)
				b.ReportMetric(per, "ns/record")
			})
		}
	}
}

// read decodes one datagram from a test's exporter.
func read(d *Decoder, out []decode.Record, payload []byte) int {
	a := decode.Arrival{Payload: payload, Source: decode.AddrFrom4(1), Time: 1e18}
	d.Begin(&a)
	return d.Next(out)
}

// BenchmarkCalibration is what the machine does at the moment: 1000 multiplications, each of the
// result of the one before, of 3 cycles each on the processors of today.
func BenchmarkCalibration(b *testing.B) {
	x := uint64(3)
	for b.Loop() {
		for range 1000 {
			x *= x | 5
		}
	}
	sink = x
}

var sink uint64
