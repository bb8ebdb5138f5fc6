package daemon

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync/atomic"

	"weir/control/action/script"
	"weir/control/ban"
	"weir/control/capture"
	"weir/control/rate"
	"weir/control/report"
)

// scripterQueue is how many reports wait to be written for the script.
const scripterQueue = 256

// scripter tells the operator's program when a ban begins and when it ends. It writes what the
// program reads on a goroutine of its own: neither writing nor running delays anybody.
type scripter struct {
	runner *script.Runner
	json   bool
	log    *slog.Logger
	jobs   chan scriptJob
	told   map[netip.Prefix]bool // bans that began; the loop's
	lost   atomic.Uint64         // bans that found the queue full
}

// scriptJob is a ban's beginning or end, with its incident as it was.
type scriptJob struct {
	job
	action string
}

func newScripter(r *script.Runner, json bool, log *slog.Logger) *scripter {
	return &scripter{
		runner: r, json: json, log: log, jobs: make(chan scriptJob, scripterQueue),
		told: map[netip.Prefix]bool{},
	}
}

// hear takes an event of the loop's; observe says that dry runs count. It never waits.
func (s *scripter) hear(e *ban.Event, evidence *capture.Evidence, observe bool) {
	p := e.Action.Prefix
	begins := e.Kind == ban.Asked || e.Kind == ban.Announced && e.Action.DryRun && observe
	switch {
	case begins && e.Action.Reason == ban.Restored:
		s.told[p] = true // it heard of this one before the restart
	case begins && !s.told[p]:
		s.told[p] = true
		s.add(e.Incident, evidence, script.Ban)
	case e.Kind == ban.Withdrawn && s.told[p]:
		delete(s.told, p)
		s.add(e.Incident, nil, script.Unban)
	}
}

func (s *scripter) add(in *ban.Incident, evidence *capture.Evidence, action string) {
	j := scriptJob{job{incident: *in}, action}
	j.incident.Timeline = slices.Clone(in.Timeline)
	j.incident.Actions = slices.Clone(in.Actions)
	if evidence != nil {
		j.evidence = evidence.Snapshot()
	}
	select {
	case s.jobs <- j:
	default:
		s.lost.Add(1)
		s.log.Error("script: too many bans at once", "cause", "script", "target", in.Target,
			"action", action)
	}
}

// run writes and queues what the program reads until ctx ends, and what is left then.
func (s *scripter) run(ctx context.Context) {
	for {
		select {
		case j := <-s.jobs:
			s.start(&j)
			continue
		case <-ctx.Done():
		}
		for {
			select {
			case j := <-s.jobs:
				s.start(&j)
			default:
				return
			}
		}
	}
}

// start hands one run to the runner, which drops and counts what finds its queue full.
func (s *scripter) start(j *scriptJob) {
	in := &j.incident
	run := script.Job{
		Target: in.Target.Addr(), Direction: in.Direction(), Action: j.action,
		PPS: in.AtVerdict[in.Trigger.Direction].Packets[rate.Total],
	}
	var text bytes.Buffer
	o := report.DefaultOptions()
	o.Action = j.action
	switch {
	case s.json:
		_ = report.JSON(&text, in, j.evidence, o) // a buffer refuses nothing
	case j.action == script.Ban:
		_ = report.Text(&text, in, j.evidence, o)
	}
	run.Stdin = text.Bytes()
	s.runner.Queue(run)
}
