package daemon

import (
	"testing"

	"weir/control/api"
	"weir/control/sink/prometheus"
)

// TestReceived tells queues of one interface from those of others, and one that came just now.
func TestReceived(t *testing.T) {
	queues := []api.Queue{
		{Interface: "eth1", Queue: 0, Worker: 3, Core: 5},
		{
			Interface: "eth1", Queue: 1, Worker: 4, Core: -1, Busy: .5, Fill: 25,
			Lost: api.Places{NIC: 1, XDP: 2, Ring: 3, Table: 4},
		},
		{Interface: "eth2", Queue: 1, Worker: 9},
	}
	in := prometheus.Interface{Name: "eth1", Queues: []prometheus.Queue{{Queue: 1}, {Queue: 7}}}
	received(&in, queues)
	q := in.Queues[0]
	if q.Worker != 4 || q.Core != -1 || q.Busy != .5 || q.Fill != .25 ||
		q.Lost != (prometheus.Places{NIC: 1, XDP: 2, Ring: 3, Table: 4}) {
		t.Errorf("queue 1: %+v", q)
	}
	if q := in.Queues[1]; q.Core != -1 || q.Lost != (prometheus.Places{}) {
		t.Errorf("a queue that nobody knows: %+v", q)
	}
}
