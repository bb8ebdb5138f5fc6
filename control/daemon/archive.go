package daemon

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"weir/control/api"
	"weir/control/ban"
	"weir/control/rate"
	"weir/control/sink/prometheus"
)

// Bounds of what is remembered of incidents that are over.
const (
	archiveSize   = 1000
	decisionSize  = 4096
	decisionsShow = 5
)

// archive remembers incidents that are over, and decisions, for those who ask.
type archive struct {
	mu        sync.Mutex
	over      []api.Attack // the latest last
	decisions []decision   // the latest last
	latency   *prometheus.Histogram
}

type decision struct {
	target netip.Addr
	api.Decision
}

func newArchive() *archive { return &archive{latency: prometheus.NewLatencyHistogram()} }

// note remembers what happened.
func (a *archive) note(e *ban.Event, evidence string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	in := e.Incident
	if len(a.decisions) >= decisionSize {
		a.decisions = append(a.decisions[:0], a.decisions[decisionSize/4:]...)
	}
	a.decisions = append(a.decisions, decision{in.Target.Addr(), api.Decision{
		Time: stamp(e.Time), ID: in.ID, What: describe(e),
	}})
	switch e.Kind {
	case ban.Started:
		a.latency.Observe(time.Duration(in.Detected - in.Begin))
	case ban.Ended:
		if len(a.over) >= archiveSize {
			a.over = append(a.over[:0], a.over[archiveSize/4:]...)
		}
		a.over = append(a.over, attackOf(in, evidence))
	case ban.Withdrawn: // a lease can outlast its attack
		for i := range a.over {
			if a.over[i].ID == in.ID {
				a.over[i].Actions = actionsOf(in.Actions)
			}
		}
	}
}

// describe says in a few words what was decided.
func describe(e *ban.Event) string {
	in := e.Incident
	dry := ""
	if e.Action.DryRun {
		dry = " (dry run)"
	}
	switch e.Kind {
	case ban.Started:
		t := &in.Trigger
		return fmt.Sprintf("attack: %s %d > %d (%s)", t.Name(), t.Value, t.Limit, t.Hostgroup)
	case ban.Refused:
		return fmt.Sprintf("refused to announce %s %s: %s%s", e.Action.Kind, e.Action.Prefix,
			e.Action.Reason, dry)
	case ban.Asked:
		return fmt.Sprintf("announcing %s %s", e.Action.Kind, e.Action.Prefix)
	case ban.Announced:
		return fmt.Sprintf("announce %s %s%s", e.Action.Kind, e.Action.Prefix, dry)
	case ban.Withdrawn:
		return fmt.Sprintf("withdraw %s %s: %s%s", e.Action.Kind, e.Action.Prefix,
			e.Action.Reason, dry)
	}
	return "attack over"
}

// latest returns the last decisions about target, the latest first.
func (a *archive) latest(target netip.Addr) []api.Decision {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := []api.Decision{}
	for _, d := range slices.Backward(a.decisions) {
		if d.target == target {
			if out = append(out, d.Decision); len(out) == decisionsShow {
				break
			}
		}
	}
	return out
}

// past returns the incidents that are over, the latest first.
func (a *archive) past() []api.Attack {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := slices.Clone(a.over)
	slices.Reverse(out)
	return out
}

func (a *archive) latencies() *prometheus.Histogram {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.latency.Clone()
}

// attackOf returns an incident as the API has it.
func attackOf(in *ban.Incident, evidence string) api.Attack {
	d := in.Trigger.Direction
	last := &in.Last[d]
	at := api.Attack{
		ID: in.ID, Target: in.Target.Addr().String(), Direction: in.Direction(), State: "active",
		Begin: stamp(in.Begin), Detected: stamp(in.Detected),
		DelayMS: (in.Detected - in.Begin) / 1e6, Vectors: []api.Vector{},
		Trigger: api.Trigger{
			Metric: in.Trigger.Name(), Value: in.Trigger.Value, Limit: in.Trigger.Limit,
			Hostgroup: in.Trigger.Hostgroup, View: in.Trigger.View,
		},
		PPS: last.Packets[rate.Total], BPS: last.Bits[rate.Total], FPS: last.Flows,
		PeakPPS: in.PeakPPS, PeakBPS: in.PeakBPS, PeakFPS: in.PeakFPS,
		Allowed: in.Allowed, Actions: actionsOf(in.Actions), Evidence: evidence,
	}
	for _, v := range in.Vectors {
		at.Vectors = append(at.Vectors, api.Vector(v))
	}
	if in.End != 0 {
		end := stamp(in.End)
		at.State, at.End = "over", &end
		at.PPS, at.BPS, at.FPS = 0, 0, 0
	}
	return at
}

func actionsOf(actions []ban.Action) []api.Action {
	out := []api.Action{}
	for _, a := range actions {
		out = append(out, api.Action{
			Time: stamp(a.Time), Kind: a.Kind, Prefix: a.Prefix.String(),
			Communities: append([]string{}, a.Communities...), Event: a.Event.String(),
			Reason: a.Reason, DryRun: a.DryRun,
		})
	}
	return out
}

func stamp(ns int64) time.Time { return time.Unix(0, ns).UTC() }

// names returns the names of an incident's vectors, for a line of the log.
func names(in *ban.Incident) string {
	var out []string
	for _, v := range in.Vectors {
		out = append(out, v.Name)
	}
	return strings.Join(out, ",")
}
