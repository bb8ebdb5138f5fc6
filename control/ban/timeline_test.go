package ban

import (
	"math/rand/v2"
	"testing"
	"time"

	"weir/control/rate"
)

// twinTimeline is what seconds become when a point takes as many of them as it must: the highest
// of each, at the time of the last. Of equal ones the later counts.
func twinTimeline(seconds []Point, d rate.Direction) (points []Point) {
	stride := 1
	for (len(seconds)+stride-1)/stride > MaxPoints {
		stride *= 2
	}
	for len(seconds) > 0 {
		n := min(stride, len(seconds))
		best := seconds[0]
		for _, p := range seconds[1:n] {
			if p.Rates[d].Packets[rate.Total] >= best.Rates[d].Packets[rate.Total] {
				best = p
			}
		}
		best.Time = seconds[n-1].Time
		points = append(points, best)
		seconds = seconds[n:]
	}
	return points
}

func TestTimeline(t *testing.T) {
	f := func(direction rate.Direction, lengths ...int) {
		t.Helper()
		r := rand.New(rand.NewPCG(uint64(lengths[0]), 1))
		b := NewBook(Config{Time: time.Hour, Quiet: time.Hour})
		v := verdict(victim, epoch)
		v.Trigger.Direction = direction
		b.Report(v, nil)
		var seconds []Point
		for _, n := range lengths {
			for len(seconds) < n {
				p := Point{Time: epoch + int64(len(seconds)+1)*rate.Second}
				for d := range p.Rates {
					p.Rates[d].Packets[rate.Total] = r.Uint64N(1000)
					p.Rates[d].Flows = r.Uint64() // tells points apart
				}
				seconds = append(seconds, p)
				b.Second(v.Target, p.Time, p.Rates, true)
			}
			b.Each(func(in *Incident) {
				compareTimeline(t, in.Timeline, twinTimeline(seconds, direction))
			})
		}
	}
	f(rate.Incoming, 1, 2, 599, 600, 601, 602, 603, 1199, 1200, 1201, 1204, 1205)
	f(rate.Outgoing, 600, 601, 2399, 2400, 2401, 2405)
	f(rate.Incoming, 86_400) // a day
	f(rate.Outgoing, 7, 1000, 5001, 12_345)
}

func compareTimeline(t *testing.T, got, want []Point) {
	t.Helper()
	if len(got) != len(want) || len(got) > MaxPoints || cap(got) > 2*MaxPoints {
		t.Fatalf("%d points of room %d, want %d", len(got), cap(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("point %d of %d:\n got %+v\nwant %+v", i, len(got), got[i], want[i])
		}
	}
}

// Most seconds of a long attack are merged, but never its peak.
func TestTimelineKeepsThePeak(t *testing.T) {
	for peak := range 2000 {
		if peak%37 > 0 {
			continue
		}
		b := NewBook(Config{Time: time.Hour, Quiet: time.Hour})
		v := verdict(victim, epoch)
		b.Report(v, nil)
		for n := range 2000 {
			rates := pps(100)
			if n == peak {
				rates = pps(12345)
			}
			b.Second(v.Target, epoch+int64(n+1)*rate.Second, rates, true)
		}
		b.Each(func(in *Incident) {
			found := 0
			for _, p := range in.Timeline {
				if p.Rates == pps(12345) {
					found++
				}
			}
			if found != 1 || in.PeakPPS != 12345 {
				t.Errorf("peak in second %d: %d points have it", peak, found)
			}
		})
	}
}
