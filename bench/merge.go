package bench

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"weir/control/detect"
	"weir/control/rate"
	"weir/counters"
)

// mergePackets is what each host of MergeConfig gets on each worker: as many flows.
const mergePackets = 4

// MergeConfig says what the merge of a second is measured on.
type MergeConfig struct {
	Workers  int // whose tables are merged
	Hosts    int // active on each of them; the same ones
	Cores    int // that merge them; 0 is 1
	Runs     int
	Degraded []string
}

// MergeResult is what a second costs the control loop: its tables merged, its hosts looked at.
type MergeResult struct {
	Type     string  `json:"type"`
	Bench    string  `json:"bench"`
	Workload string  `json:"workload"`
	Workers  int     `json:"workers"`
	Hosts    int     `json:"hosts"`
	PerHost  float64 `json:"cpu_ns_per_host"` // merged and judged
	Flows    bool    `json:"flow_tracking"`
	Merge    float64 `json:"merge_ms"`        // of all tables: the core that takes longest
	Serial   float64 `json:"merge_serial_ms"` // of it: while the other cores wait
	Judge    float64 `json:"judge_ms"`        // of all hosts, none near a limit
	Slot     float64 `json:"ns_per_slot"`
	Tables   uint64  `json:"table_bytes"` // that such workers and their merged second take
	Figures          // per host of the second: merged and judged
}

// merge is several workers' tables and the control loop's half.
type merge struct {
	config MergeConfig
	memory counters.Memory
	layout *counters.Layout
	tables []*counters.Table
	merger *counters.Merger
	policy detect.Policy
	near   int // entries that judging had a closer look at

	lanes []*mergeLane // the other cores

	merging, serial, judging []float64 // of each run, ms
}

// Merge measures the merge of a second.
func Merge(c MergeConfig) (r MergeResult, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c.Cores = max(1, c.Cores)
	m := &merge{config: c}
	defer func() { err = errors.Join(err, m.memory.Close()) }()
	if err := m.prepare(); err != nil {
		return r, err
	}
	defer m.engage()()
	if _, _, err := m.second(); err != nil { // touches all memory
		return r, err
	}
	for _, list := range []*[]float64{&m.merging, &m.serial, &m.judging} {
		*list = make([]float64, 0, c.Runs)
	}
	ns, figures, err := repeat(c.Runs, m.second)
	if err != nil {
		return r, err
	}
	for _, list := range [][]float64{m.merging, m.serial, m.judging} {
		slices.Sort(list)
	}
	r = MergeResult{
		Type: "bench", Bench: "merge", Workers: c.Workers, Hosts: m.merger.Len(),
		Workload: fmt.Sprintf("%d hosts x %d", c.Hosts, c.Workers),
		Merge:    median(m.merging), Serial: median(m.serial), Judge: median(m.judging),
		Tables: m.layout.Memory(), Figures: figures, PerHost: ns, Flows: true,
	}
	r.Cores = c.Cores
	r.Slot = r.Merge * 1e6 / float64(c.Hosts*c.Workers)
	r.Degraded = append(r.Degraded, c.Degraded...)
	if m.near > 0 || r.Hosts != c.Hosts {
		return r, fmt.Errorf("merge: %d hosts of %d, %d near a limit", r.Hosts, c.Hosts, m.near)
	}
	return r, nil
}

func (m *merge) prepare() (err error) {
	if m.config.Hosts > 1<<20 {
		return fmt.Errorf("merge %d hosts: there are %d", m.config.Hosts, 1<<20)
	}
	var limits detect.Thresholds
	limits[rate.Incoming].Value[rate.PPS], limits[rate.Incoming].Set[rate.PPS] = 20_000, true
	limits[rate.Incoming].Value[rate.FPS], limits[rate.Incoming].Set[rate.FPS] = 3500, true
	m.policy.Groups = []detect.Hostgroup{{Name: detect.Global, Thresholds: limits}}
	budget, err := memoryBudget()
	if err != nil {
		return err
	}
	m.layout, err = counters.NewLayout(scaleHome(), m.config.Workers, budget)
	if err != nil {
		return err
	}
	if !m.layout.Networks[0].Direct { // slots are told by address below
		return fmt.Errorf("merge %d tables: %d bytes have no room for them", m.config.Workers,
			budget)
	}
	m.tables = make([]*counters.Table, m.config.Workers)
	for i := range m.tables {
		if m.tables[i], err = counters.NewTable(&m.memory, m.layout); err != nil {
			return err
		}
	}
	m.merger, err = counters.NewMerger(&m.memory, m.layout)
	return err
}

// fill counts packets for every host in every table, incoming.
func (m *merge) fill() {
	var expired [1]uint8
	for _, t := range m.tables {
		for i := range uint32(m.config.Hosts) {
			for p := range uint32(mergePackets) {
				op := [1]counters.Op{{
					Line: counters.Line(2 * i), Hash: (i + p*7) * 0x9e3779b1, Bytes: 60,
					Class: counters.UDP,
				}}
				if len(t.Count(op[:], 0, expired[:0])) > 0 {
					t.Touch(op[0].Line, 0)
					t.Slot(op[0].Line).Arm(1 << 20)
				}
			}
		}
	}
}

// second merges and judges a second that was filled off the clock.
func (m *merge) second() (time.Duration, int, error) {
	m.fill()
	begin := threadTime()
	m.merger.Reset(0)
	for _, t := range m.tables {
		m.merger.Reserve(t)
	}
	reserved := threadTime()
	for _, l := range m.lanes {
		l.start <- struct{}{}
	}
	m.share(0)
	longest := threadTime() - reserved
	for _, l := range m.lanes {
		longest = max(longest, <-l.done)
	}
	rest := threadTime()
	for _, t := range m.tables {
		m.merger.Add(t, 1)
	}
	m.merger.Sort()
	merged := threadTime()
	m.judge()
	end := threadTime()
	serial := reserved - begin + merged - rest
	m.merging = append(m.merging, milliseconds(serial+longest))
	m.serial = append(m.serial, milliseconds(serial))
	m.judging = append(m.judging, milliseconds(end-merged))
	return serial + longest + end - merged, m.merger.Len(), nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// parts is how many shares each core merges, one after the other: of a share of all tables the
// entries stay in the cache.
const parts = 64

// share merges what is the core's: an equal part of all tables.
func (m *merge) share(core int) {
	for number := core * parts; number < (core+1)*parts; number++ {
		for _, t := range m.tables {
			m.merger.AddShare(t, 1, number, m.config.Cores*parts)
		}
	}
}

// mergeLane is a core that merges beside the first one.
type mergeLane struct {
	start chan struct{}
	done  chan time.Duration // CPU time
}

// engage starts the other cores; the caller is to call what it returns at the end.
func (m *merge) engage() (release func()) {
	for core := 1; core < m.config.Cores; core++ {
		l := &mergeLane{make(chan struct{}), make(chan time.Duration)}
		m.lanes = append(m.lanes, l)
		go func() {
			runtime.LockOSThread()
			defer close(l.done)
			for range l.start {
				begin := threadTime()
				m.share(core)
				l.done <- threadTime() - begin
			}
		}()
	}
	return func() {
		for _, l := range m.lanes {
			close(l.start)
			<-l.done
		}
	}
}

// judge looks at every host as the loop does at a tick.
func (m *merge) judge() {
	packets, bits, flows := m.policy.Quiet(rate.Incoming)
	for i := range m.merger.Len() {
		e := m.merger.Entry(i)
		p, b := e.Total()
		if p > packets || 8*b > bits {
			m.near++
			continue
		}
		if p <= flows {
			continue
		}
		if n, _ := m.merger.Flows(e); n > flows {
			m.near++
		}
	}
}
