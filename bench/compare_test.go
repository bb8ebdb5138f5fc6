package bench

import (
	"fmt"
	"math"
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
	f("much, of three runs", w(30, 3), w(33.1, 3), defaults, Loss)
	f("less, of three runs", w(30, 3), w(32.9, 3), defaults, Same)
	f("less than asked for, of three runs", w(30, 3), w(34, 3),
		CompareConfig{Alpha: 0.05, Effect: 0.2}, Same)
	f("two runs, but ten beside", w(30, 2), w(31, 10), defaults, Loss)
	f("within chance", w(30, 10), w(33, 10), CompareConfig{Alpha: 1e-9}, Same)
	f("runs of two lines", w(30, 3)+w(30, 3), w(33, 3)+w(33, 3), defaults, Loss)

	one := f("one run", w(30, 1), w(27, 10), defaults, Gain)
	if one.Note != "single run" || one.P != 1 {
		t.Errorf("%+v", one)
	}
	slower := f("a slower clock", w(30, 10), resultWith("W1", 36, 10, 1.2), defaults, Loss)
	if slower.Note != "calibration +20.0 %" {
		t.Errorf("note %q", slower.Note)
	}
	calibrated := defaults
	calibrated.Calibrated = true
	f("a slower clock, calibrated", w(30, 10), resultWith("W1", 36, 10, 1.2), calibrated, Same)
}

// Lines of the contract have a figure and no runs; of a search the rate counts.
func TestCompareFigures(t *testing.T) {
	f := func(before, after, want, name string) {
		t.Helper()
		list, err := Compare(readText(t, before), readText(t, after),
			CompareConfig{Alpha: 0.05, Effect: 0.03})
		if err != nil || len(list) != 1 {
			t.Fatalf("%s: %+v, %v", before, list, err)
		}
		if r := &list[0]; r.Outcome != want || r.Bench+" "+r.Workload != name {
			t.Errorf("%s, %s: %+v, want %s of %s", before, after, r, want, name)
		}
	}
	line := func(bench, rest string) string {
		return fmt.Sprintf(`{"type":"bench","bench":%q,"workload":"W2",%s}`+"\n", bench, rest)
	}
	packet := func(ns string) string { return line("pipeline", `"cpu_ns_per_packet":`+ns) }
	f(packet("36.1"), packet("72.2"), Loss, "pipeline W2")
	f(packet("36.1"), packet("36.1"), Same, "pipeline W2")
	f(packet("36.1"), packet("39"), Same, "pipeline W2")
	f(packet("72.2"), packet("36.1"), Gain, "pipeline W2")
	f(strings.Repeat(packet("36.1"), 5), strings.Repeat(packet("37.8"), 5), Loss, "pipeline W2")
	f(line("flows", `"cpu_ns_per_record":13`), line("flows", `"cpu_ns_per_record":15`), Loss,
		"flows W2")
	rx := func(rest string) string { return line("rx", `"interface":"veth","via":"afxdp",`+rest) }
	f(rx(`"runs_ns":[500]`), rx(`"runs_ns":[600]`), Loss, "rx W2/afxdp")
	ndr := func(pps string) string {
		return rx(`"runs_ns":null,"cpu_ns_per_packet":9,"rates":[{"pps":` + pps + `}]`)
	}
	f(ndr("1e6"), ndr("5e5"), Loss, "rx W2/afxdp/ndr")
	f(ndr("1e6"), ndr("2e6"), Gain, "rx W2/afxdp/ndr")
	f(ndr("1e6"), ndr("0"), Loss, "rx W2/afxdp/ndr")
	f(ndr("0"), ndr("0"), Same, "rx W2/afxdp/ndr")
	pdr := rx(`"rates":[{"pps":1e6,"loss_allowed":0.005}]`)
	f(pdr, pdr, Same, "rx W2/afxdp/pdr 0.5 %")
	live := line("rx", `"interface":"eth1","via":"afpacket","cpu_ns_per_packet":9`)
	f(live, live, Same, "rx W2/eth1/afpacket")
	peer := line("peers-packets", `"system":"nfcapd","via":"afpacket","cpu_ns_per_packet":9`)
	f(peer, peer, Same, "peers-packets W2/nfcapd/afpacket")
}

func TestLeastP(t *testing.T) {
	f := func(m, n int, want float64) {
		t.Helper()
		if got := leastP(m, n); math.Abs(got-want) > 1e-9 || got != leastP(n, m) {
			t.Errorf("%d and %d samples: %v, want %v", m, n, got, want)
		}
	}
	f(1, 1, 1)
	f(3, 3, 0.1)
	f(4, 4, 2.0/70)
	f(2, 10, 2.0/66)
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
	f(`{"type":"bench","bench":"pipeline","workload":"W1","cpu_ns_per_packet":0}`,
		"name.json:1: a sample is 0")
	f(`{"type":"bench","bench":"rx","workload":"W1","rates":[{"pps":-1}]}`,
		"name.json:1: a sample is -1e-06")
	f(`{"type":"bench","bench":"flowcache","workload":"flood"}`, "name.json:1: no results")
	f(`{"type":"bench","bench":"pipeline","workload":"W1","runs_ns":[1,-2]}`,
		"name.json:1: a sample is -2")
	f(`{"type":"bench","bench":"pipeline","workload":"W1","runs_ns":["1"]}`,
		"name.json:1: not a result")
}

// FuzzReadResults holds whatever is read to be comparable with itself: no difference.
func FuzzReadResults(f *testing.F) {
	f.Add([]byte(resultWith("W1", 30, 5, 1)))
	f.Add([]byte(`{"type":"bench","bench":"rx","workload":"W1","rates":[{"pps":0},{"pps":3}]}`))
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
