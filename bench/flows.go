package bench

import (
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"weir/counters"
	"weir/decode"
	"weir/decode/netflow"
	"weir/decode/sflow"
	"weir/fastpath"
	"weir/ring"
	"weir/tools/blast"
)

// Stages of `weir bench flows`.
const (
	StageDecode    = "decode"     // what counting needs of a record
	StageDecodeAll = "decode_all" // everything, as `weir decode flows` prints it
	StageCount     = "count"      // decode and count: the whole worker
)

// FlowStages returns the stages in their order.
func FlowStages() []string { return []string{StageDecode, StageDecodeAll, StageCount} }

const recordTime = 1000 // nanoseconds of the stream's clock per record: a million a second

// FlowsConfig says what `weir bench flows` runs.
type FlowsConfig struct {
	Workload blast.ExportWorkload
	Stage    string
	Cold     bool // datagrams are read where no cache has them; else as just copied from a socket
	Records  int  // per run, or a few more
	Runs     int
	Groups   int // hostgroups
	Networks []netip.Prefix
	Degraded []string // what is known to be amiss with the machine
}

// FlowsResult is one workload's result: the medians of the runs.
type FlowsResult struct {
	Type        string  `json:"type"`
	Bench       string  `json:"bench"`
	Workload    string  `json:"workload"`
	Stage       string  `json:"stage"`
	Memory      string  `json:"memory"`  // "hot" or "cold": where the datagrams are
	Records     int     `json:"records"` // per run
	NSPerRecord float64 `json:"cpu_ns_per_record"`
	MRPS        float64 `json:"mrps"`
	Flows       bool    `json:"flow_tracking"` // whether records were counted
	*Counted
	Figures
}

// flows is a stage on a stand-in for a socket.
type flows struct {
	config  FlowsConfig
	source  *datagrams
	step    func() (int, error) // takes one burst, returns its datagrams
	seen    int                 // records that step has returned, where it can tell
	worker  *fastpath.FlowWorker
	tables  *tables
	decoder decoder
	batch   ring.Batch
	arrival decode.Arrival
	records [ring.BurstSize]decode.Record
	counts  Counted
	last    int // records of the last run
}

// decoder is netflow.Decoder or sflow.Decoder.
type decoder interface {
	Begin(a *decode.Arrival)
	Next(out []decode.Record) int
	Datagram() *decode.Datagram
}

// Flows measures weir's work per flow record on one core, from a datagram in memory on: the
// decoder alone, or a worker with real tables, with an epoch flip each second of the stream.
// What the kernel does for a socket and merging the tables are not measured.
func Flows(c *FlowsConfig) (FlowsResult, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f := &flows{config: *c, source: newDatagrams(&c.Workload, c.Cold)}
	if err := f.prepare(); err != nil {
		return FlowsResult{}, err
	}
	if f.tables != nil {
		defer f.tables.memory.Close()
	}
	warm := min(f.source.total, c.Records) // templates are told at the beginning
	if _, _, err := f.run(warm); err != nil {
		return FlowsResult{}, err
	}
	f.counts = Counted{}
	ns, figures, err := repeat(c.Runs, func() (time.Duration, int, error) {
		used, records, err := f.run(c.Records)
		f.last = records
		return used, records, err
	})
	if err != nil {
		return FlowsResult{}, err
	}
	r := FlowsResult{
		Type: "bench", Bench: "flows", Workload: c.Workload.Name, Stage: c.Stage,
		Memory: memoryName(!c.Cold), Records: f.last, NSPerRecord: ns, MRPS: 1e3 / ns,
		Figures: figures,
	}
	r.Degraded = append(r.Degraded, c.Degraded...)
	if f.tables == nil {
		return r, nil
	}
	r.Flows, r.Counted = true, &f.counts
	if !f.tables.layout.Networks[0].Direct {
		r.Degraded = append(r.Degraded, reasonDirectory)
	}
	return r, nil
}

// prepare makes what the stage needs.
func (f *flows) prepare() (err error) {
	c := &f.config
	cache, inner := netflow.NewCache(netflow.Limits{}), &decode.Decoder{}
	switch c.Stage {
	case StageDecode:
		f.decoder = netflow.NewDecoder(cache, netflow.Counted, inner)
		if c.Workload.SFlow {
			f.decoder = sflow.NewDecoder(sflow.Counted, inner)
		}
		f.step = f.decode
		return nil
	case StageDecodeAll:
		f.decoder = netflow.NewDecoder(cache, netflow.All, inner)
		if c.Workload.SFlow {
			f.decoder = sflow.NewDecoder(sflow.All, inner)
		}
		f.step = f.decode
		return nil
	case StageCount:
	default:
		return fmt.Errorf("find stage %q: it is none of %q", c.Stage, FlowStages())
	}
	f.tables, err = newTables(counters.NewFlowLayout, c.Networks, c.Groups)
	if err != nil {
		return err
	}
	rules, err := fastpath.NewExportRules(nil, nil, 1)
	if err != nil {
		return err
	}
	f.worker = fastpath.NewFlowWorker(&fastpath.FlowConfig{
		Config: fastpath.Config{Source: f.source, Seed: seed, First: f.tables.first()},
		Cache:  cache, Exporters: fastpath.NewExporters(1024, seed), Rules: rules, Inner: inner,
	})
	f.step = f.worker.Step
	return nil
}

// decode reads one burst, and leaves the records.
func (f *flows) decode() (int, error) {
	n, err := f.source.Poll(&f.batch)
	a := &f.arrival
	for i := range n {
		frame := f.batch.Data(i)
		a.Source.Hi, a.Source.Lo, a.Port = ring.Sender(frame)
		a.Payload, a.Time = frame[ring.SenderLen:], f.batch.Frames[i].Time
		f.decoder.Begin(a)
		for got := f.decoder.Next(f.records[:]); got > 0; got = f.decoder.Next(f.records[:]) {
			f.seen += got
		}
	}
	f.source.Release(&f.batch)
	return n, err
}

// run takes records and returns the CPU time that this took, and how many they were in the end.
func (f *flows) run(records int) (used time.Duration, done int, err error) {
	for done < records {
		datagrams, inside := f.source.stage()
		want := f.counted() + inside
		begin := threadTime()
		for left := datagrams; left > 0; {
			got, err := f.step()
			if err != nil || got == 0 {
				return 0, 0, fmt.Errorf("poll: %d datagrams of %d: %w", got, left, err)
			}
			left -= got
		}
		used += threadTime() - begin
		if got := f.counted(); got != want {
			return 0, 0, fmt.Errorf("%s: %d records of %d", f.config.Stage, got, want)
		}
		done += inside
		f.source.clock += recordTime * int64(inside)
		if err := f.control(); err != nil {
			return 0, 0, err
		}
	}
	return used, done, nil
}

// counted returns how many records were taken: since the last flip, where there are flips.
func (f *flows) counted() int {
	if f.tables == nil {
		return f.seen
	}
	x := &f.tables.table().Stats.Exports
	return int(x.Records - x.Unslotted)
}

// control does what the other core does: it drains the queue of samples, and flips and merges each
// second.
func (f *flows) control() error {
	if f.tables == nil {
		return nil
	}
	for f.worker.Samples.Front() != nil {
		f.worker.Samples.Advance()
		f.counts.Samples++
	}
	t := f.tables
	if f.source.clock-t.flipped < int64(time.Second) {
		return nil
	}
	t.flipped = f.source.clock
	if err := t.flip(f.worker); err != nil {
		return err
	}
	f.counts.Hosts = t.merger.Len()
	f.counts.Flips++
	return nil
}
