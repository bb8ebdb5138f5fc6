package doctor

import (
	"strings"
	"testing"

	"weir/control/tune"
	"weir/ring/nic"
)

// TestTune: where the doctor points to weir tune for a setting of an interface, that has a step for
// it.
func TestTune(t *testing.T) {
	f := machines(t)("server")
	n := bad("ens1f0")
	n.NUMANode, n.RXQueues, n.Channels = 0, 8, nic.Channels{Combined: 8, MaxCombined: 8}
	n.IRQs = good("").IRQs
	f.NICs = []NIC{n}
	for _, irq := range f.Host.IRQs {
		f.Host.IRQ(irq.Number).Affinity = []int{2}
		f.Host.IRQ(irq.Number).Effective = []int{2}
	}
	plan, err := tune.Make(&tune.Facts{Host: f.Host, Interfaces: []nic.Facts{n.Facts}},
		&tune.Wish{})
	if err != nil {
		t.Fatal(err)
	}
	steps := map[tune.Kind]bool{}
	for i := range plan.Steps {
		s := &plan.Steps[i]
		steps[s.Kind] = true
		steps[s.Kind+tune.Kind(" "+s.Name)] = true
	}
	kinds := map[string]tune.Kind{
		"nic.queues": tune.Channels, "nic.rings": tune.Ring, "nic.rss": tune.Table,
		"nic.hash": tune.HashOf, "nic.pause": tune.Pause, "irq.place": tune.Affinity,
		"nic.lro": tune.Offload + " " + nic.LRO, "nic.vlan": tune.Offload + " " + nic.RXVLAN,
	}
	for _, c := range Examine(f) {
		kind, known := kinds[c.ID]
		switch {
		case !known:
		case !strings.HasPrefix(c.Fix, "weir tune"):
			t.Errorf("%s: %s %s, fix %q", c.ID, c.State, c.Found, c.Fix)
		case !steps[kind]:
			t.Errorf("%s: weir tune has no %s: %v", c.ID, kind, steps)
		}
	}
}
