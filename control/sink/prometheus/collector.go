package prometheus

import (
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
)

// collector turns a Snapshot into series.
//
// Concurrency: any number of scrapes at a time.
type collector struct {
	src      Source
	families []family
	descs    []*prometheus.Desc // of the families
	left     []atomic.Uint64    // series left out of the families
	leftDesc *prometheus.Desc
}

func newCollector(src Source) *collector {
	c := &collector{src: src, families: families()}
	c.left = make([]atomic.Uint64, len(c.families))
	for i := range c.families {
		f := &c.families[i]
		c.descs = append(c.descs, prometheus.NewDesc(f.name, f.help, f.labels, nil))
	}
	limited := limitedFamily()
	c.leftDesc = prometheus.NewDesc(limited.name, limited.help, limited.labels, nil)
	return c
}

// limitedFamily counts the series that scrapes left out, by their family. It has no rows: those
// are the collector's own.
func limitedFamily() family {
	return counters("weir_series_limited_total", "family",
		"Series left out of scrapes, because their family had too many.", nil)
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
	ch <- c.leftDesc
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := c.src.Metrics()
	if s == nil {
		s = &Snapshot{}
	}
	for i := range c.families {
		f := &c.families[i]
		out := &series{ch: ch, desc: c.descs[i], kind: f.kind, room: f.limit}
		if f.rows == nil {
			out.histogram(f, s)
			continue
		}
		f.rows(s, out)
		left := c.left[i].Add(uint64(out.left))
		if left > 0 || f.limit == MaxAttackSeries { // the others are not expected
			ch <- metric(c.leftDesc, prometheus.CounterValue, float64(left), f.name)
		}
	}
}

// series takes those of one family during one scrape.
type series struct {
	ch   chan<- prometheus.Metric
	desc *prometheus.Desc
	kind prometheus.ValueType
	room int // for so many more
	left int
}

// add adds one with its value, and those of its labels in their family's order.
func (s *series) add(value float64, labels ...string) {
	if s.room == 0 {
		s.omit(1)
		return
	}
	s.room--
	for i := range labels {
		labels[i] = clean(labels[i])
	}
	s.ch <- metric(s.desc, s.kind, value, labels...)
}

// omit counts series that are not even offered.
func (s *series) omit(n int) { s.left += n }

func (s *series) histogram(f *family, snapshot *Snapshot) {
	h := f.histogram(snapshot)
	if h == nil {
		h = f.empty()
	}
	all, buckets := h.cumulative()
	m, err := prometheus.NewConstHistogram(s.desc, all, h.sum, buckets)
	if err != nil {
		m = prometheus.NewInvalidMetric(s.desc, err)
	}
	s.ch <- m
}

// metric makes a series, or one that reports what is wrong with it.
func metric(
	desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string,
) prometheus.Metric {
	m, err := prometheus.NewConstMetric(desc, kind, value, labels...)
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return m
}

// maxLabel bounds the value of a label, bytes.
const maxLabel = 64

// clean makes v a label's value that every reader takes: valid, visible and short. Values from
// outside are only names of interfaces, but what holds for all needs no exception.
func clean(v string) string {
	bad := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	if len(v) <= maxLabel && strings.IndexFunc(v, bad) < 0 {
		return v
	}
	var b strings.Builder
	for _, r := range v {
		if bad(r) {
			r = '_'
		}
		if b.Len()+utf8.RuneLen(r) > maxLabel {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}
