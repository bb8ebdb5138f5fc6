// Package bench measures weir: each scenario prints one number per workload, with the facts of
// the machine beside it. CPU time, not wall time; medians of several runs; nothing allocated.
package bench

import (
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"weir/counters"
	"weir/fastpath"
	"weir/ring"
	"weir/ring/ringtest"
	"weir/tools/blast"
)

// The memory that frames lie in: the frames of one queue, which this core wrote a moment ago,
// nearer to it than any network card leaves them; and a cold set beside, so that no frame is in a
// near cache when it is read.
const (
	hotFrames   = 4096
	frameSize   = 2048
	coldBytes   = 64 << 20
	allFrames   = hotFrames + coldBytes/frameSize
	packetTime  = 67.2       // nanoseconds of the stream's clock per packet: 10 GbE of 64 bytes
	rxRing      = 8192       // descriptors, as ring/afxdp asks for
	chunk       = rxRing / 4 // packets between two looks at the clock: far from overload
	warmPackets = 4 * allFrames
)

// PipelineConfig says what `weir bench pipeline` runs.
type PipelineConfig struct {
	Workload blast.Workload
	Packets  int // per run
	Runs     int
	Groups   int // hostgroups
	Networks []netip.Prefix
	Stage    string   // of PipelineStages; "" is StageWorker
	Hot      bool     // without the cold set
	Degraded []string // what is known to be amiss with the machine
}

// PipelineResult is one workload's result: the medians of the runs.
type PipelineResult struct {
	Type         string  `json:"type"`
	Bench        string  `json:"bench"`
	Workload     string  `json:"workload"`
	Stage        string  `json:"stage"`
	Memory       string  `json:"memory"`  // "hot" or "cold": where the frames are
	Packets      int     `json:"packets"` // per run
	NSPerPacket  float64 `json:"cpu_ns_per_packet"`
	MPPS         float64 `json:"mpps"`
	FlowTracking bool    `json:"flow_tracking"`
	// Tables are both generations, directory and merged table.
	Tables uint64 `json:"table_bytes,omitempty"`
	*Counted
	*FlipFigures
	Figures
}

// pipeline is a worker on the real rings with a stand-in for the kernel.
type pipeline struct {
	*fastpath.Worker
	*tables
	config PipelineConfig
	kernel *ringtest.Kernel
	umem   []byte
	frames int
	put    func(frame []byte) int // writes the next frame of the workload
	clock  float64                // nanoseconds of the stream
	placed int                    // frames until the contents are renewed
	step   func() (int, error)    // takes one burst, returns its frames
	batch  ring.Batch             // of StageRing
	flips  flipTimes
	counts Counted
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
	defer p.close()
	if _, err := p.run(warmPackets); err != nil {
		return PipelineResult{}, err
	}
	p.flips.reset()
	p.counts = Counted{}
	ns, figures, err := repeat(c.Runs, func() (time.Duration, int, error) {
		used, err := p.run(c.Packets)
		return used, c.Packets, err
	})
	if err != nil {
		return PipelineResult{}, err
	}
	r := PipelineResult{
		Type: "bench", Bench: "pipeline", Workload: c.Workload.Name, Packets: c.Packets,
		Stage: p.config.Stage, Memory: memoryName(c.Hot), NSPerPacket: ns, MPPS: 1e3 / ns,
		Figures: figures,
	}
	r.Degraded = append(r.Degraded, c.Degraded...)
	if r.Stage == StageRing {
		return r, nil
	}
	counted := p.counts // what is measured below counts too
	r.FlowTracking, r.Tables, r.Counted = true, p.memory.Bytes(), &counted
	if !p.layout.Networks[0].Direct {
		r.Degraded = append(r.Degraded, reasonDirectory)
	}
	r.FlipFigures, err = p.flipFigures()
	return r, err
}

func newPipeline(c PipelineConfig) (*pipeline, error) {
	frames := allFrames
	if c.Hot {
		frames = hotFrames
	}
	umem, err := frameMemory(frames * frameSize)
	if err != nil {
		return nil, fmt.Errorf("map frames: %w", err)
	}
	p := &pipeline{config: c, umem: umem, frames: frames}
	p.put = c.Workload.Frames().Next
	if p.config.Stage == "" {
		p.config.Stage = StageWorker
	}
	p.kernel, err = ringtest.NewKernel(ringtest.Config{
		Frames: frames, FrameSize: frameSize, UMEM: p.umem, RXSize: rxRing,
		Clock: func() int64 { return int64(p.clock) },
	})
	if err != nil {
		return nil, err
	}
	switch p.config.Stage {
	case StageRing:
		p.step, p.tables = p.ring, &tables{}
		return p, nil
	case StageWorker:
	default:
		return nil, fmt.Errorf("find stage %q: it is none of %q", c.Stage, PipelineStages())
	}
	if p.tables, err = newTables(counters.NewLayout, c.Networks, c.Groups); err != nil {
		return nil, err
	}
	p.Worker = fastpath.NewWorker(fastpath.Config{
		Source: p.kernel.Queue(), Seed: seed, First: p.first(),
	})
	p.step = p.Step
	return p, nil
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
			got, err := p.step()
			if err != nil || got == 0 {
				return 0, fmt.Errorf("poll the ring: %d frames of %d: %w", got, left, err)
			}
			left -= got
		}
		took := threadTime() - begin
		used += took
		p.flips.add(took, n)
		if err := p.control(); err != nil {
			return 0, err
		}
	}
	return used, nil
}

// fill renews the contents of all frames, as the network card does.
func (p *pipeline) fill() {
	p.kernel.Place(p.put)
	p.placed = p.frames
}

// control does what the other cores do: it drains the queues, and flips and merges each second.
func (p *pipeline) control() error {
	if p.Worker == nil {
		return nil
	}
	for p.Samples.Front() != nil {
		p.Samples.Advance()
		p.counts.Samples++
	}
	for p.Hints.Front() != nil {
		p.Hints.Advance()
		p.counts.Hints++
	}
	if int64(p.clock)-p.flipped < int64(time.Second) {
		return nil
	}
	p.flipped = int64(p.clock)
	shed := p.table().Stats.Shed
	if err := p.flip(p.Worker); err != nil {
		return err
	}
	if shed > 0 {
		return fmt.Errorf("measure the worker: %d packets were left out under overload", shed)
	}
	p.counts.Hosts = p.merger.Len()
	p.counts.Flips++
	p.flips.flipped()
	return nil
}

func memoryName(hot bool) string {
	if hot {
		return "hot"
	}
	return "cold"
}

func (p *pipeline) close() {
	_ = p.memory.Close() // at the end of a benchmark nothing is left to lose
	freeMemory(p.umem)
}
