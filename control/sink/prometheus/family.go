package prometheus

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// family is one metric: its name, what it means and how it is read from a Snapshot.
type family struct {
	name   string
	kind   prometheus.ValueType
	help   string
	labels []string
	limit  int // series
	// rows adds the series; nil for a histogram.
	rows func(s *Snapshot, out *series)
	// histogram may return nil: one that is empty.
	histogram func(s *Snapshot) *Histogram
	empty     func() *Histogram
}

// Limits of series per family. Hardware bounds most families well below maxSeries; it is there
// for what a fault elsewhere might do.
const (
	MaxAttackSeries = 64 // shown of the active attacks, the greatest first
	maxSeries       = 4096
)

// families returns all that a scrape shows, but for the count of series left out.
func families() (all []family) {
	for _, some := range [][]family{
		sourceFamilies(), queueFamilies(), workerFamilies(), packetFamilies(), flowFamilies(),
		trafficFamilies(), attackFamilies(), mitigationFamilies(), speakerFamilies(),
		loopFamilies(), daemonFamilies(),
	} {
		all = append(all, some...)
	}
	return all
}

// counter is a family of one series that never goes down.
func counter(name, help string, value func(s *Snapshot) uint64) family {
	return family{
		name: name, kind: prometheus.CounterValue, help: help, limit: 1,
		rows: func(s *Snapshot, out *series) { out.add(float64(value(s))) },
	}
}

// gauge is a family of one series that goes up and down.
func gauge(name, help string, value func(s *Snapshot) float64) family {
	return family{
		name: name, kind: prometheus.GaugeValue, help: help, limit: 1,
		rows: func(s *Snapshot, out *series) { out.add(value(s)) },
	}
}

// counters is a family of a counter for each value of labels, which are separated by spaces.
func counters(name, labels, help string, rows func(s *Snapshot, out *series)) family {
	return family{
		name: name, kind: prometheus.CounterValue, help: help, labels: strings.Fields(labels),
		limit: maxSeries, rows: rows,
	}
}

// gauges is a family of a gauge for each value of labels, which are separated by spaces.
func gauges(name, labels, help string, rows func(s *Snapshot, out *series)) family {
	f := counters(name, labels, help, rows)
	f.kind = prometheus.GaugeValue
	return f
}

// truth is how Prometheus writes yes and no.
func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
