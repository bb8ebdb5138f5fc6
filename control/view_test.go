package control

import (
	"net/netip"
	"testing"
	"time"

	"weir/control/rate"
	"weir/counters"
	"weir/decode/pcap"
	"weir/ring/ringtest"
	"weir/tools/blast"
)

// twoWorkers is an engine with two workers in the named views, each of which receives a flow of
// pps packets per second to 10.0.3.4.
type twoWorkers struct {
	*Engine
	log
	sources [2]*ringtest.Source
	traffic [2][]ringtest.Frame
	now     int64
}

func newTwoWorkers(
	t *testing.T, views [2]string, pps, limitPPS int, length time.Duration,
) *twoWorkers {
	t.Helper()
	x := &twoWorkers{now: start}
	c := testConfig(limit(rate.PPS, uint64(limitPPS)))
	c.Start, c.Memory = start, 256<<20
	for i := range x.sources {
		x.sources[i] = ringtest.NewSource()
		x.sources[i].End = nil
		c.Inputs = append(c.Inputs, Input{Source: x.sources[i], View: views[i]})
		packets, err := traffic(uint64(i), flow("udp_flood", "10.0.3.4", pps, 0, length)).Packets()
		if err != nil {
			t.Fatal(err)
		}
		for p := (pcap.Packet{}); packets.Next(&p); {
			x.traffic[i] = append(x.traffic[i], ringtest.Frame{
				Time: p.Time, Link: p.Link, Data: append([]byte(nil), p.Data...),
			})
		}
	}
	var err error
	if x.Engine, err = NewEngine(c, &x.log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// run lets time pass on the grid; asleep reports which worker does nothing at a time.
func (x *twoWorkers) run(
	t *testing.T, length time.Duration, asleep func(worker int, at time.Duration) bool,
) {
	t.Helper()
	for end := x.now + int64(length); x.now < end; {
		x.now += Grid
		for i := range x.traffic {
			n := 0
			for n < len(x.traffic[i]) && x.traffic[i][n].Time < x.now {
				n++
			}
			x.sources[i].Add(x.traffic[i][:n]...)
			x.traffic[i] = x.traffic[i][n:]
		}
		step := func() {
			for _, v := range x.views {
				for _, w := range v.workers {
					if asleep(w.Number(), time.Duration(x.now-start)) {
						continue
					}
					for n := 1; n > 0; {
						var err error
						if n, err = w.Step(); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		}
		step()
		x.at(x.now, step)
	}
}

func awake(int, time.Duration) bool { return false }

func TestViewsAreNotAddedUp(t *testing.T) {
	f := func(views [2]string, pps, wantAttacks int) {
		t.Helper()
		x := newTwoWorkers(t, views, pps, 1000, 4*time.Second)
		x.run(t, 4*time.Second, awake)
		if len(x.started) != wantAttacks {
			t.Errorf("%d pps in each of %v: %d attacks, want %d: %v", pps, views, len(x.started),
				wantAttacks, x.lines)
		}
		for _, in := range x.started {
			if view := in.Trigger.View; view != views[0] && view != views[1] {
				t.Errorf("the trigger names view %q of %v", view, views)
			}
		}
	}
	f([2]string{"mirror", "mirror"}, 700, 1)
	f([2]string{"mirror", "mirror"}, 400, 0)
	f([2]string{"mirror", "exporters"}, 700, 0) // the same packets seen twice
	f([2]string{"mirror", "exporters"}, 1300, 1)
}

// TestLateWorker puts one worker to sleep over a tick: its table is left alone until it wakes up,
// and then counts over the time that it took, so that no rate doubles.
func TestLateWorker(t *testing.T) {
	x := newTwoWorkers(t, [2]string{"mirror", "mirror"}, 600, 1400, 6*time.Second)
	x.run(t, 6*time.Second, func(worker int, at time.Duration) bool {
		return worker == 1 && at > 2500*time.Millisecond && at < 3800*time.Millisecond
	})
	if x.Late == 0 {
		t.Error("nobody was late")
	}
	if len(x.started) != 0 {
		t.Errorf("1200 pps exceed no limit of 1400, also not after a nap: %v", x.lines)
	}
	if n := x.Pipeline.Received; n < 6000 {
		t.Errorf("only %d packets were accounted for", n)
	}
}

func TestPlanCountsEveryWorker(t *testing.T) {
	c := testConfig(limit(rate.PPS, 1000))
	c.Policy.Networks = c.Policy.Networks[:1]
	c.Policy.Networks[0] = blast.Home4()
	c.Memory = 128 << 20
	c.Inputs = []Input{{View: "b"}, {View: "a"}, {View: "b"}}
	layouts, err := PlanMemory(&c)
	if err != nil {
		t.Fatal(err)
	}
	sum := uint64(0)
	for _, l := range layouts {
		sum += l.Memory()
	}
	if len(layouts) != 2 || layouts[0].Workers != 1 || layouts[1].Workers != 2 || sum > c.Memory {
		t.Errorf("%d views, %d bytes of %d", len(layouts), sum, c.Memory)
	}
}

// TestLateRecords merges what a worker of flow exports read in a second and a tenth: unlike frames,
// whose rate counts, every record counts as it tells.
func TestLateRecords(t *testing.T) {
	m := &counters.Memory{}
	defer m.Close()
	nets := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")}
	l, err := counters.NewFlowLayout(nets, 1, 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	table, err := counters.NewTable(m, l)
	if err != nil {
		t.Fatal(err)
	}
	v := &view{spread: rate.NewSpreader(l)}
	if v.merger, err = counters.NewMerger(m, l); err != nil {
		t.Fatal(err)
	}
	v.merger.Reset(start)
	slot, _, _ := l.Slot(netip.MustParseAddr("10.0.0.7"))
	table.Start, table.End = start, start+rate.Second+rate.Second/10
	table.CountFlows([]counters.FlowOp{{
		Packets: 1000, Bytes: 64_000, Samples: 1000, Rate: 1, Slot: slot, Class: counters.UDP,
	}}, table.Start)
	(&Engine{}).take(v, &worker{sampling: 1}, table, rate.Second)
	v.spread.Second(v.merger, v.took)
	for i := range v.merger.Len() {
		if packets, bytes := v.merger.At(i).Total(); packets != 1000 || bytes != 64_000 {
			t.Errorf("%d packets, %d bytes", packets, bytes)
		}
	}
	if v.merger.Len() != 1 {
		t.Errorf("%d hosts", v.merger.Len())
	}
}
