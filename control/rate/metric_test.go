package rate

import (
	"strings"
	"testing"
)

func TestParseMetricSuccess(t *testing.T) {
	seen := map[string]bool{}
	for m := range NumMetrics {
		name := m.String()
		if name == "" || seen[name] {
			t.Errorf("metric %d has the name %q, empty or another's", m, name)
		}
		seen[name] = true
		if got, ok := ParseMetric(name); !ok || got != m {
			t.Errorf("ParseMetric(%q) = %v, %v; want %v", name, got, ok, m)
		}
		if m.IsBits() != strings.HasSuffix(name, "bps") {
			t.Errorf("%s: IsBits is %v", name, m.IsBits())
		}
	}
}

func TestParseMetricFailure(t *testing.T) {
	for _, name := range []string{"", "PPS", "pps ", "total_pps", "other_pps", "tcp_fps", "udp"} {
		if m, ok := ParseMetric(name); ok {
			t.Errorf("ParseMetric(%q) = %v, want none", name, m)
		}
	}
}

// Every metric reads what its name says, and nothing else.
func TestMetricReads(t *testing.T) {
	var r Rates
	for c := range NumClasses {
		r.Packets[c], r.Bits[c] = 100+uint64(c), 200+uint64(c)
	}
	r.Flows = 300
	f := func(name string, want uint64) {
		t.Helper()
		m, ok := ParseMetric(name)
		if !ok {
			t.Fatalf("no metric %q", name)
		}
		if got := r.Metric(m); got != want {
			t.Errorf("%s reads %d, want %d", name, got, want)
		}
	}
	f("fps", 300)
	for c := range NumClasses {
		switch c {
		case Total:
			f("pps", 100)
			f("bps", 200)
		case Other: // counted, with no metric of its own
		default:
			f(c.String()+"_pps", 100+uint64(c))
			f(c.String()+"_bps", 200+uint64(c))
		}
	}
}

func TestNames(t *testing.T) {
	if Incoming.String() != "incoming" || Outgoing.String() != "outgoing" {
		t.Errorf("directions are %v and %v", Incoming, Outgoing)
	}
	seen := map[string]bool{}
	for c := range NumClasses {
		if name := c.String(); name == "" || seen[name] {
			t.Errorf("class %d has the name %q, empty or another's", c, name)
		}
		seen[c.String()] = true
	}
}
