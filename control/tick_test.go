package control

import (
	"net/netip"
	"runtime"
	"testing"
	"time"

	"weir/control/ban"
	"weir/control/capture"
	"weir/control/detect"
	"weir/control/rate"
	"weir/counters"
	"weir/decode"
	"weir/ring/ringtest"
)

type silent struct{}

func (silent) Event(*ban.Event, *capture.Evidence) {}

// crowd is an engine whose worker has counted hosts active hosts in this second.
type crowd struct {
	*Engine
	now int64
}

func newCrowd(tb testing.TB, network string) *crowd {
	tb.Helper()
	var limits detect.Thresholds
	for d := range limits {
		for m, v := range map[rate.Metric]uint64{rate.PPS: 20000, rate.BPS: 1e9, rate.FPS: 3500} {
			limits[d].Value[m], limits[d].Set[m] = v, true
		}
	}
	source := ringtest.NewSource()
	source.End = nil
	c := Config{
		Policy: detect.Policy{
			Networks: []netip.Prefix{netip.MustParsePrefix(network)},
			Groups:   []detect.Hostgroup{{Name: detect.Global, Thresholds: limits}},
		},
		Ban:     ban.Config{Time: time.Minute, Quiet: 10 * time.Second, DryRun: true},
		Decoder: &decode.Decoder{},
		Inputs:  []Input{{Source: source}},
		Memory:  4 << 30, Seed: 1, Start: start,
	}
	e, err := NewEngine(c, silent{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := e.Close(); err != nil {
			tb.Error(err)
		}
	})
	return &crowd{e, start}
}

// fill counts packets of several flows for every host, incoming.
func (c *crowd) fill(hosts, packets uint32) {
	t := c.views[0].workers[0].epoch.Table
	var expired [1]uint8
	for i := range hosts {
		for p := range packets {
			op := counters.Op{Line: counters.Line(2 * i), Hash: (i + p*7) * 0x9e3779b1, Bytes: 60,
				Class: counters.UDP}
			if len(t.Count([]counters.Op{op}, 0, expired[:0])) > 0 {
				t.Touch(op.Line, c.now)
				t.Slot(op.Line).Arm(1 << 20)
			}
		}
	}
}

// second lets a second pass.
func (c *crowd) second() {
	c.now += rate.Second
	c.at(c.now, func() {
		for _, w := range c.views[0].workers {
			if _, err := w.Step(); err != nil {
				panic(err)
			}
		}
	})
}

func TestTickNoAllocs(t *testing.T) {
	c := newCrowd(t, "10.0.0.0/18")
	c.fill(1<<14, 3)
	c.second()
	if n := testing.AllocsPerRun(10, func() {
		c.fill(1<<14, 3)
		c.second()
	}); n != 0 {
		t.Errorf("a second allocates %v times", n)
	}
	if c.views[0].merged != 1<<14 {
		t.Errorf("%d hosts merged, want %d", c.views[0].merged, 1<<14)
	}
}

// BenchmarkTick measures the merge of one worker's second and its detection.
func BenchmarkTick(b *testing.B) {
	f := func(name string, hosts, packets uint32) {
		b.Run(name, func(b *testing.B) {
			c := newCrowd(b, "10.0.0.0/12")
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				c.fill(hosts, packets)
				b.StartTimer()
				c.second()
			}
			if c.views[0].merged != int(hosts) {
				b.Fatalf("%d hosts merged, want %d", c.views[0].merged, hosts)
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/tick")
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.HeapAlloc)/(1<<20), "heap-MiB")
		})
	}
	f("hosts=1M", 1<<20, 1)
	f("hosts=1M,flows=14", 1<<20, 14)
}
