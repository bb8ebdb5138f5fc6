package afxdp

import (
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"weir/ring"
)

// Patience with workers, when sockets are given up.
const (
	settleTime    = 5 * time.Millisecond // for frames that the driver has in hand
	drainPatience = 200 * time.Millisecond
	handPatience  = time.Second
	handPause     = 200 * time.Microsecond
)

// publish gives every source the sockets that are its own, and waits until it uses them.
func (m *Mirror) publish() {
	shares := make([]held, len(m.sources))
	m.mu.Lock()
	for _, q := range slices.Sorted(maps.Keys(m.att.sockets)) {
		w := m.assign(q)
		shares[w].sockets = append(shares[w].sockets, m.att.sockets[q])
		m.zerocopy[q] = m.zerocopy[q] || m.att.sockets[q].mode == ModeZeroCopy
	}
	m.mu.Unlock()
	for n, s := range m.sources {
		if !slices.Equal(shares[n].sockets, s.want.Load().sockets) {
			s.want.Store(&shares[n])
			s.Wake()
		}
	}
}

// assign returns the source of a queue: the one that it had before, else that with the fewest.
func (m *Mirror) assign(queue int) int {
	if w, ok := m.worker[queue]; ok {
		return w
	}
	count := make([]int, len(m.sources))
	for _, w := range m.worker {
		count[w]++
	}
	least := 0
	for w := range count {
		if count[w] < count[least] {
			least = w
		}
	}
	m.worker[queue] = least
	return least
}

// detach gives everything on the interface up, which is gone or another.
func (m *Mirror) detach() {
	if m.att == nil {
		return
	}
	m.giveUp(slices.Collect(maps.Values(m.att.sockets)))
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.att.sockets) > 0 {
		return // a worker holds on to one: the next look tries again
	}
	m.passed += m.att.program.passedFrames()
	_ = m.att.close() // of an interface that is gone: nothing is left to be closed in order
	m.att = nil
}

// giveUp passes the queues of sockets to the host, lets the workers take what is in their rings,
// and releases them. A socket that its worker does not let go of stays for the next time.
func (m *Mirror) giveUp(sockets []*socket) {
	if len(sockets) == 0 {
		return
	}
	for _, s := range sockets {
		_ = m.att.program.leave(s.queue) // gone with its interface, at worst
	}
	time.Sleep(settleTime)
	m.drain(sockets)
	m.withdraw(sockets)
	released := sockets[:0:0]
	end := time.Now().Add(handPatience)
	for _, s := range sockets {
		if m.letGo(s, end) {
			released = append(released, s)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bury(released)
	for _, s := range released {
		delete(m.att.sockets, s.queue)
		_ = s.release()
	}
}

// drain waits until the workers have taken what is in the rings.
func (m *Mirror) drain(sockets []*socket) {
	for end := time.Now().Add(drainPatience); time.Now().Before(end); time.Sleep(handPause) {
		if !slices.ContainsFunc(sockets, func(s *socket) bool {
			return s.broken.Load() == nil && s.waiting() > 0
		}) {
			return
		}
	}
}

// withdraw takes sockets from the sources that have them.
func (m *Mirror) withdraw(sockets []*socket) {
	for _, s := range m.sources {
		rest := &held{}
		for _, q := range s.want.Load().sockets {
			if !slices.Contains(sockets, q) {
				rest.sockets = append(rest.sockets, q)
			}
		}
		if len(rest.sockets) != len(s.want.Load().sockets) {
			s.want.Store(rest)
			s.Wake()
		}
	}
}

// letGo waits until no source uses the socket, or end, and reports whether none does.
func (m *Mirror) letGo(q *socket, end time.Time) bool {
	uses := func(s *Source) bool { return slices.Contains(s.seen.Load().sockets, q) }
	for slices.ContainsFunc(m.sources, uses) {
		if time.Now().After(end) {
			return false
		}
		time.Sleep(handPause)
	}
	return true
}

// bury adds the last counts of sockets to those of their queues.
func (m *Mirror) bury(sockets []*socket) {
	for _, s := range sockets {
		st := s.stats()
		if n := s.waiting(); n > 0 {
			if st.Dropped == nil {
				st.Dropped = map[string]uint64{}
			}
			st.Dropped[DropClosed] += n
		}
		m.past[s.queue] = m.past[s.queue].Plus(st)
	}
}

// Status returns what is held, lost and passed on now.
func (m *Mirror) Status() Status {
	m.mu.Lock()
	defer m.mu.Unlock()
	st := Status{
		Interface: m.config.Interface, State: m.state, Reason: m.reason, Passed: m.passed,
		Virtual: m.seen.Kind != "device",
	}
	if m.att != nil {
		st.Passed += m.att.program.passedFrames()
		st.Deferral, st.Fault = m.att.deferral.Load().State()
	}
	for _, q := range slices.Sorted(maps.Keys(m.worker)) {
		st.Queues = append(st.Queues, m.statusOf(q))
	}
	if len(st.Queues) > 0 { // of no queue in particular
		for name, n := range map[string]uint64{DropMissed: m.missed, DropUnattached: m.gap.N()} {
			if n > 0 {
				st.Queues[0].Dropped[name] += n
			}
		}
	}
	return st
}

func (m *Mirror) statusOf(queue int) QueueStatus {
	st := QueueStatus{Queue: queue, Worker: m.worker[queue], Reason: m.failed[queue]}
	var live ring.Stats
	if m.att != nil && m.att.sockets[queue] != nil {
		s := m.att.sockets[queue]
		st.Mode, st.Reason, live = s.mode, s.reason, s.stats()
		st.Grant = s.grant(&m.config)
		st.NICRing, st.Lost = m.att.nicRing, m.zerocopy[queue] && s.mode != ModeZeroCopy
	}
	st.Stats = m.past[queue].Plus(live)
	return st
}

// statsOf returns the totals of one source.
func (m *Mirror) statsOf(number int) ring.Stats {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := ring.Stats{Dropped: map[string]uint64{}}
	for queue, w := range m.worker {
		if w == number {
			all = all.Plus(m.statusOf(queue).Stats)
		}
	}
	return all
}

// shut closes what a source has of its own.
func (s *Source) shut() error { return unix.Close(s.event) }
