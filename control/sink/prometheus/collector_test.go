package prometheus

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

func TestLint(t *testing.T) {
	for name, s := range map[string]*Snapshot{"full": sample(), "empty": {}, "none": nil} {
		problems, err := testutil.CollectAndLint(newCollector(fixed{s}))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s: %s", name, p.Metric, p.Text)
		}
	}
}

func TestEmptySnapshot(t *testing.T) {
	for _, s := range []*Snapshot{nil, {}} {
		got := text(t, s)
		for _, want := range []string{
			"weir_processed_packets_total 0\n",
			"weir_attacks_active 0\n",
			`weir_snapshot_duration_seconds_bucket{le="1"} 0` + "\n",
			`weir_traffic_packets_total{class="udp",direction="incoming"} 0` + "\n",
			"weir_config_last_reload_successful 0\n",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in\n%s", want, got)
			}
		}
		for name, what := range map[string]string{
			"timestamp_seconds": "a configuration that was never loaded has a time",
			"weir_journal":      "a journal that is not there has a health",
			"weir_bgp":          "a speaker that is not there fares somehow",
			"weir_action":       "there are no actions",
			"weir_flow":         "no port takes flow exports",
			"weir_templates":    "no exporter announces templates",
		} {
			if strings.Contains(got, name) {
				t.Error(what)
			}
		}
	}
}

// scrape returns the answer to a request with that Accept header.
func scrape(e *Exporter, accept string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w
}

func TestContentTypes(t *testing.T) {
	const (
		text = "text/plain; version=0.0.4; charset=utf-8"
		open = "application/openmetrics-text; version=1.0.0; charset=utf-8"
	)
	for accept, want := range map[string]string{
		"":                         text,
		"text/plain;version=0.0.4": text,
		"application/openmetrics-text;version=1.0.0,text/plain; q=0.5": open,
	} {
		w := scrape(New(fixed{sample()}), accept)
		got := w.Header().Get("Content-Type")
		if kind, _, _ := strings.Cut(got, "; escaping="); kind != want {
			t.Errorf("%q: content type %q, want %q", accept, got, want)
		}
		body := w.Body.String()
		if strings.HasSuffix(body, "# EOF\n") != (want == open) {
			t.Errorf("%q: body ends with %q", accept, body[len(body)-20:])
		}
		parser := expfmt.NewTextParser(model.LegacyValidation)
		parsed, err := parser.TextToMetricFamilies(strings.NewReader(body))
		if err != nil {
			t.Errorf("%q: %v", accept, err)
		}
		for _, name := range []string{
			"weir_rx_packets_total", "go_goroutines", "process_resident_memory_bytes",
		} {
			if parsed[name] == nil {
				t.Errorf("%q: no %s", accept, name)
			}
		}
		if f := parsed["weir_detection_latency_seconds"]; f == nil ||
			f.Metric[0].Histogram.GetSampleCount() != 1 {
			t.Errorf("%q: histogram %v", accept, f)
		}
	}
}

// value returns the value of a series, or -1.
func value(t *testing.T, text, series string) float64 {
	t.Helper()
	_, rest, ok := strings.Cut("\n"+text, "\n"+series+" ")
	if !ok {
		return -1
	}
	number, _, _ := strings.Cut(rest, "\n")
	v, err := strconv.ParseFloat(number, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestManyAttacksStayBounded(t *testing.T) {
	const all = 10_000
	s := &Snapshot{}
	for i := range all { // every rate once, in no order
		s.Attacks.Now = append(s.Attacks.Now, Attack{
			Target: fmt.Sprintf("10.0.%d.%d", i/256, i%256), Vector: "udp_flood",
			PPS: uint64(i * 7919 % all),
		})
	}
	const limited = `weir_series_limited_total{family="weir_attack_packets_per_second"}`
	e := New(fixed{s})
	for n := range 3 {
		body := scrape(e, "").Body.String()
		if got := strings.Count(body, "\nweir_attack_packets_per_second{"); got != MaxAttackSeries {
			t.Errorf("%d series, want %d", got, MaxAttackSeries)
		}
		if got, want := value(t, body, limited), (n+1)*(all-MaxAttackSeries); got != float64(want) {
			t.Errorf("scrape %d: %v left out, want %d", n, got, want)
		}
		for _, a := range s.Attacks.Now {
			series := fmt.Sprintf("weir_attack_packets_per_second{target=%q,vector=%q}", a.Target,
				a.Vector)
			if shown := a.PPS >= all-MaxAttackSeries; shown != strings.Contains(body, series) {
				t.Fatalf("%s with %d packets per second: shown %v", series, a.PPS, !shown)
			}
		}
	}
}

func TestFewAttacksAreNotLimited(t *testing.T) {
	const limited = `weir_series_limited_total{family="weir_attack_packets_per_second"}`
	if got := value(t, text(t, sample()), limited); got != 0 {
		t.Errorf("%v left out, want 0", got)
	}
}

func TestOtherFamiliesAreBounded(t *testing.T) {
	s := &Snapshot{Packets: Packets{Errors: map[string]uint64{}}}
	for i := range maxSeries + 10 {
		s.Packets.Errors[fmt.Sprint("reason", i)] = 1
	}
	body := text(t, s)
	if got := strings.Count(body, "\nweir_decode_errors_total{"); got != maxSeries {
		t.Errorf("%d series, want %d", got, maxSeries)
	}
	const limited = `weir_series_limited_total{family="weir_decode_errors_total"}`
	if got := value(t, body, limited); got != 10 {
		t.Errorf("%v left out, want 10", got)
	}
}

func TestManyPeersStayBounded(t *testing.T) {
	s := &Snapshot{}
	for i := range MaxPeerSeries + 3 {
		s.Mitigation.Peers = append(s.Mitigation.Peers, Peer{
			Address: fmt.Sprintf("10.0.%d.%d", i/256, i%256),
		})
	}
	body := text(t, s)
	for _, name := range []string{
		"weir_bgp_session_up", "weir_bgp_routes_announced", "weir_bgp_session_flaps_total",
	} {
		if got := strings.Count(body, "\n"+name+"{"); got != MaxPeerSeries {
			t.Errorf("%s: %d series, want %d", name, got, MaxPeerSeries)
		}
		limited := fmt.Sprintf("weir_series_limited_total{family=%q}", name)
		if got := value(t, body, limited); got != 3 {
			t.Errorf("%s: %v left out, want 3", name, got)
		}
	}
}

func TestManyExportersStayBounded(t *testing.T) {
	s := &Snapshot{Flows: &Flows{Hidden: 7, Others: FlowExporter{Records: 21}}}
	for i := range MaxExporterSeries + 3 { // more than its caller gives a label
		s.Flows.Exporters = append(s.Flows.Exporters, FlowExporter{
			Address: fmt.Sprintf("10.0.%d.%d", i/256, i%256), Records: 1, Sampling: 1,
		})
	}
	body := text(t, s)
	for name, others := range map[string]int{
		"weir_flow_exporter_records_total": 1, "weir_flow_exporter_sampling_rate": 0,
	} {
		got := strings.Count(body, "\n"+name+"{")
		if got != MaxExporterSeries+others {
			t.Errorf("%s: %d series, want %d and %d", name, got, MaxExporterSeries, others)
		}
		limited := fmt.Sprintf("weir_series_limited_total{family=%q}", name)
		if got := value(t, body, limited); got != 3+7 {
			t.Errorf("%s: %v left out, want 10", name, got)
		}
	}
	if got := value(t, body, `weir_flow_exporter_records_total{exporter="other"}`); got != 21 {
		t.Errorf("others have %v records, want 21", got)
	}
}

func TestClean(t *testing.T) {
	long := strings.Repeat("é", 40)
	for in, want := range map[string]string{
		"eth0":          "eth0",
		"2001:db8::1":   "2001:db8::1",
		"a\nb\x00c\x7f": "a_b_c_",
		"\xff\xfe":      "__",
		"a\u202eb":      "a_b", // turns the direction of writing
		long:            long[:64],
		"x" + long:      "x" + long[:62],
		"":              "",
	} {
		if got := clean(in); got != want || !utf8.ValidString(got) {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLabelsFromOutside(t *testing.T) {
	s := &Snapshot{Attacks: Attacks{Now: []Attack{
		{Target: "a\"} 1\nweir_attacks_total 7\n", Vector: strings.Repeat("v", 1000), PPS: 5},
	}}}
	body := text(t, s)
	want := `weir_attack_packets_per_second{target="a\"} 1_weir_attacks_total 7_",vector="` +
		strings.Repeat("v", maxLabel) + `"} 5` + "\n"
	if !strings.Contains(body, want) || value(t, body, "weir_attacks_total") != 0 {
		t.Errorf("no %q in\n%s", want, body)
	}
}

// TestFaultySeriesHidesNoOther has two series of the same name.
func TestFaultySeriesHidesNoOther(t *testing.T) {
	s := sample()
	s.Interfaces = append(s.Interfaces, s.Interfaces[0])
	var log bytes.Buffer
	e := New(fixed{s})
	e.Log = slog.New(slog.NewTextHandler(&log, nil))
	w := scrape(e, "")
	if w.Code != http.StatusOK || value(t, w.Body.String(), "weir_attacks_total") != 9 {
		t.Errorf("status %d\n%s", w.Code, w.Body)
	}
	if got := log.String(); !strings.Contains(got, "weir_rx_packets_total") ||
		strings.Count(got, "\n") != 1 {
		t.Errorf("log: %s", got)
	}
}

func TestHistogram(t *testing.T) {
	h := NewTickHistogram()
	for _, d := range []time.Duration{-time.Second, 0, time.Millisecond, 1500 * time.Microsecond,
		2500 * time.Millisecond, time.Hour} {
		h.Observe(d)
	}
	before := h.Clone()
	h.Observe(time.Second)
	all, buckets := before.cumulative()
	if all != 6 || buckets[.001] != 3 || buckets[.0025] != 4 || buckets[1] != 4 ||
		buckets[2.5] != 5 || before.sum != 3602.5025 {
		t.Errorf("%d, %v, sum %v", all, buckets, before.sum)
	}
}

// BenchmarkScrape is a whole scrape of a large weir: 4 interfaces of 16 queues, and more attacks
// than are shown.
func BenchmarkScrape(b *testing.B) {
	s := sample()
	q := s.Interfaces[0].Queues[0]
	s.Interfaces, s.Workers, s.Attacks.Now = nil, nil, nil
	for i := range 4 {
		in := Interface{Name: fmt.Sprint("eth", i)}
		for n := range 16 {
			q.Queue = n
			in.Queues = append(in.Queues, q)
			s.Workers = append(s.Workers, Worker{Worker: 16*i + n, Core: 16*i + n})
		}
		s.Interfaces = append(s.Interfaces, in)
	}
	for i := range 1000 {
		s.Attacks.Now = append(s.Attacks.Now, Attack{Target: fmt.Sprint("10.0.0.", i), PPS: 1})
	}
	e := New(fixed{s})
	b.ReportAllocs()
	b.SetBytes(int64(scrape(e, "").Body.Len()))
	for b.Loop() {
		if w := scrape(e, ""); w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/1e3/float64(b.N), "ms/scrape")
}
