package bench

import (
	"strings"
	"testing"

	"golang.org/x/perf/benchfmt"
)

// TestGoFormat reads what is written with benchstat's own reader.
func TestGoFormat(t *testing.T) {
	r := PipelineResult{Workload: "W2", Stage: StageWorker, Packets: 20_000_000, Figures: Figures{
		Cores: 1, RunsNS: []float64{36.1, 40}, Allocs: 20_000_000, Calibration: 1.25,
		Degraded: []string{"reason: one"},
	}}
	var b strings.Builder
	host := Host{CPU: "a CPU", Cores: 2, OS: "linux", Arch: "amd64", Kernel: "6.1", Go: "go1.26"}
	if err := WriteGoHeader(&b, &host); err != nil {
		t.Fatal(err)
	}
	line := r.GoResult()
	if err := line.Write(&b); err != nil {
		t.Fatal(err)
	}
	in := benchfmt.NewReader(strings.NewReader(b.String()), "results")
	n := 0
	for in.Scan() {
		switch got := in.Result().(type) {
		case *benchfmt.Result:
			n++
			checkGoLine(t, got, r.RunsNS[n-1])
		case *benchfmt.UnitMetadata:
		default:
			t.Errorf("%v", got)
		}
	}
	if err := in.Err(); err != nil || n != len(r.RunsNS) {
		t.Errorf("%d lines of\n%s: %v", n, &b, err)
	}
	if better := in.Units().GetBetter("Mpps"); better != 1 {
		t.Errorf("better Mpps have sign %d", better)
	}
}

func checkGoLine(t *testing.T, got *benchfmt.Result, ns float64) {
	t.Helper()
	if string(got.Name) != "Pipeline/W2-1" || got.Iters != 20_000_000 {
		t.Errorf("name %q, %d packets", got.Name, got.Iters)
	}
	for key, want := range map[string]string{
		"cpu": "a CPU", "goos": "linux", "kernel": "6.1", "cores": "2", "governor": "",
		"degraded": "",
	} {
		if v := got.GetConfig(key); v != want {
			t.Errorf("%s is %q, want %q", key, v, want)
		}
	}
	for unit, want := range map[string]float64{
		"ns/pkt": ns, "Mpps": 1e3 / ns, "allocs/op": 1, "ns/mul": 1.25,
	} {
		v, ok := got.Value(unit)
		for i := range got.Values { // some units are tidied
			if u := &got.Values[i]; u.OrigUnit == unit {
				v, ok = u.OrigValue, true
			}
		}
		if !ok || v < want*0.9999 || v > want*1.0001 {
			t.Errorf("%v %s, want %v", v, unit, want)
		}
	}
}
