package daemon

import (
	"slices"

	"weir/control"
	"weir/control/api"
	"weir/control/rate"
	"weir/control/sink/prometheus"
	"weir/counters"
	"weir/decode"
)

// Metrics implements prometheus.Source.
func (d *Daemon) Metrics() *prometheus.Snapshot {
	p := d.live.Picture()
	s := &prometheus.Snapshot{
		Version: d.options.Version, Mode: d.mode(),
		Memory: prometheus.Memory{Tables: p.Memory, Budget: p.Budget},
		Packets: prometheus.Packets{
			Processed: p.Pipeline.Processed, Shed: p.Pipeline.Shed, Foreign: p.Pipeline.Foreign,
			Internal: p.Pipeline.Internal, Ignored: p.Pipeline.Ignored,
			Unlisted: p.Pipeline.Unlisted, Unplaced: p.Pipeline.Unplaced,
			Errors: byReason(p.Pipeline.Dropped[:]), Damaged: byReason(p.Pipeline.Damaged[:]),
		},
		Incoming: traffic(&p, rate.Incoming), Outgoing: traffic(&p, rate.Outgoing),
		Hosts: p.Active, LogHidden: d.hidden(),
	}
	d.mu.Lock()
	s.Config = prometheus.Config{
		Hash: hash(d.places), Loaded: d.loaded, ReloadOK: d.reloadErr == "",
	}
	s.Loop = prometheus.Loop{
		Ticks: d.ticks.Clone(), LateFlips: p.Late, LostSamples: p.Pipeline.LostSamples,
		LostHints: p.Pipeline.LostHints,
	}
	d.mu.Unlock()
	queues := d.queues()
	for _, m := range d.mirrors {
		s.Interfaces = append(s.Interfaces, m.metrics())
	}
	for i := range s.Interfaces {
		received(&s.Interfaces[i], queues)
	}
	for i := range p.Workers {
		w := &p.Workers[i]
		s.Workers = append(s.Workers, prometheus.Worker{
			Worker: w.Number, Core: d.coreOf(w.Number), Packets: w.Total.Received,
			Busy: busy(w, p.Window), Gap: float64(w.Second.Gap) / 1e9,
			Fill: float64(w.Second.Fill) / 100,
		})
	}
	s.Flows = d.flowMetrics(&p)
	s.Attacks = d.attackMetrics(&p)
	mitigation := d.mitigationStatus()
	s.Mitigation = mitigating(&mitigation)
	s.Attacks.Mitigations = d.mitigations(&mitigation)
	return s
}

// mitigations counts routes by how far they are.
func (d *Daemon) mitigations(m *api.Mitigation) []prometheus.Mitigation {
	count := func(state string, n int) prometheus.Mitigation {
		return prometheus.Mitigation{Kind: "blackhole", State: state, Active: n}
	}
	if d.dryRun() {
		return []prometheus.Mitigation{count("dry_run", m.Routes)}
	}
	return []prometheus.Mitigation{
		count("announced", m.Standing), count("pending", max(0, m.Routes-m.Standing)),
	}
}

// mitigating is how those fare who change traffic.
func mitigating(m *api.Mitigation) prometheus.Mitigating {
	out := prometheus.Mitigating{Frozen: m.Frozen, Killed: m.Killed, Refused: m.Refused}
	for i := range m.Peers {
		p := &m.Peers[i]
		out.Peers = append(out.Peers, prometheus.Peer{
			Address: p.Address, Up: p.State == "established", Routes: p.Routes, Flaps: p.Flaps,
		})
	}
	if s := m.Speaker; s != nil {
		out.Speaker = &prometheus.Speaker{Up: s.Alive, Restarts: s.Restarts}
	}
	if j := m.Journal; j != nil {
		out.Journal = &prometheus.Journal{Healthy: j.Healthy, Refused: j.Refused}
	}
	if s := m.Script; s != nil {
		out.Actions = append(out.Actions, prometheus.Action{
			Name: "script", Done: s.Done, Failed: s.Failed, TimedOut: s.TimedOut,
			Dropped: s.Dropped,
		})
	}
	if x := m.ExaBGP; x != nil {
		out.Actions = append(out.Actions, prometheus.Action{Name: "exabgp", Done: x.Written})
	}
	return out
}

func (d *Daemon) hidden() uint64 {
	if d.options.Hidden == nil {
		return 0
	}
	return d.options.Hidden()
}

func (d *Daemon) attackMetrics(p *control.Picture) prometheus.Attacks {
	failed, lost, _ := d.keeper.state()
	a := prometheus.Attacks{
		Active: len(p.Open), Total: p.Attacks, Refused: p.Refused[0],
		ReportErrors: failed + lost, Latency: d.archive.latencies(),
	}
	for i := range p.Open {
		in := &p.Open[i]
		for _, v := range in.Vectors {
			pps := float64(in.Last[in.Trigger.Direction].Packets[rate.Total]) * v.Share
			a.Now = append(a.Now, prometheus.Attack{
				Target: in.Target.Addr().String(), Vector: v.Name, PPS: uint64(pps),
			})
		}
	}
	return a
}

// metrics returns what the interface has got.
func (m *mirror) metrics() prometheus.Interface {
	state, _, sources := m.sources()
	out := prometheus.Interface{Name: m.Interface}
	for i := range sources {
		q := &sources[i]
		out.Passed += q.Passed
		xdp := ""
		if m.engine == "afxdp" {
			xdp = q.Mode
		}
		out.Queues = append(out.Queues, prometheus.Queue{
			Queue: q.Queue, Up: state == "up", XDP: xdp,
			Received: q.Received, Bytes: q.Bytes, Dropped: q.Dropped, Granted: grantedMetrics(q),
		})
	}
	short := m.shortfalls()
	for _, n := range short.ZeroCopy {
		for i := range out.Queues {
			out.Queues[i].NoZeroCopy = out.Queues[i].NoZeroCopy || out.Queues[i].Queue == n
		}
	}
	return out
}

// received says who receives from the interface's queues, and where they lost packets.
func received(in *prometheus.Interface, queues []api.Queue) {
	for i := range in.Queues {
		q := &in.Queues[i]
		n := slices.IndexFunc(queues, func(o api.Queue) bool {
			return o.Interface == in.Name && o.Queue == q.Queue
		})
		if n < 0 {
			q.Core = -1
			continue // it came just now
		}
		o := &queues[n]
		q.Worker, q.Core, q.Busy, q.Fill = o.Worker, o.Core, o.Busy, float64(o.Fill)/100
		q.Lost = prometheus.Places(o.Lost)
	}
}

func grantedMetrics(s *api.Source) *prometheus.Granted {
	g := s.Granted
	if g == nil {
		return nil
	}
	return &prometheus.Granted{
		BusyPoll: g.BusyPoll, Huge: g.Huge, Node: g.Node, Frames: g.Frames,
		Fill: float64(g.Fill) / 100,
	}
}

func traffic(p *control.Picture, d rate.Direction) prometheus.Traffic {
	c := &p.Total[d]
	t := prometheus.Traffic{
		TCP: c.Packets[counters.TCP], UDP: c.Packets[counters.UDP],
		ICMP: c.Packets[counters.ICMP], Other: c.Packets[counters.Other],
		SYN: c.Packets[counters.SYN], Fragments: c.Packets[counters.Frag],
	}
	for class := counters.TCP; class <= counters.Other; class++ {
		t.Bytes += c.Bytes[class]
	}
	for i := range p.History {
		t.PeakPPS = max(t.PeakPPS, p.History[i].Packets[d])
	}
	return t
}

// byReason names the counts of decode.Status, zeros included: a series that begins at 1 does not
// rise.
func byReason(counts []uint64) map[string]uint64 {
	out := make(map[string]uint64, len(counts))
	for st := range decode.NumStatus {
		if st != decode.OK {
			out[st.String()] = counts[st]
		}
	}
	return out
}

// busy returns the part of the window that a worker spent on packets.
func busy(w *control.WorkerSecond, window int64) float64 {
	if window <= 0 {
		return 0
	}
	return min(1, float64(w.Second.Busy)/float64(window))
}

// coreOf returns the core of a worker, -1 when it has none.
func (d *Daemon) coreOf(worker int) int {
	if worker < len(d.cores) {
		return d.cores[worker]
	}
	return -1
}
