package netflow

import (
	"slices"
	"testing"
	"time"

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
		for want, name := range []string{Counted: "counted", All: "all"} {
			b.Run(w.name+"/"+name, func(b *testing.B) {
				d := NewDecoder(NewCache(Limits{}), Fields(want), nil)
				out := make([]decode.Record, 64)
				read(d, out, w.template)
				a := arrivalOf(w.data)
				benchmark(b, d, w.records, func(int) *decode.Arrival { return a })
			})
		}
	}
}

// BenchmarkExporters is workload F2c: 100 exporters with 10 templates each.
func BenchmarkExporters(b *testing.B) {
	w := workloads()[1]
	d := NewDecoder(NewCache(Limits{}), Counted, nil)
	var list []decode.Arrival
	for i := range uint32(1000) {
		id := byte(i / 100)
		w.template[headerIPFIX+setHeader+1], w.data[headerIPFIX+1] = id, id
		decodeAll(d, from(w.template, i%100, exported), 1)
		list = append(list, *from(slices.Clone(w.data), i%100, exported))
	}
	benchmark(b, d, w.records, func(i int) *decode.Arrival { return &list[i%len(list)] })
}

// chunk is how many datagrams are timed at once, for the least time beside other work.
const chunk = 20

// benchmark decodes one datagram after another, of so many records each.
func benchmark(b *testing.B, d *Decoder, records int, next func(int) *decode.Arrival) {
	out := make([]decode.Record, 64)
	b.ReportAllocs()
	b.SetBytes(int64(len(next(0).Payload)))
	least, start := time.Hour, time.Now()
	for i := 0; b.Loop(); i++ {
		d.Begin(next(i))
		if n := d.Next(out); n != records || d.Next(out) != 0 {
			b.Fatal(n)
		}
		if i%chunk == chunk-1 {
			now := time.Now()
			least, start = min(least, now.Sub(start)), now
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*records), "ns/record")
	b.ReportMetric(float64(least.Nanoseconds())/float64(chunk*records), "least-ns/record")
}

// read decodes one datagram from a test's exporter.
func read(d *Decoder, out []decode.Record, payload []byte) int {
	d.Begin(arrivalOf(payload))
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
