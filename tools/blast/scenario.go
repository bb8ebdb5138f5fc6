package blast

import (
	"container/heap"
	"fmt"
	"math"
	"time"

	"weir/decode"
	"weir/decode/pcap"
)

// Scenario is timed traffic: flows side by side. It is a plan; Packets carries it out, as often
// as wanted, and minutes of traffic take no memory.
type Scenario struct {
	// Start is the time that the flows count from; its zero value is the beginning of 2026, UTC.
	Start time.Time
	// Seed makes the random choices. Each flow has its own, by its place in Flows: those before
	// it do not depend on what is added behind them.
	Seed uint64
	// SnapLen is how many bytes of each frame a capture holds; 0 is all.
	SnapLen int
	Flows   []Flow
}

// defaultStart is that of a Scenario without one, in seconds since 1970.
const defaultStart = 1_767_225_600

// start returns the time that the flows count from, in nanoseconds since 1970.
func (s *Scenario) start() (int64, error) {
	if s.Start.IsZero() {
		return defaultStart * 1e9, nil
	}
	first, last := time.Unix(0, 0), time.Unix(0, math.MaxInt64).Add(-maxDuration)
	if s.Start.Before(first) || s.Start.After(last) {
		return 0, fmt.Errorf("start %v is not from %v to %v", s.Start, first.UTC(), last.UTC())
	}
	return s.Start.UnixNano(), nil
}

// Count returns the number of packets of a valid scenario.
func (s *Scenario) Count() int64 {
	n := int64(0)
	for i := range s.Flows {
		n += s.Flows[i].Count()
	}
	return n
}

// Packets returns the scenario's packets from the first on. The error names the flow that makes
// no sense, and why.
func (s *Scenario) Packets() (*Packets, error) {
	start, err := s.start()
	if err != nil {
		return nil, fmt.Errorf("open scenario: %w", err)
	}
	if s.SnapLen < 0 {
		return nil, fmt.Errorf("open scenario: snap length %d", s.SnapLen)
	}
	p := &Packets{start: start, snapLen: MaxFrame}
	if s.SnapLen > 0 {
		p.snapLen = min(p.snapLen, s.SnapLen)
	}
	for i, f := range s.Flows {
		e, err := newEmitter(f, s.Seed, i)
		if err != nil {
			return nil, fmt.Errorf("open scenario: %w", err)
		}
		if e.count > 0 {
			p.flows = append(p.flows, e)
		}
	}
	heap.Init(&p.flows)
	return p, nil
}

// Packets is a place in the traffic of a Scenario.
type Packets struct {
	start   int64
	snapLen int
	flows   queue
	flow    int
	buf     [MaxFrame]byte
}

// Next fills p with the next packet in time order, an Ethernet frame; false says that there are
// no more. Packets of equal time come in the order of their flows. p.Data is valid until the next
// Next.
func (s *Packets) Next(p *pcap.Packet) bool {
	if len(s.flows) == 0 {
		return false
	}
	e := s.flows[0]
	s.flow = e.order
	n := e.frame(s.buf[:])
	captured := min(n, s.snapLen)
	p.Time = s.start + int64(e.next)
	p.Link, p.Wire = uint16(decode.LinkEthernet), uint32(n)
	p.Data = s.buf[:captured:captured]
	if e.schedule() {
		heap.Fix(&s.flows, 0)
	} else {
		heap.Pop(&s.flows)
	}
	return true
}

// Flow returns the place in Scenario.Flows of the flow that the last packet belongs to.
func (s *Packets) Flow() int { return s.flow }

// queue is a heap of the flows that have a packet left, the next first.
type queue []*emitter

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool {
	if q[i].next != q[j].next {
		return q[i].next < q[j].next
	}
	return q[i].order < q[j].order
}

func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *queue) Push(x any) { *q = append(*q, x.(*emitter)) }

// Pop implements heap.Interface.
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
