package prometheus

import (
	"flag"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// update rewrites the golden files with what is found.
func update() bool { return flag.Lookup("update").Value.(flag.Getter).Get().(bool) }

func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite the golden files")
	flag.Parse()
	os.Exit(m.Run())
}

// fixed is a Source that always says the same.
type fixed struct{ *Snapshot }

func (f fixed) Metrics() *Snapshot { return f.Snapshot }

// sample is a weir with something of everything.
func sample() *Snapshot {
	ticks, latency := NewTickHistogram(), NewLatencyHistogram()
	for _, ms := range []time.Duration{1, 3, 3, 40, 3000} {
		ticks.Observe(ms * time.Millisecond)
	}
	latency.Observe(640 * time.Millisecond)
	return &Snapshot{
		Version: "v1.2.3", Mode: "observe",
		Config: Config{
			Hash: "0123456789abcdef", Loaded: time.UnixMilli(1_700_000_000_250), ReloadOK: true,
		},
		Memory: Memory{Tables: 1 << 30, Budget: 4 << 30},
		Interfaces: []Interface{
			{Name: "eth1", Passed: 12, Queues: []Queue{
				{
					Queue: 0, Up: true, XDP: "zerocopy", Received: 1000, Bytes: 64000,
					Dropped: map[string]uint64{"rx_ring_full": 5, "fill_ring_empty": 0},
					Worker:  0, Core: 2, Busy: .25, Fill: .5,
					Lost: Places{NIC: 1, XDP: 2, Ring: 5, Table: 4},
					Granted: &Granted{
						BusyPoll: "on", Huge: "hugetlb", Node: 1, Frames: 8192, Fill: .25,
					},
				},
				{
					Queue: 1, XDP: "generic", Received: 10, Bytes: 640, NoZeroCopy: true,
					Worker: 1, Core: -1,
				},
			}},
			{Name: "eth2", Queues: []Queue{{Up: true, Received: 7, Bytes: 700}}},
		},
		Workers: []Worker{
			{Worker: 0, Core: 2, Packets: 1010, Busy: .25, Gap: .002, Fill: .5},
			{Worker: 1, Core: -1, Packets: 7},
		},
		Packets: Packets{
			Processed: 1010, Shed: 7, Foreign: 100, Internal: 10, Ignored: 2,
			Unlisted: 3, Unplaced: 1,
			Errors:  map[string]uint64{"not_ip": 3, "truncated": 0},
			Damaged: map[string]uint64{"bad_length": 2},
		},
		Loop: Loop{Ticks: ticks, LateFlips: 1, LostSamples: 2, LostHints: 3},
		Incoming: Traffic{
			TCP: 400, UDP: 300, ICMP: 20, Other: 10, SYN: 30, Fragments: 4, Bytes: 500_000,
			PeakPPS: 81_000,
		},
		Outgoing: Traffic{TCP: 150, Bytes: 90_000, PeakPPS: 90},
		Hosts:    42,
		Attacks: Attacks{
			Active: 1, Total: 9, Refused: 1, ReportErrors: 2, Latency: latency,
			Now: []Attack{
				{Target: "198.51.100.7", Vector: "udp_flood", PPS: 81_000},
				{Target: "2001:db8::7", Vector: "syn_flood", PPS: 9_000},
			},
			Mitigations: []Mitigation{{Kind: "blackhole", State: "dry_run", Active: 1}},
		},
		Mitigation: Mitigating{
			Frozen:  true,
			Refused: map[string]uint64{"protected": 3, "max_share": 0},
			Peers: []Peer{
				{Address: "192.0.2.254", Up: true, Routes: 1, Flaps: 2},
				{Address: "2001:db8:ffff::1"},
			},
			Speaker: &Speaker{Up: true, Restarts: 1}, Journal: &Journal{Healthy: true, Refused: 4},
			Actions: []Action{
				{Name: "script", Done: 40, Failed: 2, TimedOut: 1, Dropped: 5}, {Name: "exabgp"},
			},
		},
		Flows:     sampleFlows(),
		LogHidden: 11,
	}
}

func sampleFlows() *Flows {
	number := func(v float64) *float64 { return &v }
	return &Flows{
		Datagrams: 900, Records: 27_000, Foreign: 30, Ignored: 8, Unlisted: 5, Hidden: 2,
		Script: &FlowScript{
			Called: 400, Failed: 3, Unasked: map[string]uint64{"over_budget": 6, "given_up": 0},
		},
		Dropped: map[string]uint64{"socket_full": 4, "denied": 3, "invalid": 2, "shed": 0},
		Skipped: map[string]uint64{"no_template": 12, "nat_event": 0},
		Faults:  map[string]uint64{"bad_field": 1},
		Ports: []FlowPort{
			{
				Listen: ":2055", Buffer: 1 << 20,
				Sockets: []FlowSocket{{500, 700_000}, {404, 60_000}},
			},
			{
				Listen: ":4739", Buffer: 1 << 20, Sockets: []FlowSocket{{}},
				Connections: &FlowConnections{Open: 2, Accepted: 3, Refused: 1, Messages: 70},
			},
		},
		Templates: Templates{
			Held: 24, Bytes: 20_000, Learned: 25, Replaced: 1, Evicted: 2, Refused: 3,
		},
		Exporters: []FlowExporter{
			{Address: "192.0.2.9", Datagrams: 800, Records: 24_000, Lost: 8, Sampling: 1000,
				Protocol: "netflow9", SamplingFrom: "options",
				Skew: number(-.5), Duration: number(4.095), Delay: number(65.535)},
			{Address: "2001:db8::9", Datagrams: 90, Missing: 12, Protocol: "ipfix",
				SamplingFrom: "unknown"},
		},
		Others: FlowExporter{Datagrams: 10, Records: 3000, Lost: 1},
	}
}

// text returns what a scrape shows of weir's own families.
func text(t *testing.T, s *Snapshot) string {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(newCollector(fixed{s}))
	w := httptest.NewRecorder()
	promhttp.HandlerFor(r, promhttp.HandlerOpts{}).ServeHTTP(w,
		httptest.NewRequest("GET", "/metrics", nil))
	body, err := io.ReadAll(w.Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("status %d, %v: %s", w.Code, err, body)
	}
	return string(body)
}

func TestGoldenText(t *testing.T) {
	const file = "testdata/metrics.txt"
	got := strings.ReplaceAll(text(t, sample()), runtime.Version(), "GOVERSION")
	if update() {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestReadme holds the table of the README to the families, row by row.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[prometheus.ValueType]string{
		0: "histogram", prometheus.CounterValue: "counter", prometheus.GaugeValue: "gauge",
	}
	want := ""
	for _, f := range append(families(), limitedFamily()) {
		want += fmt.Sprintf("| `%s` | %s | %s | %s |\n", f.name, kinds[f.kind],
			strings.Join(f.labels, ", "), f.help)
	}
	begin := strings.Index(string(readme), "| `weir_")
	end := strings.LastIndex(string(readme), "| `weir_")
	end += strings.Index(string(readme[end:]), "\n") + 1
	if begin < 0 {
		t.Fatal("README.md has no table")
	}
	if update() {
		readme = []byte(string(readme[:begin]) + want + string(readme[end:]))
		if err := os.WriteFile("README.md", readme, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got := string(readme[begin:end]); got != want {
		t.Errorf("README.md has\n%s\nwant\n%s", got, want)
	}
}
