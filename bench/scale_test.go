package bench

import (
	"math"
	"testing"

	"weir/tools/blast"
)

func TestScale(t *testing.T) {
	w, err := blast.Find("W3")
	if err != nil {
		t.Fatal(err)
	}
	r, err := Scale(&ScaleConfig{Workload: w, Workers: 2, Packets: window, Runs: 4, Groups: 1})
	if err != nil {
		t.Fatal(err)
	}
	const wakes = 4 // the runtime may allocate when goroutines meet
	if r.Cores != 2 || r.Allocs > wakes || r.NSPerPacket <= 0 || r.Tables == 0 ||
		math.Abs(r.MPPS*r.NSPerPacket-2000) > 1 {
		t.Errorf("%+v", r)
	}
}

func TestMerge(t *testing.T) {
	const hosts = 1 << 14
	r, err := Merge(MergeConfig{Workers: 2, Hosts: hosts, Runs: 3})
	if err != nil {
		t.Fatal(err)
	}
	if r.PerHost < r.Lowest || r.PerHost > r.Highest || !r.Flows {
		t.Errorf("%v ns per host, %v to %v", r.PerHost, r.Lowest, r.Highest)
	}
	if r.Hosts != hosts || r.Allocs != 0 || r.Merge <= 0 || r.Judge <= 0 || len(r.RunsNS) != 3 {
		t.Errorf("%+v", r)
	}
	if _, err := Merge(MergeConfig{Workers: 1, Hosts: 1<<20 + 1, Runs: 1}); err == nil {
		t.Errorf("more hosts than the network has are merged")
	}
}

// TestFitScale fits to what laws give exactly, and finds their constants.
func TestFitScale(t *testing.T) {
	const serial, one = 0.02, 30.0
	var scale []ScaleResult
	for _, n := range []float64{1, 2, 4, 8} {
		scale = append(scale, ScaleResult{
			NSPerPacket: one * (1 + serial*(n-1)), Figures: Figures{Cores: int(n)},
		})
	}
	merges := []MergeResult{
		{Workers: 1, Merge: 20, Judge: 10, Tables: 1 << 30},
		{Workers: 3, Merge: 50, Judge: 20, Tables: 3 << 30},
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-6 {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	f, err := FitScale(scale, merges, 16, 32<<30)
	if err != nil {
		t.Fatal(err)
	}
	near("serial share", f.Serial, serial)
	near("base", f.Base, 10)
	near("per worker", f.PerQueue, 20)
	near("worker's load", f.Worker, one*(1+serial*15)*9.3e6/1e9)
	near("control's load", f.Control, 0.33)
	near("memory's load", f.Memory, 0.5)
	if f.Binds != "memory" {
		t.Errorf("%s binds first", f.Binds)
	}
	for i, want := range []string{"worker", "control"} {
		points, memory := scale[:len(scale)-3*i], uint64(1<<50) // one point: no serial share
		if f, err = FitScale(points, merges, 16, memory); err != nil || f.Binds != want {
			t.Errorf("of %d points %s binds first, want %s: %v", len(points), f.Binds, want, err)
		}
	}
	if _, err := FitScale(nil, merges, 16, 1); err == nil {
		t.Errorf("nothing is fitted to")
	}
}
