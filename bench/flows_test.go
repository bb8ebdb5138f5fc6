package bench

import (
	"net/netip"
	"testing"

	"weir/tools/blast"
)

func TestFlows(t *testing.T) {
	records := 600_000
	if testing.Short() {
		records = 150_000
	}
	f := func(workload, stage string, cold bool) FlowsResult {
		t.Helper()
		w, err := blast.FindExports(workload)
		if err != nil {
			t.Fatal(err)
		}
		c := FlowsConfig{
			Workload: w, Stage: stage, Cold: cold, Records: records, Runs: 3, Groups: 100,
			Networks: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")},
		}
		r, err := Flows(&c)
		if err != nil {
			t.Fatal(err)
		}
		if r.Allocs != 0 {
			t.Errorf("%s %s: %d allocations in %d records", workload, stage, r.Allocs, r.Records)
		}
		if r.NSPerRecord <= 0 || r.Lowest > r.NSPerRecord || r.NSPerRecord > r.Highest ||
			r.Calibration <= 0 || r.Records < records {
			t.Errorf("%s %s: %+v", workload, stage, r)
		}
		return r
	}
	for _, w := range blast.ExportWorkloads() {
		if w.Name == "F2c" || w.Name == "F4b" {
			f(w.Name, StageDecode, false)
			f(w.Name, StageDecodeAll, true)
		}
		r := f(w.Name, StageCount, w.Name == "F2")
		if r.Samples == 0 {
			t.Errorf("%s: limits are not armed: no samples", w.Name)
		}
		if !testing.Short() && (r.Flips == 0 || r.Hosts != 1<<16) {
			t.Errorf("%s: %d flips, %d hosts", w.Name, r.Flips, r.Hosts)
		}
	}
}

func TestFlowsFailure(t *testing.T) {
	w, err := blast.FindExports("F1")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Flows(&FlowsConfig{Workload: w, Stage: "print", Records: 1, Runs: 1, Networks: Home()})
	if err == nil {
		t.Error("a stage that there is none of")
	}
}

// What is staged is lent once, in order, with its sender, and round and round.
func TestDatagrams(t *testing.T) {
	w, err := blast.FindExports("F2c")
	if err != nil {
		t.Fatal(err)
	}
	for _, cold := range []bool{false, true} {
		d := newDatagrams(&w, cold)
		records, total := 0, len(d.frames)
		for taken := 0; taken < total+1; {
			n, in := d.stage()
			stream := d.staged
			for i := range stream {
				want := d.mem[d.frames[(taken+i)%total].Off:][:stream[i].Cap]
				mem := d.hot
				if cold {
					mem = d.mem
				}
				if got := mem[stream[i].Off:][:stream[i].Cap]; string(got) != string(want) {
					t.Fatalf("datagram %d differs", taken+i)
				}
			}
			taken += n
			if taken <= total {
				records += in
			}
		}
		if records != d.total {
			t.Errorf("%d records, not %d", records, d.total)
		}
	}
}
