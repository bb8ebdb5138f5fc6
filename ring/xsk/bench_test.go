package xsk_test

import (
	"slices"
	"testing"
	"time"

	"weir/ring"
	"weir/ring/ringtest"
)

// BenchmarkPollRelease measures user space's half alone, in bursts of 64: the rx ring is filled
// off the clock, then drained. Sizes are numbers of frames; 32768 of 2048 bytes are a cold set of
// 64 MiB, of which only descriptors are touched here.
func BenchmarkPollRelease(b *testing.B) {
	for _, size := range []struct {
		name   string
		frames int
	}{{"4096", 4096}, {"32768", 32768}} {
		b.Run(size.name, func(b *testing.B) {
			k, err := ringtest.NewKernel(ringtest.Config{
				Frames: size.frames,
				Clock:  func() int64 { return 1 },
			})
			if err != nil {
				b.Fatal(err)
			}
			k.Place(func([]byte) int { return 60 })
			benchmarkDrain(b, k, size.frames)
		})
	}
}

func benchmarkDrain(b *testing.B, k *ringtest.Kernel, frames int) {
	q := k.Queue()
	var batch ring.Batch
	spent := make([]time.Duration, 0, 1<<16)
	b.ReportAllocs()
	for b.Loop() {
		if got := k.Burst(frames); got != frames {
			b.Fatalf("delivered %d of %d", got, frames)
		}
		start := time.Now()
		for {
			n, err := q.Poll(&batch)
			if err != nil {
				b.Fatal(err)
			}
			if n == 0 {
				break
			}
			q.Release(&batch)
		}
		spent = append(spent, time.Since(start))
	}
	// The median, since a machine that is shared takes the thread away now and then.
	slices.Sort(spent)
	b.ReportMetric(float64(spent[len(spent)/2].Nanoseconds())/float64(frames), "ns/packet")
}

// BenchmarkBurst is the whole loop with the fake kernel's half, as other packages use it.
func BenchmarkBurst(b *testing.B) {
	k, err := ringtest.NewKernel(ringtest.Config{})
	if err != nil {
		b.Fatal(err)
	}
	k.Place(func([]byte) int { return 60 })
	q := k.Queue()
	var batch ring.Batch
	b.ReportAllocs()
	packets := 0
	for b.Loop() {
		k.Burst(ring.BurstSize)
		n, err := q.Poll(&batch)
		if err != nil {
			b.Fatal(err)
		}
		packets += n
		q.Release(&batch)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(packets), "ns/packet")
}
