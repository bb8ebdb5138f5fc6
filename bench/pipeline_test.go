package bench

import (
	"net/netip"
	"testing"

	"weir/tools/blast"
)

func TestPipeline(t *testing.T) {
	packets := 3_000_000
	if testing.Short() {
		packets = 500_000
	}
	f := func(workload string, hot bool, wantHosts int) {
		t.Helper()
		w, err := blast.Find(workload)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Pipeline(PipelineConfig{
			Workload: w, Packets: packets, Runs: 6, Groups: 100, Hot: hot,
			Networks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"),
				netip.MustParsePrefix("10.9.0.0/16")},
		})
		if err != nil {
			t.Fatal(err)
		}
		if r.Allocs != 0 {
			t.Errorf("%s: %d allocations in %d packets", workload, r.Allocs, r.Runs*r.Packets)
		}
		if r.NSPerPacket <= 0 || r.Lowest > r.NSPerPacket || r.NSPerPacket > r.Highest {
			t.Errorf("%s: median %v, from %v to %v", workload, r.NSPerPacket, r.Lowest, r.Highest)
		}
		if !testing.Short() && (r.Flips == 0 || r.Hosts != wantHosts) {
			t.Errorf("%s: %d flips, %d hosts, want %d", workload, r.Flips, r.Hosts, wantHosts)
		}
		// A host hints once an epoch, the first time while the caches are warmed.
		hinted := r.Hints > 0 || testing.Short()
		if workload == "W1" && (!hinted || r.Samples == 0) {
			t.Errorf("limits are not armed: %d hints, %d samples", r.Hints, r.Samples)
		}
	}
	f("W1", false, 1)
	f("W2", false, 1<<16)
	f("W2", true, 1<<16) // in a ring as small as its frames, the worker would leave some out
}

func TestMedian(t *testing.T) {
	f := func(want float64, sorted ...float64) {
		t.Helper()
		if got := median(sorted); got != want {
			t.Errorf("median of %v is %v, want %v", sorted, got, want)
		}
	}
	f(3, 3)
	f(2, 1, 3)
	f(5, 1, 5, 90)
}
