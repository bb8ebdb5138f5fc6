package daemon

import (
	"fmt"
	"strings"

	"weir/control/api"
	"weir/control/config"
	"weir/control/health"
	"weir/ring/afxdp"
)

// granted returns what the kernel gave a queue, as the API has it.
func granted(q *afxdp.QueueStatus, deferral string) *api.Granted {
	return &api.Granted{
		BusyPoll: q.BusyPoll, BusyReason: q.BusyFault, Deferral: deferral, Huge: q.Huge,
		Node: q.Node, Frames: q.Frames, NICRing: q.NICRing, Fill: q.Fill,
	}
}

// lostAt sorts what a source lost by where that was.
func lostAt(dropped map[string]uint64) (p api.Places) {
	for name, n := range dropped {
		switch name {
		case afxdp.DropMissed:
			p.NIC += n
		case afxdp.DropFill, afxdp.DropUnattached:
			p.XDP += n
		default: // the worker was too slow, or its ring was given up
			p.Ring += n
		}
	}
	return p
}

// queues returns all queues of all interfaces, for the pipeline.
func (d *Daemon) queues() []api.Queue {
	workers := map[int]api.Core{}
	for _, c := range d.Cores().Cores {
		workers[c.Worker] = c
	}
	all := []api.Queue{}
	for _, m := range d.mirrors {
		_, _, sources := m.sources()
		for i := range sources {
			s := &sources[i]
			w, first := workers[s.Worker]
			q := api.Queue{
				Interface: s.Interface, Queue: s.Queue, Worker: s.Worker,
				Core: d.coreOf(s.Worker), Mode: s.Mode, Busy: w.Busy, Fill: w.Fill,
				Lost: lostAt(s.Dropped), Granted: s.Granted,
			}
			if first {
				q.Lost.Table = w.Lost.Table
				w.Lost.Table = 0 // counted once
				workers[s.Worker] = w
			}
			all = append(all, q)
		}
	}
	return all
}

// shortfalls returns what was asked of AF_XDP and not granted, for health.
func (m *mirror) shortfalls() (s health.Shortfalls) {
	a, ok := m.source.(*afxdp.Mirror)
	if !ok {
		return s
	}
	st := a.Status()
	s.Deferral = st.Fault
	for i := range st.Queues {
		q := &st.Queues[i]
		if m.lacksZeroCopy(&st, q) {
			s.ZeroCopy = append(s.ZeroCopy, q.Queue)
			s.Mode, s.Reason = q.Mode, q.Reason
		}
		if m.busy == config.BusyOn && q.BusyPoll == afxdp.PollingRefused {
			s.BusyPoll = append(s.BusyPoll, q.Queue)
			s.BusyReason = q.BusyFault
		}
	}
	return s
}

// lacksZeroCopy reports whether a queue that is held is without zero-copy though the file asks for
// it and it could have it: there is hardware, or it had it before. No virtual driver has it but
// those of virtual machines, which the kernel shows as hardware.
func (m *mirror) lacksZeroCopy(st *afxdp.Status, q *afxdp.QueueStatus) bool {
	return m.zerocopy != config.Off && q.Mode != "" && q.Mode != afxdp.ModeZeroCopy &&
		(q.Lost || !st.Virtual)
}

// logGrants writes once what was got of an interface.
func (d *Daemon) logGrants(m *mirror) {
	state, reason, sources := m.sources()
	modes := map[string]bool{}
	var names []string
	for i := range sources {
		text := sources[i].Mode
		if g := sources[i].Granted; g != nil {
			text += fmt.Sprintf(", huge pages %s, node %d, busy poll %s, interrupts deferred %s",
				g.Huge, g.Node, g.BusyPoll, g.Deferral)
		}
		if !modes[text] {
			modes[text] = true
			names = append(names, text)
		}
	}
	d.log.Info("capturing", "interface", m.Interface, "engine", m.engine, "queues", len(sources),
		"state", state, "reason", reason, "granted", strings.Join(names, "; "))
}
