package daemon

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"weir/control"
	"weir/control/api"
	"weir/control/config"
	"weir/fastpath"
	"weir/ring"
	"weir/ring/afpacket"
	"weir/ring/afxdp"
)

// mirror is one interface that is captured from.
type mirror struct {
	*config.Mirror
	engine string // afxdp or afpacket
	source port
	first  int // the number of its first worker
	spin   time.Duration

	zerocopy config.ZeroCopy // what the file asks of AF_XDP
	busy     config.BusyPoll
}

// port is what the engines have in common.
type port interface {
	// Run follows the interface until ctx ends, and tells of changes of its state.
	Run(ctx context.Context, tell func(state, reason string))
	Close() error
}

// waker is a source that sleeps.
type waker interface {
	ring.Source
	Wake()
}

// viewName is that of all mirrors: what they see adds up.
const viewName = "mirror"

// openMirrors opens every interface that the file names. On an error nothing stays open.
func openMirrors(
	c *config.Config, clock func() int64,
) (ms []*mirror, in []control.Input, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, closeMirrors(ms))
			ms, in = nil, nil
		}
	}()
	named := namedCores(c)
	for i := range c.Capture.AFXDP {
		x := &c.Capture.AFXDP[i]
		m := &mirror{Mirror: &x.Mirror, engine: "afxdp", first: len(in)}
		m.spin = spin(m.Cores, named, runtime.NumCPU())
		sources, err := m.openAFXDP(x, notesDir(c), clock)
		if err != nil {
			return ms, in, err
		}
		ms, in = append(ms, m), m.inputs(in, sources)
	}
	for i := range c.Capture.AFPacket {
		m := &mirror{Mirror: &c.Capture.AFPacket[i].Mirror, engine: "afpacket", first: len(in)}
		m.spin = spin(m.Cores, named, runtime.NumCPU())
		sources, err := m.openAFPacket(clock)
		if err != nil {
			return ms, in, err
		}
		ms, in = append(ms, m), m.inputs(in, sources)
	}
	return ms, in, nil
}

func (m *mirror) openAFXDP(
	x *config.AFXDP, notes string, clock func() int64,
) ([]waker, error) {
	modes := map[config.ZeroCopy]afxdp.ZeroCopy{
		config.Prefer: afxdp.Prefer, config.Required: afxdp.Required, config.Off: afxdp.Off,
	}
	polls := map[config.BusyPoll]afxdp.BusyPoll{
		config.BusyOff: afxdp.BusyOff, config.BusyAuto: afxdp.BusyAuto, config.BusyOn: afxdp.BusyOn,
	}
	a, err := afxdp.Open(afxdp.Config{
		Interface: x.Interface, Queues: x.Queues, Workers: len(x.Cores),
		ZeroCopy: modes[x.ZeroCopy], Promiscuous: x.Promiscuous, Force: x.Force,
		BusyPoll: polls[x.BusyPoll], DeferIRQs: x.DeferIRQs, Notes: notes,
		Spin: m.spin, Clock: clock,
	})
	if err != nil {
		return nil, err
	}
	m.source, m.zerocopy, m.busy = a, x.ZeroCopy, x.BusyPoll
	var out []waker
	for _, s := range a.Sources() {
		out = append(out, s)
	}
	return out, nil
}

// inputs appends an input for each of the mirror's sources.
func (m *mirror) inputs(in []control.Input, sources []waker) []control.Input {
	sides := map[config.Direction]fastpath.Sides{
		config.Incoming: fastpath.OnlyIncoming, config.Outgoing: fastpath.OnlyOutgoing,
	}
	for n, s := range sources {
		core := -1
		if n < len(m.Cores) {
			core = m.Cores[n]
		}
		in = append(in, control.Input{
			Source: s, View: viewName, Sampling: m.SamplingRate, Sides: sides[m.Direction],
			Wake: s.Wake, Core: core, Near: m.near(),
		})
	}
	return in
}

// notesDir is where it is noted what was changed of interfaces.
func notesDir(c *config.Config) string { return filepath.Join(c.StateDir, "interfaces") }

// near returns what puts memory on the interface's NUMA node, nil where nobody knows it.
func (m *mirror) near() func(func()) {
	if a, ok := m.source.(*afxdp.Mirror); ok {
		return a.OnNode
	}
	return nil
}

func closeMirrors(ms []*mirror) error {
	var errs []error
	for _, m := range ms {
		if m.source == nil {
			continue
		}
		if err := m.source.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", m.Interface, err))
		}
	}
	return errors.Join(errs...)
}

// sources returns what the interface has got, lost and passed on now, a source for each queue.
func (m *mirror) sources() (state, reason string, all []api.Source) {
	switch p := m.source.(type) {
	case *afxdp.Mirror:
		return m.ofAFXDP(p.Status())
	case *afpacket.Mirror:
		return m.ofAFPacket(p.Status())
	}
	return "", "", nil
}

func (m *mirror) ofAFXDP(st afxdp.Status) (state, reason string, all []api.Source) {
	for i := range st.Queues {
		q := &st.Queues[i]
		s := api.Source{
			Engine: m.engine, Interface: m.Interface, Queue: q.Queue, Worker: m.first + q.Worker,
			State: st.State, Mode: q.Mode, Reason: q.Reason,
			Received: q.Received, Bytes: q.Bytes, Dropped: q.Dropped,
		}
		if q.Mode != "" {
			s.Granted = granted(q, st.Deferral)
		}
		if st.Reason != "" {
			s.Reason = st.Reason
		}
		if i == 0 {
			s.Passed = st.Passed // of the interface: no queue of ours had them
		}
		all = append(all, s)
	}
	return st.State, st.Reason, all
}
