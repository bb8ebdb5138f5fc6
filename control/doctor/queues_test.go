package doctor

import (
	"strings"
	"testing"

	"weir/control/host"
	"weir/ring/nic"
)

// TestCheck_Queues changes one thing about the good server's queues, or what is planned of them.
func TestCheck_Queues(t *testing.T) {
	machine := machines(t)
	f := func(id string, change func(h *host.Facts, n *NIC, m *Mirror), state State, found string) {
		t.Helper()
		facts := machine("server")
		change(facts.Host, &facts.NICs[0], &facts.Plan.Mirrors[0])
		for _, c := range Examine(facts) {
			if c.ID != id {
				continue
			}
			if c.State != state || !strings.Contains(c.Found, found) {
				t.Errorf("%s: %s %q, want %s %q", id, c.State, c.Found, state, found)
			}
			return
		}
		t.Errorf("no check %s", id)
	}
	of := func(change func(n *NIC)) func(*host.Facts, *NIC, *Mirror) {
		return func(_ *host.Facts, n *NIC, _ *Mirror) { change(n) }
	}
	plan := func(queues, cores []int) func(*host.Facts, *NIC, *Mirror) {
		return func(_ *host.Facts, _ *NIC, m *Mirror) { m.Queues, m.Cores = queues, cores }
	}
	f("nic.queues", plan([]int{2, 4}, []int{2, 3}), Fail, "not there: 4")
	f("nic.queues", plan([]int{0, 1}, []int{2, 3}), Warn, "of which 0-1 captured from")
	f("nic.queues", plan(nil, []int{2, 3}), Warn, "4 of 32 for 2 cores")
	f("nic.queues", plan([]int{0, 1, 2, 3}, []int{2, 3}), Warn, "for 2 cores")
	f("nic.queues", plan([]int{0, 1, 2, 3}, nil), OK, "4 of 32")
	f("nic.queues", func(_ *host.Facts, n *NIC, m *Mirror) {
		n.RSS.Table, m.Queues, m.Cores = []int{0, 1, 0, 1}, []int{0, 1}, []int{2, 3}
	}, OK, "")
	f("nic.queues", of(func(n *NIC) { n.RXQueues = 0 }), Skip, "")
	table := func(t ...int) func(*host.Facts, *NIC, *Mirror) {
		return of(func(n *NIC) { n.RSS.Table = t })
	}
	f("nic.rss", table(0, 1, 2, 0, 1, 2), Warn, "3 of 4 queues")
	f("nic.rss", table(0, 1, 2, 3, 0, 0), Warn, "1 to 3 of 6")
	f("nic.rss", table(0, 1, 2, 3, 0, 1), OK, "")
	f("nic.rss", table(), Skip, "")
	f("nic.rss", of(func(n *NIC) { n.Missing["rss"] = "not told" }), Skip, "not told")
	f("nic.rss", of(func(n *NIC) { n.RXQueues = 1 }), Skip, "one queue")
	f("nic.hash", of(func(n *NIC) { n.Hash[nic.UDP4] = "v" }), Warn, "udp4 by v")
	f("nic.hash", of(func(n *NIC) { n.Hash = nil }), Skip, "")
	f("nic.hash", of(func(n *NIC) {}), OK, "both directions")
	rings := func(rx, most, speed int) func(*host.Facts, *NIC, *Mirror) {
		return of(func(n *NIC) { n.Rings, n.Speed = nic.Rings{RX: rx, MaxRX: most}, speed })
	}
	f("nic.rings", rings(512, 4096, 25_000), Warn, "512 of 4096")
	f("nic.rings", rings(4096, 4096, 25_000), OK, "")
	f("nic.rings", rings(4096, 8192, 25_000), Warn, "")
	f("nic.rings", rings(4096, 8192, 10_000), OK, "")
	f("nic.rings", rings(0, 0, 0), Skip, "does not tell")
	delay := func(us, frames, ring int) func(*host.Facts, *NIC, *Mirror) {
		return of(func(n *NIC) {
			n.Coalesce.Microseconds, n.Coalesce.Frames, n.Rings.RX = us, frames, ring
		})
	}
	f("nic.coalescing", delay(100, 0, 512), Warn, "100 µs")
	f("nic.coalescing", delay(100, 64, 512), OK, "")
	f("nic.coalescing", delay(10, 0, 512), OK, "")
	f("nic.pause", of(func(n *NIC) { n.Pause.TX = true }), Warn, "sent")
	f("nic.pause", of(func(n *NIC) { n.Missing["pause"] = "not told" }), Skip, "not told")
	f("nic.missed", of(func(n *NIC) { n.Missed = 1e6 }), Warn, "1000000 of")
	f("nic.missed", of(func(n *NIC) { n.Missed = 1e4 }), OK, "")

	comes := func(irq, cpu int) func(*host.Facts, *NIC, *Mirror) {
		return func(h *host.Facts, _ *NIC, _ *Mirror) { h.IRQ(irq).Effective = []int{cpu} }
	}
	f("irq.place", comes(100, 2), OK, "4 on 2-5") // its own worker's
	f("irq.place", comes(100, 3), Warn, "4 on 3-5")
	f("irq.place", comes(100, 0), OK, "")
	f("irq.place", comes(100, 6), Warn, "") // the worker of flow exports
	f("irq.place", of(func(n *NIC) { n.IRQs = nil }), Skip, "")
	f("nic.node", plan(nil, []int{2, 3, 8, 9}), Warn, "on another: cores 8-9")
	f("nic.node", of(func(n *NIC) { n.NUMANode = -1 }), Skip, "not told")
	alone := func(h *host.Facts, _ *NIC, _ *Mirror) { h.Nodes = h.Nodes[:1] }
	f("nic.node", alone, Skip, "one node")
}

// TestCheck_Configuration changes one thing about the good server's plan.
func TestCheck_Configuration(t *testing.T) {
	machine := machines(t)
	f := func(id string, change func(p *Plan), state State, found string) {
		t.Helper()
		facts := machine("server")
		change(&facts.Plan)
		for _, c := range Examine(facts) {
			if c.ID != id {
				continue
			}
			if c.State != state || !strings.Contains(c.Found, found) {
				t.Errorf("%s: %s %q, want %s %q", id, c.State, c.Found, state, found)
			}
			return
		}
		t.Errorf("no check %s", id)
	}
	f("config.file", func(p *Plan) { p.Path = "" }, Skip, "there is none")
	f("config.file", func(p *Plan) { p.Err = "no such file" }, Fail, "no such file")
	f("config.file", func(p *Plan) { p.Errors = 2 }, Fail, "2 errors")
	f("config.file", func(p *Plan) { p.Errors, p.First = 2, "3:1: bad" }, Fail,
		"2 errors, the first: 3:1: bad")
	f("config.file", func(p *Plan) { p.Errors, p.First = 1, "3:1: bad" }, Fail, "1 error: 3:1: bad")
	f("config.file", func(p *Plan) { p.Warnings = 1 }, Warn, "1 warning")
	for owner, state := range map[Owner]State{
		{}: OK, {"weir", true}: OK, {"weir.old", true}: OK, {"weir", false}: Fail,
		{"?", false}: Warn, {"nfcapd", false}: Fail,
	} {
		f("flows.port", func(p *Plan) { p.Ports[0].Owner = owner }, state, "")
		f("config.listen", func(p *Plan) { p.Listens[0].Owner = owner }, state, "")
	}
	buffer := func(want, got int) func(*Plan) {
		return func(p *Plan) { p.Ports[0].Buffer, p.Ports[0].Granted = want, got }
	}
	f("flows.buffer", buffer(64<<20, 0), OK, "64 MiB allowed")
	f("flows.buffer", buffer(128<<20, 0), Warn, "64 MiB allowed")
	f("flows.buffer", buffer(128<<20, 128<<20), OK, "128 MiB granted")
	f("flows.buffer", buffer(128<<20, 4<<20), Warn, "4 MiB granted")
	peer := func(enforce bool, why string) func(*Plan) {
		return func(p *Plan) { p.Enforce, p.Peers[0].Err = enforce, why }
	}
	f("bgp.peer", peer(true, ""), OK, "1.2ms")
	f("bgp.peer", peer(true, "no answer"), Fail, "no answer")
	f("bgp.peer", peer(false, "no answer"), Warn, "no answer")
	f("bgp.peer", func(p *Plan) { p.Peers[0].Skipped = "passive" }, Skip, "passive")

	drops := machine("server")
	drops.Host.UDP = machine("vm").Host.UDP
	for _, c := range Examine(drops) {
		if c.ID == "flows.drops" && (c.State != Warn || !strings.Contains(c.Found, "4711")) {
			t.Errorf("%+v", c)
		}
	}
}
