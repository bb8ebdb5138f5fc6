package daemon

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"weir/control"
	"weir/control/action/exabgp"
	"weir/control/action/script"
	"weir/control/announce"
	"weir/control/ban"
	"weir/control/ban/journal"
	"weir/control/config"
)

// stopPatience is how long a stop waits for the journal's last words and for running scripts.
const stopPatience = 5 * time.Second

// mitigation is everything between the control loop's decisions and those who change traffic.
type mitigation struct {
	log      *slog.Logger
	journal  *journal.Journal
	restored journal.Restored
	speaker  *speaker       // nil: there are no peers
	pipe     *exabgp.Pipe   // nil: none
	script   *script.Runner // nil: none
	paths    config.Actions // of both

	announcer *announce.Announcer
}

// open opens the journal in the state directory, which is locked, and prepares all that c names to
// act. clock is the control loop's. After an error too, close gives back what was opened.
func (m *mitigation) open(c *config.Config, clock func() int64) (err error) {
	m.journal, m.restored, err = journal.Open(c.StateDir, journal.SystemClock(), journal.Options{})
	if err != nil {
		return err
	}
	m.paths = c.Actions
	var speakers []announce.Speaker
	if m.speaker, err = newSpeaker(c, clock, m.log); err != nil {
		return err
	}
	if m.speaker != nil {
		speakers = append(speakers, m.speaker)
	}
	if c.Actions.ExaBGP.Pipe != "" {
		m.pipe, err = exabgp.New(exabgp.Config{Pipe: c.Actions.ExaBGP.Pipe}, m.log)
		if err != nil {
			return err
		}
		speakers = append(speakers, m.pipe)
	}
	if s := c.Actions.Script; s.Path != "" {
		m.script, err = script.New(script.Config{
			Path: s.Path, JSON: s.Format == config.JSON, Timeout: s.Timeout,
		}, m.log)
		if err != nil {
			return err
		}
	}
	m.announcer = announce.New(m.journal, speakers, clock, m.log)
	return nil
}

// actor returns who acts on what the governor approves; nil where nobody would.
func (m *mitigation) actor() control.Actor {
	if m.speaker == nil && m.pipe == nil && m.script == nil {
		return nil
	}
	return m.announcer
}

// run carries routes until ctx ends.
func (m *mitigation) run(ctx context.Context, wait *sync.WaitGroup) {
	wait.Go(func() { m.announcer.Run(ctx) })
	if m.pipe != nil {
		wait.Go(func() { m.pipe.Run(ctx) })
	}
}

// restore brings back what stood when the last weir ended, and takes out of the journal what may
// not stand any more. No worker runs yet.
func (m *mitigation) restore(e *control.Engine, now int64, withdraw bool) {
	if m.restored.Note != "" {
		m.log.Warn("journal", "note", m.restored.Note)
	}
	for i := range m.restored.Routes {
		r := &m.restored.Routes[i]
		refusal := "nothing is announced"
		if !withdraw {
			refusal = e.Restore(ban.Incident{
				ID: r.ID, Target: r.Prefix, Manual: r.Manual, Begin: r.Asked, Detected: r.Asked,
			}, now+int64(r.Lease), now)
		}
		if refusal != "" {
			m.giveUp(&r.Route, refusal)
		}
	}
	for i := range m.restored.Expired {
		m.giveUp(&m.restored.Expired[i], "lease_ended")
	}
}

// giveUp ends a route that the last weir announced: routers hear it from what the speaker does not
// say any more, the others have to be told.
func (m *mitigation) giveUp(r *journal.Route, reason string) {
	m.journal.Withdrawn(r.Prefix)
	if m.pipe != nil {
		m.pipe.Withdraw(r.Prefix, r.NextHop)
	}
	if m.script != nil {
		m.script.Queue(script.Job{
			Target: r.Prefix.Addr(), Direction: "other", Action: script.Unban,
		})
	}
	m.log.Warn("a route of before the restart is given up", "prefix", r.Prefix, "reason", reason)
}

// close gives back what open took, when run has ended.
func (m *mitigation) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	if m.speaker != nil {
		m.speaker.Close(false) // graceful restart holds what stands
	}
	var err error
	if m.script != nil {
		if err := m.script.Close(ctx); err != nil {
			m.log.Warn("scripts were ended", "error", err)
		}
	}
	if m.journal != nil {
		err = m.journal.Close(ctx)
	}
	return err
}
