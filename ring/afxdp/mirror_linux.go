package afxdp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

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

	mu     sync.Mutex // of what follows, and against release of a socket that is looked at
	att    *attachment
	state  string
	reason string
	worker map[int]int        // queue → source, for as long as the Mirror lives
	past   map[int]ring.Stats // of sockets released
	passed uint64             // of programs taken off
	missed uint64             // by the interface's own count, since it was opened
	seen   nic.Interface      // as it was at the last look
	known  uint64             // what taken returned just before that look
	gap    nic.Gap            // frames that came while we were not attached
	base   uint64             // what taken returned when the gap began
	failed map[int]string     // queues that could not be opened, and why

	zerocopy map[int]bool // queues that were held in this mode once
}

// Open attaches to the interface and opens its queues. The error says what stands in the way,
// and is ErrDefaultRoute or nic.ErrMissing where it is that.
func Open(c Config) (*Mirror, error) {
	m, err := open(c)
	if err != nil {
		return nil, fmt.Errorf("open AF_XDP on %s: %w", c.Interface, err)
	}
	return m, nil
}

func open(c Config) (*Mirror, error) {
	if err := c.withDefaults(); err != nil {
		return nil, err
	}
	raiseMemlock()
	handle, err := nic.Open()
	if err != nil {
		return nil, err
	}
	m := &Mirror{
		config: c, nic: handle, wake: make(chan struct{}, 1),
		worker: map[int]int{}, past: map[int]ring.Stats{}, failed: map[int]string{},
		zerocopy: map[int]bool{},
	}
	if err := m.begin(); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return m, nil
}

func (m *Mirror) begin() error {
	i, err := m.nic.Find(m.config.Interface)
	if err != nil {
		return err
	}
	if err := m.permit(&i); err != nil {
		return err
	}
	queues, err := m.wanted(&i)
	if err != nil {
		return err
	}
	workers := m.config.Workers
	if workers == 0 {
		workers = len(queues)
	}
	for n := range workers {
		s, err := newSource(m, n)
		if err != nil {
			return fmt.Errorf("make source %d: %w", n, err)
		}
		m.sources = append(m.sources, s)
	}
	if m.att, err = m.attach(&i, queues); err != nil {
		return err
	}
	m.state, m.seen = i.State(), i
	m.publish()
	return nil
}

// attach attaches on the interface's NUMA node, and has its interrupts deferred.
func (m *Mirror) attach(i *nic.Interface, queues []int) (a *attachment, err error) {
	nic.OnNode(m.nic.Node(i), func() { a, err = attach(&m.config, i, queues) })
	if err != nil {
		return nil, err
	}
	a.nicRing = m.nic.RingSize(i.Name)
	a.deferral.Store(m.nic.Defer(i, m.config.DeferIRQs, m.config.Notes))
	return a, nil
}

// OnNode calls f so that memory which it touches first is on the interface's NUMA node, where that
// is known. It may be called from any goroutine, while Run runs too.
func (m *Mirror) OnNode(f func()) {
	m.mu.Lock()
	i := m.seen
	m.mu.Unlock()
	nic.OnNode(m.nic.Node(&i), f)
}

// Recover puts back what a process that has died changed of interfaces and noted in the folder
// notes, and returns a sentence for each. It is called before any Open with that folder.
func Recover(notes string) ([]string, error) {
	h, err := nic.Open()
	if err != nil {
		return nil, fmt.Errorf("put back what was changed of interfaces: %w", err)
	}
	told := h.Undefer(notes)
	return told, h.Close()
}

// permit refuses interfaces that AF_XDP would take away from the host.
func (m *Mirror) permit(i *nic.Interface) error {
	if i.Kind == "bond" {
		return errors.New("it is a bond, where every frame would be lost: name its members instead")
	}
	if m.config.Force {
		return nil
	}
	routes, err := m.nic.DefaultRoutes()
	if err != nil {
		return err
	}
	if routes[i.Name] {
		return fmt.Errorf("%w: its frames would no longer reach this host, your own session "+
			"among them; capture with afpacket, or set force: true", ErrDefaultRoute)
	}
	return nil
}

// wanted returns the queues to be held on the interface as it is now.
func (m *Mirror) wanted(i *nic.Interface) ([]int, error) {
	if len(m.config.Queues) == 0 {
		all := make([]int, i.RXQueues)
		for q := range all {
			all[q] = q
		}
		return all, nil
	}
	var there []int
	for _, q := range m.config.Queues {
		if q < i.RXQueues {
			there = append(there, q)
		}
	}
	if len(there) == 0 {
		return nil, fmt.Errorf("none of the queues %v is in use: there are %d, from 0 on",
			m.config.Queues, i.RXQueues)
	}
	slices.Sort(there)
	return there, nil
}

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

// Run follows the interface until ctx ends: it opens queues that come, gives up those that go,
// and attaches anew when the interface was replaced. It calls tell, unless nil, with a sentence
// for each change of state.
func (m *Mirror) Run(ctx context.Context, tell func(state, reason string)) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		before := m.Status()
		m.follow()
		if now := m.Status(); tell != nil &&
			(now.State != before.State || now.Reason != before.Reason) {
			tell(now.State, now.Reason)
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
func (m *Mirror) follow() {
	known := m.taken()
	i, err := m.nic.Find(m.config.Interface)
	switch {
	case errors.Is(err, nic.ErrMissing):
		m.detach()
		m.set(StateMissing, "no interface "+m.config.Interface)
		return
	case err != nil:
		return // the kernel did not answer this time
	}
	if m.att != nil && (m.att.index != i.Index || m.att.cutOff()) { // another, or it was away
		if m.detach(); m.att != nil {
			m.set(StateRefused, "a worker does not let go of the socket that it had")
			return
		}
		if i, err = m.nic.Find(m.config.Interface); err != nil {
			return // gone again: the next look says so
		}
	}
	m.observe(&i, known)
	queues, err := m.wanted(&i)
	if err != nil {
		m.set(StateRefused, err.Error())
		return
	}
	if m.att == nil {
		if err := m.reattach(&i, queues); err != nil {
			m.set(StateRefused, err.Error())
			return
		}
	}
	uncovered := m.att.cover(i.RXQueues)
	nic.OnNode(m.nic.Node(&i), func() { m.match(queues) })
	m.att.deferral.Load().Follow()
	m.reckon()
	m.set(i.State(), m.complaint(uncovered))
}

// reattach attaches to an interface that came back.
func (m *Mirror) reattach(i *nic.Interface, queues []int) error {
	if err := m.permit(i); err != nil {
		return err
	}
	att, err := m.attach(i, queues)
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.att = att
	m.mu.Unlock()
	m.publish()
	return nil
}

// match gives up queues that are not wanted or broken, and opens those that are missing.
func (m *Mirror) match(queues []int) {
	var gone []*socket
	for _, q := range slices.Sorted(maps.Keys(m.att.sockets)) {
		s := m.att.sockets[q]
		if !slices.Contains(queues, q) || s.broken.Load() != nil {
			gone = append(gone, s)
		}
	}
	m.giveUp(gone)
	opened := false
	failed := map[int]string{}
	for _, q := range queues {
		if m.att.sockets[q] != nil {
			continue
		}
		s, err := m.att.open(&m.config, q)
		if err != nil {
			failed[q] = err.Error()
			continue
		}
		m.mu.Lock()
		m.att.sockets[q] = s
		m.mu.Unlock()
		opened = true
	}
	m.mu.Lock()
	m.failed = failed
	m.mu.Unlock()
	if opened {
		m.publish()
	}
}

// complaint says why there are queues that we should hold and do not.
func (m *Mirror) complaint(uncovered error) string {
	if uncovered != nil {
		return uncovered.Error()
	}
	for _, q := range slices.Sorted(maps.Keys(m.failed)) {
		return m.failed[q]
	}
	return ""
}

func (m *Mirror) set(state, reason string) {
	m.mu.Lock()
	m.state, m.reason = state, reason
	m.mu.Unlock()
}

// Close gives everything back. What waits in the rings is counted as lost.
func (m *Mirror) Close() error {
	var errs []error
	if m.att != nil {
		m.bury(slices.Collect(maps.Values(m.att.sockets)))
		m.passed += m.att.program.passedFrames()
		errs = append(errs, m.att.close())
		m.att = nil
	}
	for _, s := range m.sources {
		errs = append(errs, s.shut())
	}
	return errors.Join(append(errs, m.nic.Close())...)
}
