package blast

import (
	"fmt"
	"net/netip"
	"time"
)

// Stream is an endless stream of frames: a place in one. For one goroutine.
type Stream interface {
	// Next writes the next frame at the start of b, which has room for the Load's MaxLen bytes,
	// and returns its length. Bytes behind it stay as they are.
	Next(b []byte) int
}

// Load is what a sender sends, without its time: the frames of a Workload, of an ExportWorkload,
// or of a Flow.
type Load struct {
	Name   string
	Text   string // one line for people
	MaxLen int    // of a frame in bytes, without FCS
	Parts  int    // streams that may be sent side by side; 0: any number

	open func(seed uint64, part int) (Stream, error)
}

// Stream returns one of the load's streams. Seed 0 is the load's own. The same seed and part give
// the same frames each time, part 0 of a workload's own seed those that Frames has; other parts
// have other sources and go to the same hosts.
func (l *Load) Stream(seed uint64, part int) (Stream, error) {
	if part < 0 || l.Parts > 0 && part >= l.Parts {
		return nil, fmt.Errorf("part %d of %s, which has %d", part, l.Name, l.Parts)
	}
	return l.open(seed, part)
}

// Load returns the workload's frames.
func (w *Workload) Load() Load {
	return Load{
		Name: w.Name, Text: w.Text, MaxLen: w.MaxLen,
		open: func(seed uint64, part int) (Stream, error) { return w.frames(seed, part), nil },
	}
}

// Load returns the workload's datagrams as frames to a collector, an IPv4 address; its zero value
// is Collector. They are of one part, since the exporters count what they send.
func (w *ExportWorkload) Load(collector netip.AddrPort) Load {
	if !collector.IsValid() {
		collector = w.Collector()
	}
	return Load{
		Name: w.Name, Text: w.Text, MaxLen: MaxFrame, Parts: 1,
		open: func(seed uint64, _ int) (Stream, error) {
			if !collector.Addr().Is4() {
				return nil, fmt.Errorf("collector %v is not IPv4", collector)
			}
			other := *w
			if seed != 0 {
				other.seed ^= mix(seed)
			}
			return &exportFrames{exports: other.Datagrams(), to: collector}, nil
		},
	}
}

// Clocked is a Stream whose frames tell what time it is.
type Clocked interface {
	Stream
	// SetClock sets the time that frames tell from now on.
	SetClock(now time.Time)
}

// At returns the load whose streams begin at a time: frames that tell one, as flow exports do, tell
// that, instead of the same for ever.
func (l Load) At(now time.Time) Load {
	open := l.open
	l.open = func(seed uint64, part int) (Stream, error) {
		s, err := open(seed, part)
		if c, ok := s.(Clocked); ok {
			c.SetClock(now)
		}
		return s, err
	}
	return l
}

// Loop returns the load whose streams repeat their first n frames, at least 1, which are made once
// and kept: where a sender is to be faster than the generator. It is a smaller load then: fewer
// hosts, or fewer flows. A stream takes n × MaxLen bytes.
func (l Load) Loop(n int) Load {
	open := l.open
	l.open = func(seed uint64, part int) (Stream, error) {
		s, err := open(seed, part)
		if err != nil {
			return nil, err
		}
		loop := &loop{stride: l.MaxLen, mem: make([]byte, n*l.MaxLen), lengths: make([]uint16, n)}
		for i := range loop.lengths {
			loop.lengths[i] = uint16(s.Next(loop.mem[i*loop.stride:][:loop.stride]))
		}
		return loop, nil
	}
	return l
}

// loop is a stream of frames that are there.
type loop struct {
	stride  int
	mem     []byte
	lengths []uint16
	at      int
}

func (l *loop) Next(b []byte) int {
	n := int(l.lengths[l.at])
	copy(b, l.mem[l.at*l.stride:][:n])
	if l.at++; l.at == len(l.lengths) {
		l.at = 0
	}
	return n
}

// exportFrames are datagrams in frames.
type exportFrames struct {
	exports *Exports
	to      netip.AddrPort
	payload []byte
}

// SetClock implements Clocked.
func (e *exportFrames) SetClock(now time.Time) { e.exports.SetClock(now) }

func (e *exportFrames) Next(b []byte) int {
	var from netip.AddrPort
	e.payload, from, _ = e.exports.Next(e.payload[:0])
	return udpFrame(b, from, e.to, e.payload)
}

// Load returns the flow's packets, without their time: part 0 is those of a Scenario that has
// this flow alone and this seed. The error says what makes no sense about the flow.
func (f *Flow) Load() (Load, error) {
	flow := *f
	flow.From, flow.To, flow.PPS, flow.Jitter = 0, maxDuration, 1e9, false
	l := Load{Name: f.Vector, MaxLen: MaxFrame}
	l.open = func(seed uint64, part int) (Stream, error) {
		e, err := newEmitter(flow, seed, part)
		if err != nil {
			return nil, err
		}
		return flowFrames{e}, nil
	}
	e, err := newEmitter(flow, 0, 0)
	if err != nil {
		return Load{}, err
	}
	longest := smallPacket
	for _, z := range e.flow.Size {
		longest = max(longest, min(z.Max, MTU))
	}
	headers := e.ipLen() + e.headerLen()
	l.MaxLen = EthernetLen + max(longest, headers)
	return l, nil
}

// SizeRange returns from what to what length in bytes the IP packets of the flow's vector can be
// asked for, without becoming something else: shorter ones have no room for the headers, and only
// vectors whose own packets are longer than MTU are sent as fragments, one of them always.
func (f *Flow) SizeRange() (least, most int, err error) {
	flow := *f
	flow.From, flow.To, flow.PPS, flow.Size = 0, maxDuration, 1e9, nil
	e, err := newEmitter(flow, 0, 0)
	if err != nil {
		return 0, 0, err
	}
	header := e.headerLen()
	if header == 0 {
		header = len(e.flow.Payload) // GRE's is the beginning of the payload
	}
	least, most = e.ipLen()+header, MTU
	for _, z := range e.flow.Size {
		if z.Max > MTU {
			most = maxPacket
		}
	}
	if f.Vector == fragmentFlood {
		least = MTU + 1
	}
	return least, most, nil
}

// flowFrames are those of an emitter, which does not look at its clock for them.
type flowFrames struct{ e *emitter }

func (f flowFrames) Next(b []byte) int { return f.e.frame(b) }
