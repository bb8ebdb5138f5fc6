package bench

import (
	"fmt"
	"math"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"weir/control/rate"
	"weir/tools/blast"
)

// BenchmarkFlowSecond is what the control loop does each second for 65,536 hosts of which F1's
// records tell: merging, and spreading the records over the seconds that their flows took. Both are
// per host, however many records there are.
func BenchmarkFlowSecond(b *testing.B) {
	w, err := blast.FindExports("F1")
	if err != nil {
		b.Fatal(err)
	}
	for _, perSecond := range []int{100_000, 400_000} {
		b.Run(fmt.Sprintf("records=%d", perSecond), func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			f := &flows{source: newDatagrams(&w, false), config: FlowsConfig{
				Workload: w, Stage: StageCount, Groups: 1,
				Networks: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")},
			}}
			if err := f.prepare(); err != nil {
				b.Fatal(err)
			}
			defer f.tables.memory.Close()
			f.tables.flipped = math.MaxInt64 / 2 // we flip
			spread := rate.NewSpreader(f.tables.layout)
			second := func() (merge, spreading time.Duration) {
				if _, _, err := f.run(perSecond); err != nil {
					b.Fatal(err)
				}
				begin := threadTime()
				if err := f.tables.flip(f.worker); err != nil {
					b.Fatal(err)
				}
				merge = threadTime() - begin
				begin = threadTime()
				spread.Second(f.tables.merger, int64(time.Second))
				return merge, threadTime() - begin
			}
			for range 70 { // flows take up to a minute
				second()
			}
			full := spread.Full
			var merge, spreading time.Duration
			for b.Loop() {
				m, s := second()
				merge, spreading = merge+m, spreading+s
			}
			n := float64(b.N) * 1e6
			b.ReportMetric(float64(merge.Nanoseconds())/n, "merge-ms/s")
			b.ReportMetric(float64(spreading.Nanoseconds())/n, "spread-ms/s")
			b.ReportMetric(float64(f.tables.merger.Len()), "hosts")
			b.ReportMetric(float64(spread.Held()), "held")
			b.ReportMetric(float64(spread.Full-full)/float64(b.N), "full/s")
		})
	}
}
