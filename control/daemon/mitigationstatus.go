package daemon

import (
	"weir/control/api"
	"weir/control/brake"
	"weir/control/governor"
)

// mitigationStatus says how those fare who change traffic.
func (d *Daemon) mitigationStatus() (out api.Mitigation) {
	p := d.live.Picture()
	m := d.mitigation
	d.mu.Lock()
	out.KillFile, out.Killed = killPath(d.config), d.brake == brake.Withdraw
	d.mu.Unlock()
	out.Frozen, out.Routes = p.Frozen, p.Routes
	out.Standing = m.announcer.State().Standing
	out.Refused, out.Peers = map[string]uint64{}, []api.Peer{}
	for r, n := range p.Denied {
		if n > 0 {
			out.Refused[governor.Refusal(r).String()] = n
		}
	}
	out.Journal = m.journalStatus()
	if m.speaker != nil {
		m.speaker.status(&out)
	}
	m.actionStatus(&out)
	return out
}

func (m *mitigation) journalStatus() *api.Journal {
	s := m.journal.State()
	j := &api.Journal{
		Healthy: s.Err == nil, Note: m.restored.Note, Routes: s.Routes, Bytes: s.Bytes,
		Queued: s.Queued, Refused: s.Refused,
	}
	if s.Err != nil {
		j.Error = s.Err.Error()
	}
	return j
}

// actionStatus says how the script and ExaBGP's pipe fare.
func (m *mitigation) actionStatus(out *api.Mitigation) {
	if m.script != nil {
		s := m.script.Stats()
		out.Script = &api.Script{
			Path: m.paths.Script.Path, Queued: s.Queued, Running: s.Running, Done: s.Done,
			Failed: s.Failed, TimedOut: s.TimedOut, Dropped: s.Dropped, Error: s.LastError,
		}
	}
	if m.pipe != nil {
		s := m.pipe.State()
		out.ExaBGP = &api.ExaBGP{
			Pipe: m.paths.ExaBGP.Pipe, Open: s.Open, Written: s.Announced + s.Withdrawn,
			Pending: s.Pending, Error: s.Error,
		}
	}
}

// mitigationProblems says, in whole sentences, what keeps announcements from being made.
func mitigationProblems(m *api.Mitigation) (out []string) {
	add := func(is bool, format string, args ...any) {
		if is {
			out = append(out, sentence(format, args...))
		}
	}
	add(m.Killed, "Everything is withdrawn and nothing is announced: %s is there; "+
		"try: weir freeze --off", m.KillFile)
	add(m.Frozen && !m.Killed, "Nothing new is announced: announcing is frozen; "+
		"try: weir freeze --off")
	if j := m.Journal; j != nil {
		add(!j.Healthy, "Nothing new is announced: the journal cannot be written: %s", j.Error)
	}
	for i := range m.Peers {
		p := &m.Peers[i]
		add(p.State != "established", "BGP peer %s is %s, it gets no routes. %s", p.Address,
			p.State, p.Error)
	}
	if s := m.Speaker; s != nil {
		add(!s.Alive, "The BGP speaker is not running: %s", s.Error)
	}
	if x := m.ExaBGP; x != nil {
		add(!x.Open, "Nobody reads ExaBGP's pipe %s: %s", x.Pipe, x.Error)
	}
	if s := m.Script; s != nil {
		add(s.Dropped > 0, "%d runs of %s were dropped: it takes too long.", s.Dropped, s.Path)
		add(s.Error != "", "The last failure of %s: %s", s.Path, s.Error)
	}
	return out
}
