package daemon

import (
	"fmt"
	"runtime/metrics"
	"time"

	"weir/control"
	"weir/control/api"
	"weir/control/health"
	"weir/control/rate"
)

// Status implements api.Backend.
func (d *Daemon) Status() api.Status {
	p := d.live.Picture()
	s := api.Status{
		Type: "status", Version: d.options.Version, Mode: d.mode(),
		Started: d.started.UTC(), Uptime: time.Since(d.started).Seconds(),
		Problems: []string{}, Config: d.configStatus(),
		Memory: api.MemoryStatus{
			Tables: p.Memory, Budget: p.Budget, Heap: heap(), Huge: d.huge,
		},
		Traffic: d.traffic(&p), Hosts: p.Active, Attacks: len(p.Open), Total: p.Attacks,
		Sources: []api.Source{},
	}
	d.mu.Lock()
	s.Loop = api.LoopStatus{
		TickMillis: millis(d.tickLast), TickMillisMax: millis(d.tickMax), Late: p.Late,
	}
	d.mu.Unlock()
	for _, o := range d.origins() {
		_, _, sources := o.sources()
		s.Sources = append(s.Sources, sources...)
	}
	s.Mitigation = d.mitigationStatus()
	s.Healthy = true
	for _, f := range health.Findings(d.facts(&p, health.Nearest{})) {
		if f.Severity == health.OK {
			continue
		}
		s.Problems = append(s.Problems, f.Message)
		s.Healthy = s.Healthy && f.Severity != health.Error
	}
	s.Problems = append(s.Problems, mitigationProblems(&s.Mitigation)...)
	if s.Config.ReloadErr != "" {
		s.Problems = append(s.Problems, "The last reload was refused: "+s.Config.ReloadErr)
	}
	return s
}

func (d *Daemon) configStatus() api.ConfigStatus {
	d.mu.Lock()
	defer d.mu.Unlock()
	return api.ConfigStatus{
		File: d.options.Path, Hash: hash(d.places), Loaded: d.loaded.UTC(),
		ReloadOK: d.reloadErr == "", ReloadErr: d.reloadErr,
		Restart:  append([]string{}, d.restart...),
		Networks: len(d.config.Networks), Hostgroups: len(d.config.Hostgroups),
	}
}

// hash returns the name of a policy.
func hash(p *places) string { return fmt.Sprintf("%016x", p.policy.Hash()) }

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// heap returns the bytes of live and dead objects, without stopping the world.
func heap() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// traffic returns the last second of everything.
func (d *Daemon) traffic(p *control.Picture) api.Traffic {
	over := func(n uint64) uint64 { return perSecond(n, p.Window) }
	t := api.Traffic{
		Time: stamp(p.Time), PPS: over(p.Last.Received), BPS: 8 * over(p.Last.Bytes),
		In:       ratesOf(p.Counts[rate.Incoming].Over(p.Window)),
		Out:      ratesOf(p.Counts[rate.Outgoing].Over(p.Window)),
		Internal: over(p.Last.Internal), Foreign: over(p.Last.Foreign),
		Dropped:   over(dropped(&p.Last)) + d.framesLost(),
		Datagrams: over(p.LastExports.Received), Records: over(p.LastExports.Records),
		History: []api.Moment{},
	}
	t.In.FPS, t.Out.FPS = over(p.Flows[rate.Incoming]), over(p.Flows[rate.Outgoing])
	for _, m := range p.History {
		t.History = append(t.History, api.Moment{
			InPPS: m.Packets[rate.Incoming], InBPS: 8 * m.Bytes[rate.Incoming],
			OutPPS: m.Packets[rate.Outgoing], OutBPS: 8 * m.Bytes[rate.Outgoing],
		})
	}
	return t
}

// perSecond divides by a window of at least a second.
func perSecond(n uint64, window int64) uint64 {
	return uint64(float64(n)*float64(rate.Second)/float64(max(window, rate.Second)) + 0.5)
}

// dropped returns the frames of a pipeline that count for nobody.
func dropped(p *rate.Pipeline) (n uint64) {
	n = p.Shed
	for _, c := range p.Dropped {
		n += c
	}
	return n
}

// ratesOf returns rates as the API has them.
func ratesOf(r rate.Rates) api.Rates {
	return api.Rates{
		PPS: r.Packets[rate.Total], BPS: r.Bits[rate.Total], FPS: r.Flows,
		TCP: r.Packets[rate.TCP], UDP: r.Packets[rate.UDP], ICMP: r.Packets[rate.ICMP],
		SYN: r.Packets[rate.SYN], Frag: r.Packets[rate.Frag], AtLeast: r.FlowsAtMin,
	}
}

// Cores implements api.Backend.
func (d *Daemon) Cores() api.CoreList {
	p := d.live.Picture()
	l := api.CoreList{Type: "cores", Time: stamp(p.Time), Cores: []api.Core{}}
	now := d.clock()
	for i := range p.Workers {
		w := &p.Workers[i]
		c := api.Core{
			Worker: w.Number, Core: d.coreOf(w.Number), Queues: []int{},
			PPS:  perSecond(w.Second.Received, p.Window),
			BPS:  8 * perSecond(w.Second.Bytes, p.Window),
			Busy: busy(w, p.Window), Fill: int(w.Second.Fill), Late: w.Late,
			HeartAge: time.Duration(max(0, now-w.Answered)).Seconds(),
		}
		if w.Second.Received > 0 {
			c.Shed = float64(w.Second.Shed) / float64(w.Second.Received)
		}
		d.sourceOf(&c)
		c.Lost.Table = w.Total.Unplaced
		c.DroppedPPS = d.lost.ofWorker(w.Number)
		l.Cores = append(l.Cores, c)
	}
	return l
}

// sourceOf fills in what a worker receives from.
func (d *Daemon) sourceOf(c *api.Core) {
	for _, o := range d.origins() {
		_, _, sources := o.sources()
		for i := range sources {
			s := &sources[i]
			if s.Worker != c.Worker {
				continue
			}
			c.Interface, c.Mode = s.Interface, s.Mode
			c.Queues = append(c.Queues, s.Queue)
			for _, n := range s.Dropped {
				c.DroppedAll += n
			}
			lost := lostAt(s.Dropped)
			c.Lost.NIC += lost.NIC
			c.Lost.XDP += lost.XDP
			c.Lost.Ring += lost.Ring
		}
	}
}

// Networks implements api.Backend.
func (d *Daemon) Networks() api.NetworkList {
	p := d.live.Picture()
	l := api.NetworkList{Type: "networks", Time: stamp(p.Time), Networks: []api.Network{}}
	for i := range p.Networks {
		n := &p.Networks[i]
		out := api.Network{
			Prefix: n.Prefix.String(), Active: n.Active, Exact: n.Direct,
			In:  ratesOf(n.Counts[rate.Incoming].Over(p.Window)),
			Out: ratesOf(n.Counts[rate.Outgoing].Over(p.Window)),
		}
		for k := range p.Open {
			if n.Prefix.Contains(p.Open[k].Target.Addr()) {
				out.Attacks++
			}
		}
		l.Networks = append(l.Networks, out)
	}
	return l
}

// sentence formats one; the name says what its callers make.
func sentence(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// statusWord says how near a limit is, in one word.
func statusWord(attacked, allowed bool, percent float64) string {
	const nearPercent = 50
	switch {
	case attacked:
		return "attack"
	case allowed:
		return "allowlisted"
	case percent >= nearPercent:
		return "near"
	}
	return "ok"
}
