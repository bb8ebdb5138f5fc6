package sflow

import (
	"syscall"
	"testing"

	"weir/decode"
	"weir/decode/sflow/sflowtest"
)

// stream returns datagrams of a workload, as many as are decoded again and again.
func stream(build func(uint32) []byte) [][]byte {
	var all [][]byte
	for n := range uint32(64) {
		all = append(all, build(n))
	}
	return all
}

// cpuNanos returns the processor time that the process has used, which other processes do not
// lengthen by their turns.
func cpuNanos(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkDecode reports ns of processor time by sample; frame is the calibration: the sampled
// frames alone.
func BenchmarkDecode(b *testing.B) {
	b.Run("frame", func(b *testing.B) {
		var d decode.Decoder
		var r decode.Record
		var frames [64][]byte
		for i := range frames {
			frames[i] = sflowtest.Frame(uint32(i))
		}
		i, start := 0, cpuNanos(b)
		for b.Loop() {
			d.Decode(&r, decode.LinkEthernet, frames[i%len(frames)], 1000)
			i++
		}
		b.ReportMetric((cpuNanos(b)-start)/float64(b.N), "cpu-ns/sample")
	})
	for _, w := range []struct {
		name  string
		build func(uint32) []byte
		flows int
	}{{"F4", sflowtest.F4, 7}, {"F4b", sflowtest.F4b, 3}, {"F4c", sflowtest.F4c, 7}} {
		b.Run(w.name+"/counted", func(b *testing.B) { benchmark(b, Counted, w.build, w.flows) })
		b.Run(w.name+"/all", func(b *testing.B) { benchmark(b, All, w.build, w.flows) })
	}
}

func benchmark(b *testing.B, want Fields, build func(uint32) []byte, flows int) {
	d := NewDecoder(want, &decode.Decoder{})
	var out [64]decode.Record
	datagrams := stream(build)
	a := decode.Arrival{}
	i, total := 0, 0
	b.ReportAllocs()
	start := cpuNanos(b)
	for b.Loop() {
		a.Payload = datagrams[i%len(datagrams)]
		d.Begin(&a)
		for n := d.Next(out[:]); n > 0; n = d.Next(out[:]) {
			total += n
		}
		i++
	}
	spent := cpuNanos(b) - start
	if total != flows*b.N {
		b.Fatalf("%d samples of %d", total, flows*b.N)
	}
	b.ReportMetric(spent/float64(total), "cpu-ns/sample")
}
