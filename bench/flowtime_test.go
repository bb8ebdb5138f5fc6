package bench

import (
	"math"
	"testing"
	"time"
)

// How true the rates are that flow records make, and how late: see the log with -v.
func TestFlowTime(t *testing.T) {
	t.Logf("%-9s%7s%8s%9s %11s%7s%7s%7s%7s %9s%8s %17s%8s", "TRAFFIC", "ACTIVE", "ALIGNED",
		"SAMPLING", "ERR MEAN", "MAX", "FIRST", "PEAK", "AFTER", "OWN DELAY", "EXTRA",
		"NAIVE ERR MEAN", "PEAK")
	for _, c := range FlowTimeCases() {
		if testing.Short() && (c.Traffic.Name == "mix" || c.Cache.Active > time.Minute) {
			continue
		}
		r, err := SimulateFlows(c.Traffic, c.Cache)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%-9s%7.0f%8v%9d %11.3f%7.3f%7.3f%7.2f%7.2f %9.2f%8.2f %17.2f%8.1f", r.Traffic,
			float64(r.ActiveMS)/1000, r.Aligned, r.Sampling, r.MeanError, r.MaxError, r.First,
			r.Peak, r.PeakAfter, float64(r.OwnMS)/1000, float64(r.ExtraMS)/1000, r.NaiveMean,
			r.NaivePeak)
		checkFlowTime(t, &r)
	}
}

// checkFlowTime holds a run to what is promised.
func checkFlowTime(t *testing.T, r *FlowTime) {
	t.Helper()
	bad := func(what string) {
		t.Helper()
		t.Errorf("%s, active timeout %d ms, 1:%d: %s: %+v", r.Traffic, r.ActiveMS, r.Sampling,
			what, *r)
	}
	// Every packet is shown once. A long flow is clipped, which rounds.
	if math.Abs(float64(r.Told)-float64(r.Shown)) > float64(r.Records) {
		bad("packets shown are not those told")
	}
	if clipped := r.ActiveMS == 0 || r.ActiveMS > 200_000; r.Sampling == 1 && !clipped &&
		r.Shown != r.Sent {
		bad("packets shown are not those sent")
	}
	if (r.ExtraMS > 1000 || r.ExtraMS < 0) && r.Sampling <= 1000 {
		bad("detected late")
	}
	if r.Aligned || r.Sampling > 1 {
		return
	}
	if r.MeanError > 0.15 {
		bad("steady rate")
	}
	if r.Traffic != "mix" && (r.MaxError > 0.15 || r.First < 0.85) {
		bad("rate from the first export on")
	}
	if r.Traffic == "elephant" && r.Peak > 1.2 {
		bad("a spike")
	}
	// A flow's last record may come while the one before is still being shown; and where flows are
	// told every second, the first record may take two, into the second one's.
	if r.Peak > 2 || r.PeakAfter > 2.1 {
		bad("more than two records at once")
	}
}

// Counting everything in the second in which it is told breaks the same promises.
func TestFlowTimeNaive(t *testing.T) {
	f := func(traffic string, active time.Duration, wantError, wantPeak float64) {
		t.Helper()
		for _, c := range FlowTimeCases() {
			if c.Traffic.Name != traffic || c.Cache.Active != active || c.Cache.Sampling != 1 ||
				c.Cache.Aligned {
				continue
			}
			r, err := SimulateFlows(c.Traffic, c.Cache)
			if err != nil {
				t.Fatal(err)
			}
			if r.NaiveMean < wantError || r.NaivePeak < wantPeak {
				t.Errorf("%s, %v: error %v, peak %v", traffic, active, r.NaiveMean, r.NaivePeak)
			}
			return
		}
		t.Errorf("there is no %s with %v", traffic, active)
	}
	f("flood", 10*time.Second, 1.5, 9)
	f("flood", time.Minute, 1.5, 55)
	f("pulse", time.Minute, 0, 1.9)
	f("elephant", 0, 0, 79_000)
}

// A router samples 1:N, tells every packet that it took, and tells lasting flows in time.
func TestRouter(t *testing.T) {
	for _, n := range []uint32{1, 10, 1000} {
		c := FlowCache{Active: time.Minute, Inactive: 15 * time.Second, Sampling: n}
		r := newRouter(&c)
		const seconds, pps = 600, 10_000
		told, last := uint64(0), int64(0)
		for now := int64(0); now < (seconds+20)*1000; now += step {
			if now%1000 == look {
				r.age(now)
			}
			if now < seconds*1000 {
				r.forward(7, pps*step/1000, now)
			}
			for _, x := range r.take() {
				if x.duration > 62_000 || x.at-last > 62_000 {
					t.Errorf("1:%d: a record of %d ms, %d ms after the last", n, x.duration,
						x.at-last)
				}
				told, last = told+x.packets*uint64(n), x.at
			}
		}
		off := math.Abs(float64(told) - seconds*pps)
		if noise := 4 * math.Sqrt(float64(n-1)*seconds*pps); off > noise || len(r.flows) > 0 {
			t.Errorf("1:%d: %d packets told of %d, %d flows left", n, told, seconds*pps,
				len(r.flows))
		}
	}
}

// A result tells its case, so that no two of what the command runs have one name.
func TestFlowTimeName(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range FlowTimeCases() {
		s := &flowTime{traffic: c.Traffic, cache: c.Cache}
		if seen[s.name()] {
			t.Errorf("%s twice", s.name())
		}
		seen[s.name()] = true
	}
	if !seen["flood/60s/aligned/1:1"] || !seen["flood/60s/1:100"] {
		t.Errorf("%v", seen)
	}
}
