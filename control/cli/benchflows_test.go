package cli

import (
	"encoding/json"
	"testing"

	"weir/bench"
)

func TestBenchFlows(t *testing.T) {
	one := func(args string) (r bench.FlowsResult, status int) {
		t.Helper()
		status, out, _ := run("bench flows " + args)
		if status == exitOK {
			if err := json.Unmarshal([]byte(out), &r); err != nil {
				t.Fatalf("%q: %v", out, err)
			}
		}
		return r, status
	}
	r, status := one("-o json --workload F3 --stage decode --records 50000 --runs 2 --memory cold")
	if status != exitOK || r.Type != "bench" || r.Bench != "flows" || r.Workload != "F3" ||
		r.Stage != "decode" || r.Memory != "cold" || r.Cores != 1 || r.Runs != 2 ||
		r.Records < 50_000 || r.Allocs != 0 || r.NSPerRecord <= 0 || r.Host.Go == "" {
		t.Errorf("exit %d: %+v", status, r)
	}
	if r.Counted != nil || r.Flows {
		t.Errorf("decoding counts: %+v", r.Counted)
	}
	for _, args := range []string{
		"--workload W1", "--stage print", "--memory tepid", "--runs 0",
	} {
		if _, status := one(args); status != exitUsage {
			t.Errorf("%q: exit %d", args, status)
		}
	}
}
