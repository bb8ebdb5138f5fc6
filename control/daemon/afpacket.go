package daemon

import (
	"runtime"

	"weir/control/api"
	"weir/control/config"
	"weir/ring/afpacket"
)

// fanoutWorkers is how many sockets share an interface where the file names no cores: the kernel
// spreads flows over them, and one is enough for what a host's own stack can take.
const fanoutWorkers = 2

func (m *mirror) openAFPacket(clock func() int64) ([]waker, error) {
	workers := len(m.Cores)
	if workers == 0 {
		workers = min(fanoutWorkers, runtime.NumCPU())
	}
	a, err := afpacket.Open(afpacket.Config{
		Interface: m.Interface, Workers: workers, Promiscuous: m.Promiscuous,
		Incoming: m.Direction == config.Incoming, Spin: m.spin, Clock: clock,
	})
	if err != nil {
		return nil, err
	}
	m.source = a
	var out []waker
	for _, s := range a.Sources() {
		out = append(out, s)
	}
	return out, nil
}

// ofAFPacket returns a source for each socket of the fanout group.
func (m *mirror) ofAFPacket(st afpacket.Status) (state, reason string, all []api.Source) {
	for i := range st.Sockets {
		s := &st.Sockets[i]
		all = append(all, api.Source{
			Engine: m.engine, Interface: m.Interface, Queue: s.Worker, Worker: m.first + s.Worker,
			State: st.State, Mode: "fanout", Reason: st.Reason,
			Received: s.Received, Bytes: s.Bytes, Dropped: s.Dropped,
		})
	}
	return st.State, st.Reason, all
}
