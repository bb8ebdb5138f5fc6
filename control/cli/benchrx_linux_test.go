package cli

import (
	"encoding/json"
	"testing"

	"weir/bench"
	"weir/tools/lab"
)

// The highest rate is searched, and held by a daemon that is reloaded and scraped.
func TestBenchRx(t *testing.T) {
	lab.New(t, lab.Options{}) // skips where there is none
	t.Setenv(asWeir, "1")     // for the daemon
	status, out, said := run("bench rx --veth --workload W1 -o json --trial 300ms --ndr " +
		"--tries 3 --max 20000 --hold 2500ms --at 50%")
	var r bench.RxResult
	if status != exitOK {
		t.Fatalf("exit %d: %s", status, said)
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%q: %v", out, err)
	}
	if r.Type != "bench" || r.Bench != "rx" || r.Granted == "" || len(r.Rates) != 1 ||
		len(r.Hold) == 0 || r.Host.Go == "" {
		t.Fatalf("%+v", r)
	}
	for _, h := range r.Hold {
		in := h.Received + h.Lost.Total() - h.Lost[bench.LostTable]
		if h.Reloads < 1 || h.Scrapes != h.Reloads || h.Sent < 1000 || in != h.Sent {
			t.Errorf("%+v", h)
		}
	}
}
