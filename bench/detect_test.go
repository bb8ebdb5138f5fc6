package bench

import (
	"reflect"
	"testing"

	"weir/tools/blast"
)

func TestDetect(t *testing.T) {
	f := func(c DetectConfig, median, most float64) DetectResult {
		t.Helper()
		r, err := Detect(&c)
		if err != nil {
			t.Fatal(err)
		}
		if r.Missed != 0 || r.Wrong != 0 || len(r.Delays) != c.Phases || r.Least <= 0 ||
			r.Least > r.Median || r.Median > r.P95 || r.P95 > r.Most || r.Median > median ||
			r.Most > most {
			t.Errorf("%+v", r)
		}
		return r
	}
	twice := DetectConfig{
		Vector: "udp_flood", Limit: 2000, Factor: 2, Background: 5000, Phases: 10,
	}
	r := f(twice, 800, 1200)
	if again := f(twice, 800, 1200); !reflect.DeepEqual(r, again) {
		t.Errorf("not the same twice: %+v, %+v", r, again)
	}
	f(DetectConfig{
		Vector: "syn_flood", IPv6: true, Limit: 2000, Factor: 10, Background: 5000, Phases: 10,
	}, 150, 200)

	for _, name := range DetectWorkloads() {
		w, err := blast.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		c := twice
		c.Workload, c.Background, c.Phases = w, 1000, 2
		if amid := f(c, 800, 1200); amid.Amid != name || amid.Background != 1000 {
			t.Errorf("amid %s: %+v", name, amid)
		}
	}
	r, err := Detect(&DetectConfig{
		Vector: "udp_flood", Limit: 2000, Factor: 0.9, Background: 5000, Phases: 2,
	})
	if err != nil || r.Missed != 2 || len(r.Delays) != 0 {
		t.Errorf("below the limit: %+v, %v", r, err)
	}
	twice.Workload.Name = "W4"
	if _, err := Detect(&twice); err == nil {
		t.Error("a flood begins amid another")
	}
}
