package afpacket

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"weir/ring"
	"weir/ring/nic"
)

// Mirror receives from one interface.
//
// Concurrency: Run is for one goroutine; Status, Sources and Wake for any. Close is called when
// neither Run nor any worker runs any more.
type Mirror struct {
	config  Config
	nic     *nic.Handle
	sources []*Source
	wake    chan struct{}

	mu      sync.Mutex // of what follows, and against release of a socket that is looked at
	index   int        // of the interface that the sockets are bound to; 0: none
	sockets []*socket  // by worker
	promisc *nic.Promiscuous
	state   string
	reason  string
	past    []ring.Stats // of sockets released, by worker
	gap     nic.Gap      // frames that came while there was no socket
}

// Open opens the sockets. The error is nic.ErrMissing where there is no such interface; one that is
// down is no error.
func Open(c Config) (*Mirror, error) {
	m, err := open(c)
	if err != nil {
		return nil, fmt.Errorf("open AF_PACKET on %s: %w", c.Interface, err)
	}
	return m, nil
}

func open(c Config) (*Mirror, error) {
	if err := c.withDefaults(); err != nil {
		return nil, err
	}
	handle, err := nic.Open()
	if err != nil {
		return nil, err
	}
	m := &Mirror{
		config: c, nic: handle, wake: make(chan struct{}, 1), past: make([]ring.Stats, c.Workers),
	}
	for n := range c.Workers {
		s, err := newSource(m, n)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("make source %d: %w", n, err), m.Close())
		}
		m.sources = append(m.sources, s)
	}
	i, err := handle.Find(c.Interface)
	if err == nil {
		err = m.attach(&i)
	}
	if err != nil && !waits(err, &i) {
		return nil, errors.Join(err, m.Close())
	}
	m.state = i.State()
	return m, nil
}

// attach opens a socket for every source, and hands them out. On an error nothing of it stays.
func (m *Mirror) attach(i *nic.Interface) (err error) {
	var sockets []*socket
	var promisc *nic.Promiscuous
	defer func() {
		if err == nil {
			return
		}
		for _, s := range sockets {
			err = errors.Join(err, s.release())
		}
		if promisc != nil {
			err = errors.Join(err, promisc.Close())
		}
	}()
	if m.config.Promiscuous && i.Encapsulation == "ether" {
		if promisc, err = nic.NewPromiscuous(i.Index); err != nil {
			return err
		}
	}
	group := newGroup
	for range m.sources {
		s, err := openSocket(&m.config, i)
		if err != nil {
			return err
		}
		sockets = append(sockets, s)
		if err := s.bind(i); err != nil {
			return err
		}
		if len(m.sources) > 1 {
			if group, err = s.join(group); err != nil {
				return err
			}
		}
	}
	m.absent() // until now: all that takes its time is done
	for _, s := range sockets {
		if err := s.unmute(); err != nil {
			return err
		}
	}
	m.reckon(sockets)
	m.mu.Lock()
	m.index, m.sockets, m.promisc = i.Index, sockets, promisc
	m.mu.Unlock()
	for n, s := range m.sources {
		s.want.Store(sockets[n])
		s.Wake()
	}
	return nil
}

// waits reports whether an error of attach says no more than that the interface is down: kernels
// before 6.13 let no socket join a group then. Run tries again.
func waits(err error, i *nic.Interface) bool { return !i.Up && errors.Is(err, unix.EINVAL) }

// Sources returns the sources, one for each worker.
func (m *Mirror) Sources() []*Source { return m.sources }

// Wake makes Run look at the interface at once.
func (m *Mirror) Wake() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// watchEvery is how often Run looks without being told that something changed.
const watchEvery = time.Second

// Run follows the interface until ctx ends, and opens sockets anew when it was replaced or one of
// them broke. It calls tell, unless nil, for each change of state.
func (m *Mirror) Run(ctx context.Context, tell func(state, reason string)) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		state, reason := m.follow()
		m.mu.Lock()
		changed := state != m.state || reason != m.reason
		m.state, m.reason = state, reason
		m.mu.Unlock()
		if changed && tell != nil {
			tell(state, reason)
		}
		select {
		case <-ctx.Done():
			return
		case <-m.nic.Changed():
		case <-m.wake:
		case <-tick.C:
		}
	}
}

// follow brings what we hold to what the interface is now.
func (m *Mirror) follow() (state, reason string) {
	i, err := m.nic.Find(m.config.Interface)
	switch {
	case errors.Is(err, nic.ErrMissing):
		m.detach()
		return StateMissing, "no interface " + m.config.Interface
	case err != nil:
		return m.state, m.reason // the kernel did not answer this time
	}
	if m.index != i.Index || m.broken() {
		if m.detach(); m.index != 0 {
			return StateRefused, "a worker does not let go of the socket that it had"
		}
		if i, err = m.nic.Find(m.config.Interface); err != nil {
			return m.state, m.reason // gone again: the next look says so
		}
	}
	if m.index == 0 {
		m.mu.Lock()
		m.gap.Absent(&i)
		m.mu.Unlock()
		if err := m.attach(&i); err != nil && !waits(err, &i) {
			return StateRefused, err.Error()
		}
	}
	return i.State(), ""
}

func (m *Mirror) broken() bool {
	for _, s := range m.sockets {
		if s.broken.Load() != nil || !s.bound(m.index) {
			return true
		}
	}
	return false
}

// Patience with workers, when sockets are given up.
const (
	settleTime   = 3 * retireMillis * time.Millisecond // the kernel hands over what it has
	handPatience = time.Second
	handPause    = 200 * time.Microsecond
)

// detach lets the workers take what is in the rings and releases the sockets. While a worker does
// not let go, they stay, and the next look tries again.
func (m *Mirror) detach() {
	if m.index == 0 {
		return
	}
	time.Sleep(settleTime)
	for _, s := range m.sources {
		s.want.Store(nil)
		s.Wake()
	}
	for end := time.Now().Add(handPatience); m.used(); time.Sleep(handPause) {
		if time.Now().After(end) {
			return
		}
	}
	m.leave()
	m.mu.Lock()
	defer m.mu.Unlock()
	_ = m.bury() // of an interface that is gone: nothing is left to be closed in order
}

// used reports whether a source still has a socket.
func (m *Mirror) used() bool {
	for _, s := range m.sources {
		if s.seen.Load() != nil {
			return true
		}
	}
	return false
}

// bury releases the sockets, and keeps their counts. No worker uses them any more.
func (m *Mirror) bury() error {
	var errs []error
	for n, s := range m.sockets {
		st, err := s.finish()
		m.past[n] = m.past[n].Plus(st)
		errs = append(errs, err, s.release())
	}
	if m.promisc != nil {
		errs = append(errs, m.promisc.Close())
	}
	m.index, m.sockets, m.promisc = 0, nil, nil
	return errors.Join(errs...)
}

// Status returns what is held and lost now.
func (m *Mirror) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	st := Status{Interface: m.config.Interface, State: m.state, Reason: m.reason}
	for n := range m.sources {
		st.Sockets = append(st.Sockets, SocketStatus{n, m.totals(n)})
	}
	if n := m.gap.N(); n > 0 { // of no worker in particular
		st.Sockets[0].Dropped[DropUnattached] += n
	}
	return st
}

func (m *Mirror) totals(n int) ring.Stats {
	if n < len(m.sockets) {
		return m.past[n].Plus(m.sockets[n].stats())
	}
	return m.past[n].Plus(ring.Stats{})
}

// statsOf returns the totals of one source.
func (m *Mirror) statsOf(n int) ring.Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.totals(n)
}

// Close gives everything back. What waits in the rings is counted as lost.
func (m *Mirror) Close() error {
	m.mu.Lock()
	errs := []error{m.bury()}
	m.mu.Unlock()
	for _, s := range m.sources {
		errs = append(errs, unix.Close(s.event))
	}
	return errors.Join(append(errs, m.nic.Close())...)
}
