package bench

import (
	"fmt"
	"strings"
	"testing"
)

// result returns a line of results with runs around middle.
func resultWith(workload string, middle float64, runs int, calibration float64) string {
	var list []string
	for i := range runs {
		list = append(list, fmt.Sprintf("%.3f", middle*(1+0.001*float64(i-runs/2))))
	}
	return fmt.Sprintf(`{"type":"bench","bench":"pipeline","workload":%q,"runs_ns":[%s],`+
		`"calibration_ns":%v,"degraded":[]}`+"\n", workload, strings.Join(list, ","), calibration)
}

func readText(t *testing.T, text string) *Results {
	t.Helper()
	r, err := ReadResults("file", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCompare(t *testing.T) {
	defaults := CompareConfig{Alpha: 0.05, Effect: 0.03}
	f := func(name, before, after string, c CompareConfig, want string) Comparison {
		t.Helper()
		list, err := Compare(readText(t, before), readText(t, after), c)
		if err != nil || len(list) == 0 {
			t.Fatalf("%s: %v", name, err)
		}
		if list[0].Outcome != want {
			t.Errorf("%s: %+v, want %s", name, list[0], want)
		}
		return list[0]
	}
	w := func(middle float64, runs int) string { return resultWith("W1", middle, runs, 1) }
	f("the same", w(30, 10), w(30, 10), defaults, Same)
	f("a loss", w(30, 10), w(33, 10), defaults, Loss)
	f("a gain", w(30, 10), w(27, 10), defaults, Gain)
	f("sure, but too little", w(30, 10), w(30.6, 10), defaults, Same)
	f("little, but asked for", w(30, 10), w(30.6, 10), CompareConfig{Alpha: 0.05}, Loss)
	f("much, but of three runs", w(30, 3), w(33, 3), defaults, Same)
	f("within chance", w(30, 10), w(33, 10), CompareConfig{Alpha: 1e-9}, Same)
	f("runs of two lines", w(30, 3)+w(30, 3), w(33, 3)+w(33, 3), defaults, Loss)

	slower := f("a slower clock", w(30, 10), resultWith("W1", 36, 10, 1.2), defaults, Loss)
	if slower.Note != "calibration +20.0 %" {
		t.Errorf("note %q", slower.Note)
	}
	calibrated := defaults
	calibrated.Calibrated = true
	f("a slower clock, calibrated", w(30, 10), resultWith("W1", 36, 10, 1.2), calibrated, Same)
}

func TestCompareMissing(t *testing.T) {
	c := CompareConfig{Alpha: 0.05, Effect: 0.03}
	old := readText(t, resultWith("W1", 30, 5, 1)+resultWith("W2", 30, 5, 1))
	list, err := Compare(old, readText(t, resultWith("W3", 30, 5, 1)+resultWith("W2", 30, 5, 1)), c)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range list {
		got = append(got, r.Workload+" "+r.Outcome+" "+r.Missing)
	}
	if s := strings.Join(got, ", "); s != "W1 missing new, W2 same , W3 missing old" {
		t.Errorf("%s", s)
	}
	if _, err := Compare(old, readText(t, resultWith("W3", 30, 5, 1)), c); err == nil {
		t.Errorf("files without a common workload are compared")
	}
}

func TestReadResultsFailure(t *testing.T) {
	good := resultWith("W1", 30, 3, 1)
	f := func(text, want string) {
		t.Helper()
		_, err := ReadResults("name.json", strings.NewReader(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	f("", "name.json:0: no results")
	f(good+"\n{\"type\":", "name.json:3: not a result")
	f(good+`{"type":"event"}`, `name.json:2: not a result: "type" is "event"`)
	f(`{"type":"bench","workload":"W1"}`, `name.json:1: not a result: "bench"`)
	f(`{"type":"bench","bench":"pipeline","workload":"W1"}`, "name.json:1: no samples")
	f(`{"type":"bench","bench":"pipeline","workload":"W1","runs_ns":[1,-2]}`,
		"name.json:1: a sample is -2")
	f(`{"type":"bench","bench":"pipeline","workload":"W1","runs_ns":["1"]}`,
		"name.json:1: not a result")
}

// FuzzReadResults holds whatever is read to be comparable with itself: no difference.
func FuzzReadResults(f *testing.F) {
	f.Add([]byte(resultWith("W1", 30, 5, 1)))
	f.Add([]byte(`{"type":"bench","bench":"detect","workload":"D1","delays_ms":[1,2,3]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ReadResults("file", strings.NewReader(string(text)))
		if err != nil {
			return
		}
		list, err := Compare(r, r, CompareConfig{Alpha: 0.05, Effect: 0.03})
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			if list[i].Outcome != Same {
				t.Errorf("%+v", list[i])
			}
		}
	})
}
