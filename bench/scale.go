package bench

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"weir/counters"
	"weir/tools/blast"
)

// ScaleConfig says what workers side by side are measured on.
type ScaleConfig struct {
	Workload blast.Workload // its hosts lie in 10.16.0.0/12, as W3's do
	Workers  int            // each on a thread of its own
	Packets  int            // per worker and run
	Runs     int
	Groups   int // hostgroups
	Degraded []string
}

// ScaleResult is what several workers do at once, each with rings and tables of its own.
type ScaleResult struct {
	Type        string  `json:"type"`
	Bench       string  `json:"bench"`
	Workload    string  `json:"workload"`
	Packets     int     `json:"packets"` // per worker and run
	NSPerPacket float64 `json:"cpu_ns_per_packet"`
	MPPS        float64 `json:"mpps"` // of all workers
	Flows       bool    `json:"flow_tracking"`
	Tables      uint64  `json:"table_bytes"`
	Figures
}

// scaleHome is the network of W3's hosts.
func scaleHome() []netip.Prefix {
	return []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 16}), 12)}
}

// lane is a worker on a thread of its own.
type lane struct {
	*pipeline
	start chan int // packets to count
	done  chan laneResult
}

type laneResult struct {
	used time.Duration
	err  error
}

// Scale measures CPU time per packet of workers that run at the same time. There should be as many
// processors.
func Scale(c *ScaleConfig) (r ScaleResult, err error) {
	before := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(max(before, c.Workers+2))
	defer runtime.GOMAXPROCS(before)
	lanes := make([]*lane, 0, c.Workers)
	defer func() {
		for _, l := range lanes {
			close(l.start)
			<-l.done
			err = errors.Join(err, l.memory.Close())
		}
	}()
	for range c.Workers {
		l, err := newLane(c)
		if err != nil {
			return r, err
		}
		lanes = append(lanes, l)
		r.Tables += l.memory.Bytes()
		if err := checkRoom(l.memory.Bytes() * uint64(c.Workers)); err != nil {
			return r, err
		}
	}
	if _, _, err := runLanes(lanes, warmPackets); err != nil {
		return r, err
	}
	ns, figures, err := repeat(c.Runs, func() (time.Duration, int, error) {
		return runLanes(lanes, c.Packets)
	})
	if err != nil {
		return r, err
	}
	r.Type, r.Bench, r.Workload, r.Packets = "bench", "scale", c.Workload.Name, c.Packets
	r.NSPerPacket, r.MPPS, r.Figures = ns, 1e3/ns*float64(c.Workers), figures
	r.Cores, r.Flows = c.Workers, true
	r.Degraded = append(r.Degraded, c.Degraded...)
	if c.Workers > runtime.NumCPU() {
		r.Degraded = append(r.Degraded, "more workers than processors")
	}
	return r, nil
}

// checkRoom says that the tables of all lanes are more than the machine should give.
func checkRoom(tables uint64) error {
	total, err := counters.MachineMemory()
	if err == nil && tables > total/4*3 {
		err = fmt.Errorf("tables of %d bytes: the machine has %d", tables, total)
	}
	return err
}

func newLane(c *ScaleConfig) (*lane, error) {
	p, err := newPipeline(PipelineConfig{
		Workload: c.Workload, Packets: c.Packets, Groups: c.Groups, Networks: scaleHome(),
	})
	if err != nil {
		return nil, err
	}
	l := &lane{pipeline: p, start: make(chan int), done: make(chan laneResult)}
	go l.work()
	return l, nil
}

// work counts packets whenever it is told to, until start is closed.
func (l *lane) work() {
	runtime.LockOSThread()
	defer close(l.done)
	for packets := range l.start {
		used, err := l.run(packets)
		l.done <- laneResult{used, err}
	}
}

// runLanes lets all lanes count packets at once. It returns their CPU time and packets.
func runLanes(lanes []*lane, packets int) (used time.Duration, all int, err error) {
	for _, l := range lanes {
		l.start <- packets
	}
	for _, l := range lanes {
		r := <-l.done
		used, all, err = used+r.used, all+packets, errors.Join(err, r.err)
	}
	return used, all, err
}
