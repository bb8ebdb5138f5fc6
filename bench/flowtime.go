package bench

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"weir/control/rate"
	"weir/counters"
)

// FlowTime is how well weir tells from a router's records what was on the wire, and when.
type FlowTime struct {
	Type     string `json:"type"`
	Bench    string `json:"bench"`
	Workload string `json:"workload"` // traffic and cache: what tells results apart
	Traffic  string `json:"traffic"`
	ActiveMS int64  `json:"active_ms"` // the active timeout; 0: none
	Aligned  bool   `json:"aligned"`
	Sampling uint32 `json:"sampling"`
	Sent     uint64 `json:"sent"`  // packets
	Told     uint64 `json:"told"`  // packets of all records times N, long flows clipped
	Shown    uint64 `json:"shown"` // packets of all seconds
	Records  int    `json:"records"`

	// Relative errors of the rate shown in a second while traffic is steady, from three seconds
	// after the first export on, or after the second one where the cache is aligned: against the
	// true rate, or of mixed traffic against its records, each at its even rate. Zero where traffic
	// is never steady.
	MeanError float64 `json:"mean_error"`
	MaxError  float64 `json:"max_error"`
	// Bias is the mean of the rates shown by the mean of the true ones.
	Bias float64 `json:"bias"`
	// Peak is the highest rate shown until the last packet, PeakAfter after it, by the true one.
	Peak      float64 `json:"peak"`
	PeakAfter float64 `json:"peak_after"`
	// First is the rate shown in the second of the first export, by the true one or what that
	// export tells of, whichever is less.
	First float64 `json:"first"`
	// OwnMS is how long after the first packet the router had told of a second's worth of half the
	// true rate, ExtraMS how much longer it took until a second had ended that showed more than
	// that. Never is negative. Zero for mixed traffic, which is no attack.
	OwnMS   int64 `json:"own_ms"`
	ExtraMS int64 `json:"extra_ms"`

	// The same when all counts are taken to be of the second in which they come.
	NaiveMean float64 `json:"naive_mean_error"`
	NaiveMax  float64 `json:"naive_max_error"`
	NaivePeak float64 `json:"naive_peak"`

	Host     Host     `json:"host"`
	Degraded []string `json:"degraded"` // never: nothing depends on the machine
}

// benchFlowCache is what results of SimulateFlows are called.
const benchFlowCache = "flowcache"

// flowTime is the simulation: a router, and a collector that counts as weir does.
type flowTime struct {
	traffic FlowTraffic
	cache   FlowCache
	router  *router
	emit    emitter
	from    int64 // ms: the traffic's first packet
	to      int64

	memory counters.Memory
	layout *counters.Layout
	table  *counters.Table
	merger *counters.Merger
	spread *rate.Spreader
	slot   uint32

	truth, shown, naive, even []float64 // packets, by second
	exact                     float64   // packets told
	result                    FlowTime
}

// SimulateFlows runs traffic through a router with that flow cache, and its records through weir.
func SimulateFlows(t FlowTraffic, c FlowCache) (FlowTime, error) {
	s := &flowTime{traffic: t, cache: c, router: newRouter(&c), emit: t.source(&t)}
	defer s.memory.Close()
	if err := s.prepare(); err != nil {
		return FlowTime{}, err
	}
	s.from = (2*c.Active + c.Active/2).Milliseconds() + 2130 // amid an interval
	s.from -= s.from % step
	s.to = s.from + t.lasts(&c).Milliseconds()
	seconds := s.to/1000 + int64((c.Active + c.Inactive).Seconds()) + counters.Spread + 5
	for second := range seconds {
		s.second(second)
	}
	s.conclude()
	return s.result, nil
}

func (s *flowTime) prepare() (err error) {
	host := netip.AddrFrom4([4]byte{10, 0, 0, 1})
	home := []netip.Prefix{netip.PrefixFrom(host, 24).Masked()}
	if s.layout, err = counters.NewFlowLayout(home, 1, 64<<20); err != nil {
		return err
	}
	if s.table, err = counters.NewTable(&s.memory, s.layout); err != nil {
		return err
	}
	if s.merger, err = counters.NewMerger(&s.memory, s.layout); err != nil {
		return err
	}
	slot, direct, ok := s.layout.Slot(host)
	if !direct || !ok {
		return fmt.Errorf("find the slot of %s: it has none", host)
	}
	s.slot = slot
	s.spread = rate.NewSpreader(s.layout)
	s.merger.Reset(0)
	return nil
}

// second simulates one second of the collector.
func (s *flowTime) second(number int64) {
	sent := uint64(0)
	for now := number * 1000; now < (number+1)*1000; now += step {
		if now%1000 == look {
			s.router.age(now)
		}
		if now >= s.from && now < s.to {
			sent += s.emit(s.router, now)
		}
	}
	s.result.Sent += sent
	s.truth, s.naive = append(s.truth, float64(sent)), append(s.naive, 0)
	for _, r := range s.router.take() {
		s.record(number, &r)
	}
	s.merger.Add(s.table, 1)
	s.spread.Second(s.merger, rate.Second)
	shown := uint64(0)
	for i := range s.merger.Len() {
		packets, _ := s.merger.Entry(i).Total()
		shown += packets
	}
	s.result.Shown += shown
	s.shown = append(s.shown, float64(shown))
	s.merger.Reset((number + 1) * int64(time.Second))
	s.table.Start = (number + 1) * int64(time.Second)
}

// record counts what the router tells in a second.
func (s *flowTime) record(second int64, r *exported) {
	const most = counters.Spread * 1000
	n := r.packets * uint64(s.cache.Sampling)
	s.table.CountFlows([]counters.FlowOp{{
		Packets: n, Bytes: 100 * n, Samples: r.packets, Rate: s.cache.Sampling,
		Milli: uint32(r.duration), Age: uint32(r.age), Slot: s.slot, Class: counters.UDP,
	}}, r.at*int64(time.Millisecond))
	s.result.Records++
	s.naive[second] += float64(n)
	packets, duration := float64(n), r.duration
	if duration > most {
		packets *= most / float64(duration)
		duration = most
	}
	s.exact += packets
	s.spreadEvenly(second*1000, packets, max(duration, 1000))
	limit := float64(s.traffic.Rate) / 2
	if s.result.OwnMS == 0 && s.exact >= limit && limit > 0 {
		s.result.OwnMS = r.at - s.from
	}
}

// spreadEvenly adds packets to even, at the same rate from that millisecond on.
func (s *flowTime) spreadEvenly(from int64, packets float64, duration int64) {
	for left := duration; left > 0; from += 1000 {
		part := min(left, 1000)
		left -= part
		for int64(len(s.even)) <= from/1000 {
			s.even = append(s.even, 0)
		}
		s.even[from/1000] += packets * float64(part) / float64(duration)
	}
}

// conclude compares.
func (s *flowTime) conclude() {
	r := &s.result
	r.Type, r.Bench, r.Traffic = "bench", benchFlowCache, s.traffic.Name
	r.ActiveMS, r.Aligned = s.cache.Active.Milliseconds(), s.cache.Aligned
	r.Workload, r.Host, r.Degraded = s.name(), ThisHost(), []string{}
	r.Sampling, r.Told = s.cache.Sampling, uint64(math.Round(s.exact))
	first := 0
	for first < len(s.shown)-1 && s.naive[first] == 0 {
		first++
	}
	from, to := first+3, int(s.to/1000)
	if s.cache.Aligned {
		from += int(s.cache.Active / time.Second)
	}
	truth := float64(s.traffic.Rate)
	if s.traffic.varies {
		from = int((s.cache.Active + s.cache.Inactive).Seconds()) + int(s.from/1000) + 300
		truth = mean(s.truth[from:to])
	} else {
		r.First = s.shown[first] / min(truth, s.naive[first])
		r.ExtraMS = s.detection(truth / 2)
		if r.ExtraMS > 0 {
			r.ExtraMS -= r.OwnMS
		}
	}
	if s.traffic.steady {
		reference := func(at int) float64 {
			if s.traffic.varies {
				return s.even[at]
			}
			return truth
		}
		r.MeanError, r.MaxError = deviation(s.shown[from:to], from, reference)
		r.NaiveMean, r.NaiveMax = deviation(s.naive[from:to], from, reference)
		r.Bias = mean(s.shown[from:to]) / truth
	}
	r.Peak, r.PeakAfter = highest(s.shown[:to])/truth, highest(s.shown[to:])/truth
	r.NaivePeak = highest(s.naive) / truth
}

// name is that of the case, as in flood/60s/1:100.
func (s *flowTime) name() string {
	c := &s.cache
	aligned := ""
	if c.Aligned {
		aligned = "/aligned"
	}
	return fmt.Sprintf("%s/%.0fs%s/1:%d", s.traffic.Name, c.Active.Seconds(), aligned, c.Sampling)
}

// detection returns how long after the first packet the first second ended that shows more than
// limit, ms; -1: none did.
func (s *flowTime) detection(limit float64) int64 {
	for i, shown := range s.shown {
		if shown > limit {
			return int64(i+1)*1000 - s.from
		}
	}
	return -1
}

// deviation returns the mean and the greatest relative difference of rates, of which the first is
// of second from.
func deviation(rates []float64, from int, truth func(second int) float64) (mean, most float64) {
	for i, r := range rates {
		d := math.Abs(r-truth(from+i)) / truth(from+i)
		mean += d / float64(len(rates))
		most = max(most, d)
	}
	return mean, most
}

func mean(list []float64) (m float64) {
	for _, v := range list {
		m += v / float64(len(list))
	}
	return m
}

func highest(list []float64) (m float64) {
	for _, v := range list {
		m = max(m, v)
	}
	return m
}
