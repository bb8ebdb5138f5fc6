// Package bench measures weir: each scenario prints one number per workload, with the facts of
// the machine beside it. CPU time, not wall time; medians of several runs; nothing allocated.
package bench

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"time"

	"weir/counters"
	"weir/decode"
	"weir/fastpath"
	"weir/ring/ringtest"
	"weir/tools/blast"
)

// The memory that frames lie in: what a queue of 4096 frames touches again and again, and a cold
// set behind it, so that no frame is in a near cache when it is read.
const (
	hotFrames   = 4096
	frameSize   = 2048
	coldFrames  = 64 << 20 / frameSize
	allFrames   = hotFrames + coldFrames
	packetTime  = 67.2 // nanoseconds of the stream's clock per packet: 10 GbE of 64 bytes
	chunk       = 4096 // packets between two looks at the clock
	warmPackets = 4 * allFrames
)

// seed makes every random choice of a benchmark the same in every run.
const seed = 0x77656972

// PipelineConfig says what `weir bench pipeline` runs.
type PipelineConfig struct {
	Workload blast.Workload
	Packets  int // per run
	Runs     int
	Groups   int // hostgroups
	Networks []netip.Prefix
}

// Home returns the networks that the workloads attack: tables for 2^24 IPv4 hosts.
func Home() []netip.Prefix { return []netip.Prefix{blast.Home4(), blast.Home6()} }

// PipelineResult is one workload's result: the medians of the runs.
type PipelineResult struct {
	Type         string   `json:"type"`
	Bench        string   `json:"bench"`
	Workload     string   `json:"workload"`
	Cores        int      `json:"cores"`
	Packets      int      `json:"packets"` // per run
	Runs         int      `json:"runs"`
	Seconds      float64  `json:"seconds"` // CPU time of a run
	NSPerPacket  float64  `json:"cpu_ns_per_packet"`
	Lowest       float64  `json:"cpu_ns_lowest"`
	Highest      float64  `json:"cpu_ns_highest"`
	MPPS         float64  `json:"mpps"`
	Allocs       uint64   `json:"allocs"` // of the run with fewest: the runtime has its own
	FlowTracking bool     `json:"flow_tracking"`
	Flips        int      `json:"flips"`
	Hosts        int      `json:"hosts"` // active in the last whole second
	Samples      uint64   `json:"samples"`
	Hints        uint64   `json:"hints"`
	Host         Host     `json:"host"`
	Degraded     []string `json:"degraded"`
}

// pipeline is a worker on the real rings with a stand-in for the kernel.
type pipeline struct {
	*fastpath.Worker
	config    PipelineConfig
	kernel    *ringtest.Kernel
	umem      []byte
	put       func(frame []byte) int // writes the next frame of the workload
	direct    bool                   // the home network has a slot per address
	clock     float64                // nanoseconds of the stream
	memory    counters.Memory
	policy    *fastpath.Policy
	tables    [2]*counters.Table
	merger    *counters.Merger
	directory *counters.Directory
	epochs    [2]fastpath.Epoch
	seq       uint64
	flipped   int64
	placed    int // frames until the contents are renewed
	result    PipelineResult
}

// Pipeline measures weir's half of the work per packet on one core: rings, decoding, lookup,
// counting, flow estimate, hints and samples, with an epoch flip each second of the stream.
// Filling the frames and merging the tables are others' work, and not measured.
func Pipeline(c PipelineConfig) (PipelineResult, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p, err := newPipeline(c)
	if err != nil {
		return PipelineResult{}, err
	}
	defer p.memory.Close()
	if _, err := p.run(warmPackets); err != nil {
		return PipelineResult{}, err
	}
	runtime.GC()
	runs := make([]float64, c.Runs)
	steal := stolen()
	for i := range runs {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		used, err := p.run(c.Packets)
		if err != nil {
			return PipelineResult{}, err
		}
		runtime.ReadMemStats(&after)
		if n := after.Mallocs - before.Mallocs; i == 0 || n < p.result.Allocs {
			p.result.Allocs = n
		}
		runs[i] = float64(used.Nanoseconds()) / float64(c.Packets)
	}
	return p.conclude(runs, stolen()-steal), nil
}

func newPipeline(c PipelineConfig) (*pipeline, error) {
	p := &pipeline{config: c, seq: 1, umem: make([]byte, allFrames*frameSize)}
	p.put = c.Workload.Frames().Next
	var err error
	p.kernel, err = ringtest.NewKernel(ringtest.Config{
		Frames: allFrames, FrameSize: frameSize, UMEM: p.umem,
		Clock: func() int64 { return int64(p.clock) },
	})
	if err != nil {
		return nil, err
	}
	total, err := counters.MachineMemory()
	if err != nil {
		return nil, err
	}
	layout, err := counters.NewLayout(c.Networks, 1, min(1<<34, total/4*3))
	if err != nil {
		return nil, err
	}
	p.direct = layout.Networks[0].Direct
	p.policy, err = fastpath.NewPolicy(layout, groups(c.Groups), &decode.Decoder{}, 1)
	if err != nil {
		return nil, err
	}
	var errs [3]error
	p.tables[0], errs[0] = counters.NewTable(&p.memory, layout)
	p.tables[1], errs[1] = counters.NewTable(&p.memory, layout)
	p.merger, errs[2] = counters.NewMerger(&p.memory, layout)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, errors.Join(err, p.memory.Close())
	}
	dir, err := counters.NewDirectory(&p.memory, layout, seed)
	if err != nil {
		return nil, errors.Join(err, p.memory.Close())
	}
	p.directory = dir
	p.Worker = fastpath.NewWorker(fastpath.Config{
		Source: p.kernel.Queue(), Seed: seed,
		First: fastpath.Epoch{Seq: 1, Policy: p.policy, Table: p.tables[0], Directory: dir},
	})
	return p, nil
}

// groups returns n hostgroups, limits armed for all.
func groups(n int) []fastpath.Group {
	out := make([]fastpath.Group, max(1, n))
	for i := range out {
		if i > 0 {
			ip := netip.AddrFrom4([4]byte{10, 9, byte(i), 0})
			out[i].Prefixes = []netip.Prefix{netip.PrefixFrom(ip, 24)}
		}
		for d := range out[i].Limits {
			l := &out[i].Limits[d]
			l.Packets[fastpath.Total], l.Bytes[fastpath.Total], l.Flows = 20_000, 125_000_000, 3500
			l.Packets[fastpath.SYN] = 10_000
		}
	}
	return out
}

// run counts packets and returns the CPU time that the worker took.
func (p *pipeline) run(packets int) (used time.Duration, err error) {
	for done := 0; done < packets; {
		if p.placed == 0 {
			p.fill()
		}
		n := p.kernel.Burst(min(chunk, p.placed, packets-done))
		p.clock += packetTime * float64(n)
		p.placed -= n
		done += n
		begin := threadTime()
		for left := n; left > 0; {
			got, err := p.Step()
			if err != nil || got == 0 {
				return 0, fmt.Errorf("poll the ring: %d frames of %d: %w", got, left, err)
			}
			left -= got
		}
		used += threadTime() - begin
		if err := p.control(); err != nil {
			return 0, err
		}
	}
	return used, nil
}

// fill renews the contents of all frames, as the network card does.
func (p *pipeline) fill() {
	p.kernel.Place(p.put)
	p.placed = allFrames
}

// control does what the other cores do: it drains the queues, and flips and merges each second.
func (p *pipeline) control() error {
	for p.Samples.Front() != nil {
		p.Samples.Advance()
		p.result.Samples++
	}
	for p.Hints.Front() != nil {
		p.Hints.Advance()
		p.result.Hints++
	}
	if int64(p.clock)-p.flipped < int64(time.Second) {
		return nil
	}
	p.flipped = int64(p.clock)
	old := p.tables[(p.seq-1)&1]
	p.seq++
	next := &p.epochs[p.seq&1] // nobody holds it: the worker has left it an epoch ago
	*next = fastpath.Epoch{
		Seq: p.seq, Policy: p.policy, Table: p.tables[(p.seq-1)&1], Directory: p.directory,
	}
	p.Publish(next)
	if _, err := p.Step(); err != nil || p.Acked() != p.seq {
		return fmt.Errorf("flip to epoch %d: acknowledged %d: %w", p.seq, p.Acked(), err)
	}
	p.merger.Reset(0)
	p.merger.Add(old, 1)
	p.result.Hosts = p.merger.Len()
	p.result.Flips++
	return nil
}

func (p *pipeline) conclude(runs []float64, steal float64) PipelineResult {
	slices.Sort(runs)
	r := p.result
	r.Type, r.Bench, r.Workload, r.Cores = "bench", "pipeline", p.config.Workload.Name, 1
	r.Packets, r.Runs = p.config.Packets, p.config.Runs
	r.NSPerPacket, r.Lowest, r.Highest = median(runs), runs[0], runs[len(runs)-1]
	r.Seconds = r.NSPerPacket * float64(p.config.Packets) / 1e9
	r.MPPS = 1e3 / r.NSPerPacket
	r.FlowTracking = true
	r.Host = ThisHost()
	r.Degraded = degraded(runs, steal, r.Host)
	if !p.direct {
		r.Degraded = append(r.Degraded, "too little memory for a slot per address: directory used")
	}
	return r
}

// median returns the median of sorted values.
func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// degraded lists why a result may be worse than the machine allows.
func degraded(runs []float64, steal float64, h Host) []string {
	out := []string{}
	if steal > 0.5 {
		out = append(out, fmt.Sprintf("%.1f s of CPU time stolen by other guests", steal))
	}
	if spread := runs[len(runs)-1] / runs[0]; spread > 1.5 {
		out = append(out, fmt.Sprintf("slowest run took %.1f times the fastest", spread))
	}
	if !h.HugePages {
		out = append(out, "no transparent huge pages")
	}
	return out
}

// stolen returns the seconds of CPU time that the hypervisor gave to others since boot, of all
// cores.
func stolen() float64 {
	var user, nice, system, idle, iowait, irq, softirq, steal uint64
	_, err := fmt.Sscanf(firstLine("/proc/stat"), "cpu %d %d %d %d %d %d %d %d",
		&user, &nice, &system, &idle, &iowait, &irq, &softirq, &steal)
	if err != nil {
		return 0 // not Linux
	}
	const ticksPerSecond = 100 // USER_HZ
	return float64(steal) / ticksPerSecond
}
