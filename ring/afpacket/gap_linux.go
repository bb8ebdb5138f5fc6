package afpacket

import (
	"time"

	"weir/ring/nic"
)

// looks is how often reckon looks, to find a moment without a frame on its way. It does not go on:
// in the long run we see fewer frames than the interface counts, those that the kernel has merged.
const looks = 10

// absent notes what came until now, if a gap goes on.
func (m *Mirror) absent() {
	if !m.gap.Open() {
		return
	}
	if i, err := m.nic.Find(m.config.Interface); err == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.gap.Absent(&i)
	}
}

// reckon ends a gap with sockets that have begun to receive, and narrows down what came in it.
func (m *Mirror) reckon(sockets []*socket) {
	for n := 0; n < looks && !m.gap.Exact(); n++ {
		i, err := m.nic.Find(m.config.Interface)
		if err != nil {
			return
		}
		time.Sleep(handPause) // for frames that the driver has counted and not handed over yet
		taken := taken(sockets)
		m.mu.Lock()
		m.gap.Present(&i)
		m.gap.Look(&i, taken)
		m.mu.Unlock()
	}
}

// taken returns how many frames have come to sockets.
func taken(sockets []*socket) (n uint64) {
	for _, s := range sockets {
		n += s.taken()
	}
	return n
}

// leave begins a gap where sockets are given up that have not lost their interface. On one that
// they have lost, it began when that appeared.
func (m *Mirror) leave() {
	var at nic.Interface
	before := uint64(0)
	for n, quiet := 0, false; n < looks && !quiet; n++ {
		var err error
		before = taken(m.sockets)
		if at, err = m.nic.Find(m.config.Interface); err != nil || at.Index != m.index {
			return
		}
		time.Sleep(handPause)
		quiet = taken(m.sockets) == before
	}
	for _, s := range m.sockets {
		if s.mute() != nil || !s.bound(m.index) {
			return
		}
	}
	from := at.Received + taken(m.sockets) - before
	if at, err := m.nic.Find(m.config.Interface); err == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.gap.Begin(&at, min(from, at.Received))
	}
}
