package afxdp

import (
	"time"

	"weir/ring"
	"weir/ring/nic"
)

// observe notes what the interface itself has lost since the last look, and what came while nobody
// took it. known is what taken returned just before i was found.
func (m *Mirror) observe(i *nic.Interface, known uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.seen.Index == i.Index && i.Missed > m.seen.Missed {
		m.missed += i.Missed - m.seen.Missed
	}
	switch {
	case m.att == nil:
		m.gap.Absent(i)
		m.base = m.takenLocked()
	case i.RXQueues > m.att.covered: // since the last look some queues do without the program
		m.gap.Begin(i, m.seen.Received)
		m.base = m.known
	}
	m.seen, m.known = *i, known
}

// looks is how often reckon looks at most, to find a moment without a frame on its way.
const looks = 10

// reckon narrows down what came while we were not attached. Now we are.
func (m *Mirror) reckon() {
	for n, quiet := 0, false; n < looks && !quiet && !m.gap.Exact(); n++ {
		before := m.taken()
		i, err := m.nic.Find(m.config.Interface)
		if err != nil {
			return
		}
		time.Sleep(handPause) // for frames that the driver has counted and not handed over yet
		taken := m.taken()
		quiet = taken == before
		m.mu.Lock()
		m.gap.Present(&i)
		m.gap.Look(&i, taken-min(taken, m.base))
		m.mu.Unlock()
	}
}

// taken returns how many frames have come by our program, on all interfaces so far.
func (m *Mirror) taken() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.takenLocked()
}

// takenLocked looks at what waits in a ring first: if its worker takes that meanwhile the sum is
// too large, which hides a gap, and not too small, which would make one up.
func (m *Mirror) takenLocked() uint64 {
	n := m.passed
	for _, st := range m.past {
		n += frames(st)
	}
	if m.att == nil {
		return n
	}
	for _, s := range m.att.sockets {
		n += s.waiting()
		n += frames(s.stats())
	}
	return n + m.att.program.passedFrames()
}

// frames returns how many frames st knows of.
func frames(st ring.Stats) uint64 {
	n := st.Received
	for _, lost := range st.Dropped {
		n += lost
	}
	return n
}
