package report

import (
	"fmt"
	"strings"
	"time"

	"weir/control/ban"
	"weir/control/capture"
	"weir/control/detect"
	"weir/control/rate"
)

// facts writes weir's own account of the incident.
func (t *text) facts(inc *ban.Incident, ev *capture.Snapshot, listed int) {
	t.line("\nweir\n")
	t.line("Incident: %s", printable(inc.ID))
	t.line("Target: %s", inc.Target)
	t.line("Hostgroup: %s", printable(inc.Trigger.Hostgroup))
	t.line("Trigger: %s %d over %d", inc.Trigger.Name(), inc.Trigger.Value, inc.Trigger.Limit)
	t.line("View: %s", printable(inc.Trigger.View))
	t.line("Vectors: %s", vectorList(inc.Vectors))
	t.line("Begin: %s", stamp(inc.Begin))
	t.line("Verdict: %s (%s after the begin)", stamp(inc.Detected),
		delay(inc).Round(time.Millisecond))
	if inc.End != 0 {
		t.line("End: %s (lasted %s)", stamp(inc.End),
			time.Duration(inc.End-inc.Begin).Round(time.Millisecond))
	} else {
		t.line("End: not yet")
	}
	t.line("Peak: %d pps, %d bps, %d fps", inc.PeakPPS, inc.PeakBPS, inc.PeakFPS)
	if inc.Allowed {
		t.line("Allowlisted: recorded, never mitigated")
	}
	t.line("Evidence: %d packets, %d of them from before the verdict, chosen from %d; %d listed",
		len(ev.Samples), ev.Before, ev.SeenBefore+ev.SeenAfter, listed)
}

// dropped writes what routers told of the evidence, if they told anything.
func (t *text) dropped(f *[2]fate) {
	for i, name := range [...]string{rate.Incoming: "incoming", rate.Outgoing: "outgoing"} {
		if what := f[i].String(); what != "" {
			t.line("Dropped by routers, %s: %s", name, what)
		}
	}
}

func vectorList(vs []detect.Vector) string {
	if len(vs) == 0 {
		return "unknown"
	}
	var parts []string
	for _, v := range vs {
		parts = append(parts, fmt.Sprintf("%s %.1f%%", printable(v.Name), v.Share*100))
	}
	return strings.Join(parts, ", ")
}

// actions writes the changes of traffic, the latest limit of them.
func (t *text) actions(all []ban.Action, limit int) {
	t.line("\nActions\n")
	if len(all) == 0 {
		t.line("none")
	}
	if len(all) > limit {
		t.line("%d earlier ones are left out", len(all)-limit)
	}
	for i := range latest(all, limit) {
		t.line("%s", actionLine(&latest(all, limit)[i]))
	}
}

func actionLine(a *ban.Action) string {
	parts := []string{stamp(a.Time), a.Event.String(), printable(a.Kind), a.Prefix.String()}
	if len(a.Communities) > 0 {
		parts = append(parts, "communities")
	}
	for _, c := range a.Communities {
		parts = append(parts, printable(c))
	}
	if a.Reason != "" {
		parts = append(parts, "because", printable(a.Reason))
	}
	if a.DryRun {
		parts = append(parts, "(dry run)")
	}
	return strings.Join(parts, " ")
}

// timeline writes the target's rates over time, at most limit lines.
func (t *text) timeline(all []ban.Point, limit int) {
	t.line("\nTimeline (%d of %d points)\n", min(limit, len(all)), len(all))
	t.line("%-30s %14s %18s %12s %14s %18s %12s", "time",
		"incoming pps", "incoming bps", "incoming fps",
		"outgoing pps", "outgoing bps", "outgoing fps")
	for _, p := range evenly(all, limit) {
		in, out := &p.Rates[rate.Incoming], &p.Rates[rate.Outgoing]
		t.line("%-30s %14d %18d %12s %14d %18d %12s", stamp(p.Time),
			in.Packets[rate.Total], in.Bits[rate.Total], flowsPerSecond(in),
			out.Packets[rate.Total], out.Bits[rate.Total], flowsPerSecond(out))
	}
}

// flowsPerSecond writes the flow rate, with a sign where it is a lower bound.
func flowsPerSecond(r *rate.Rates) string {
	if r.FlowsAtMin {
		return fmt.Sprintf(">=%d", r.Flows)
	}
	return fmt.Sprint(r.Flows)
}
