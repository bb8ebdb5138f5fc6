package replay

import "weir/decode/pcap"

// input is a capture and the packet that it gives next.
type input struct {
	reader *pcap.Reader
	packet pcap.Packet
	latest int64 // greatest time so far
	order  int   // among the captures, breaks ties
}

// merge is a heap of the inputs that have a packet, the next to deliver first.
type merge []*input

func (m merge) before(i, j int) bool {
	a, b := m[i], m[j]
	if a.packet.Time != b.packet.Time {
		return a.packet.Time < b.packet.Time
	}
	return a.order < b.order
}

// down restores the heap after the input at i got a later packet.
func (m merge) down(i int) {
	for {
		first := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(m); child++ {
			if m.before(child, first) {
				first = child
			}
		}
		if first == i {
			return
		}
		m[i], m[first] = m[first], m[i]
		i = first
	}
}

// drop removes the first input.
func (m *merge) drop() {
	last := len(*m) - 1
	(*m)[0] = (*m)[last]
	*m = (*m)[:last]
	m.down(0)
}
