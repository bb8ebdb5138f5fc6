package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"weir/control"
	"weir/control/ban"
	"weir/control/capture"
	"weir/control/detect"
	"weir/control/rate"
	"weir/decode"
)

// eventPrinter writes what happens to incidents, one line each: JSON for programs, a table for
// people, from the same values.
type eventPrinter struct {
	*bufio.Writer
	json *json.Encoder // nil: a table
	rows int
}

func newEventPrinter(w io.Writer, asJSON bool) *eventPrinter {
	p := &eventPrinter{Writer: bufio.NewWriter(w)}
	if asJSON {
		p.json = json.NewEncoder(p.Writer)
		p.json.SetEscapeHTML(false)
	}
	return p
}

// eventHead begins every event.
type eventHead struct {
	Type  string `json:"type"`
	Event string `json:"event"`
	ID    string `json:"id"`
	Time  string `json:"time"`
}

type vectorJSON struct {
	Name  string  `json:"name"`
	Share float64 `json:"share"`
}

type triggerJSON struct {
	Metric    string `json:"metric"`
	Value     uint64 `json:"value"`
	Limit     uint64 `json:"limit"`
	Hostgroup string `json:"hostgroup"`
	View      string `json:"view"`
}

type startedJSON struct {
	eventHead
	Target      string       `json:"target"`
	Direction   string       `json:"direction"`
	Vectors     []vectorJSON `json:"vectors"`
	Trigger     triggerJSON  `json:"trigger"`
	PPS         uint64       `json:"pps"`
	BPS         uint64       `json:"bps"`
	FPS         uint64       `json:"fps"`
	FPSAtLeast  bool         `json:"fps_at_least,omitempty"`
	DelayMS     int64        `json:"delay_ms"`
	Allowlisted bool         `json:"allowlisted,omitempty"`
}

type mitigationJSON struct {
	eventHead
	Kind        string   `json:"kind"`
	Prefix      string   `json:"prefix"`
	Communities []string `json:"communities,omitempty"`
	Reason      string   `json:"reason,omitempty"`
	DryRun      bool     `json:"dry_run"`
}

type endedJSON struct {
	eventHead
	Target  string `json:"target"`
	PeakPPS uint64 `json:"peak_pps"`
	PeakBPS uint64 `json:"peak_bps"`
	PeakFPS uint64 `json:"peak_fps"`
}

// Event implements control.Events.
func (p *eventPrinter) Event(e *ban.Event, _ *capture.Evidence) {
	if p.json == nil {
		p.row(e)
		return
	}
	head := eventHead{"event", eventNames[e.Kind], e.Incident.ID, stamp(e.Time)}
	switch in := e.Incident; e.Kind {
	case ban.Started:
		p.encode(started(head, in))
	case ban.Asked, ban.Announced:
		p.encode(mitigationJSON{
			eventHead: head, Kind: e.Action.Kind, Prefix: e.Action.Prefix.String(),
			Communities: e.Action.Communities, DryRun: e.Action.DryRun,
		})
	case ban.Refused, ban.Withdrawn:
		p.encode(mitigationJSON{
			eventHead: head, Kind: e.Action.Kind, Prefix: e.Action.Prefix.String(),
			Reason: e.Action.Reason, DryRun: e.Action.DryRun,
		})
	case ban.Ended:
		p.encode(endedJSON{head, in.Target.String(), in.PeakPPS, in.PeakBPS, in.PeakFPS})
	}
}

// eventNames are the names of ban.EventKind in events.
var eventNames = [...]string{
	ban.Started: "attack_started", ban.Refused: "mitigation_refused",
	ban.Asked: "mitigation_asked", ban.Announced: "mitigation_announced",
	ban.Withdrawn: "mitigation_withdrawn", ban.Ended: "attack_ended",
}

func started(head eventHead, in *ban.Incident) startedJSON {
	t := &in.Trigger
	r := &in.AtVerdict[t.Direction]
	return startedJSON{
		eventHead: head, Target: in.Target.String(), Direction: t.Direction.String(),
		Vectors: vectors(in.Vectors),
		Trigger: triggerJSON{t.Name(), t.Value, t.Limit, t.Hostgroup, t.View},
		PPS:     r.Packets[rate.Total], BPS: r.Bits[rate.Total], FPS: r.Flows,
		FPSAtLeast: r.FlowsAtMin, DelayMS: (in.Detected - in.Begin) / 1e6,
		Allowlisted: in.Allowed,
	}
}

func vectors(vs []detect.Vector) []vectorJSON {
	out := make([]vectorJSON, 0, len(vs))
	for _, v := range vs {
		out = append(out, vectorJSON(v))
	}
	return out
}

// summaryJSON is the last line of a replay.
type summaryJSON struct {
	Type      string            `json:"type"`
	Packets   uint64            `json:"packets"`
	Bytes     uint64            `json:"bytes"`
	Flows     uint64            `json:"flows"`
	Received  uint64            `json:"received"`
	Processed uint64            `json:"processed"`
	Dropped   map[string]uint64 `json:"dropped"`
	Damaged   map[string]uint64 `json:"damaged,omitempty"`
	Lost      map[string]uint64 `json:"lost,omitempty"` // of what leaves the packet path
	Skipped   map[string]uint64 `json:"skipped,omitempty"`
	Attacks   uint64            `json:"attacks"`
}

// summary prints the accounting of a replay that came to its end.
func (p *eventPrinter) summary(r *control.Replay) {
	pl, exports := &r.Pipeline, &r.Exports
	s := summaryJSON{
		Type: "summary", Packets: pl.Received, Bytes: pl.Bytes, Received: pl.Received,
		Flows: exports.Records, Processed: pl.Processed, Dropped: byStatus(pl.Dropped[:]),
		Damaged: byStatus(pl.Damaged[:]), Lost: lost(r), Attacks: r.Attacks,
	}
	if pl.Shed > 0 {
		s.Dropped["shed"] = pl.Shed
	}
	if n := r.Streamed(); n > 0 {
		s.Skipped = map[string]uint64{overTCP: n}
	}
	if p.json != nil {
		p.encode(s)
		return
	}
	fmt.Fprintf(p, "\n%d frames, %s on the wire: %d processed", s.Packets, bytesText(s.Bytes),
		s.Processed)
	for st := range decode.NumStatus {
		if n := s.Dropped[st.String()]; n > 0 {
			fmt.Fprintf(p, ", %d dropped (%s)", n, st)
		}
	}
	if exports.Received > 0 {
		fmt.Fprintf(p, "; %s in %s", plural(s.Flows, "flow"),
			plural(exports.Received, "export datagram"))
	}
	if text := byName(s.Skipped); text != "" {
		fmt.Fprintf(p, "; skipped: %s", text)
	}
	fmt.Fprintf(p, "; %s\n", plural(s.Attacks, "attack"))
}

// lost names what found no room behind the packet path: nothing of it is a frame.
func lost(r *control.Replay) map[string]uint64 {
	out := map[string]uint64{}
	incidents, routes, watched := r.Refused()
	for name, n := range map[string]uint64{
		"samples": r.Pipeline.LostSamples, "hints": r.Pipeline.LostHints,
		"host_seconds": r.Pipeline.Unmerged, "incidents": incidents, "routes": routes,
		"watched_hosts": watched, "flow_slots": r.Exports.Unslotted,
		"flow_samples": r.Exports.LostSamples, "flow_host_seconds": r.Exports.Unmerged,
	} {
		if n > 0 {
			out[name] = n
		}
	}
	return out
}

func byStatus(counts []uint64) map[string]uint64 {
	out := map[string]uint64{}
	for st := range decode.NumStatus {
		if counts[st] > 0 {
			out[st.String()] = counts[st]
		}
	}
	return out
}

func (p *eventPrinter) encode(v any) {
	if err := p.json.Encode(v); err != nil {
		panic("BUG: encode event: " + err.Error()) // only plain values are printed
	}
}

// line prints one row, and before the first the head of the table.
func (p *eventPrinter) line(at int64, name string, target netip.Addr, what string) {
	if p.rows++; p.rows == 1 {
		fmt.Fprintf(p, "%-15s %-10s %-22s %s\n", "TIME", "EVENT", "TARGET", "WHAT")
	}
	clock := time.Unix(0, at).UTC().Format("15:04:05.000")
	fmt.Fprintf(p, "%-15s %-10s %-22s %s\n", clock, name, target, what)
}

// row prints one event for people.
func (p *eventPrinter) row(e *ban.Event) {
	in := e.Incident
	line := func(name, what string) { p.line(e.Time, name, in.Target.Addr(), what) }
	switch e.Kind {
	case ban.Started:
		line("ATTACK", describe(in))
	case ban.Asked: // the announcement follows
	case ban.Announced:
		line("announce", fmt.Sprintf("%s %s %s%s", e.Action.Kind, e.Action.Prefix,
			strings.Join(e.Action.Communities, " "), dryRun(e.Action.DryRun)))
	case ban.Refused:
		line("refused", fmt.Sprintf("%s %s: %s%s", e.Action.Kind, e.Action.Prefix,
			e.Action.Reason, dryRun(e.Action.DryRun)))
	case ban.Withdrawn:
		line("withdraw", fmt.Sprintf("%s %s: %s%s", e.Action.Kind, e.Action.Prefix,
			e.Action.Reason, dryRun(e.Action.DryRun)))
	case ban.Ended:
		line("over", fmt.Sprintf("peak %s, %s", rateText(in.PeakPPS, "pps"), rateText(in.PeakBPS,
			"bps")))
	}
}

// describe says in one line what an attack is and why it was found.
func describe(in *ban.Incident) string {
	t := &in.Trigger
	r := &in.AtVerdict[t.Direction]
	var b strings.Builder
	for _, v := range in.Vectors {
		fmt.Fprintf(&b, "%s %.0f %%, ", v.Name, 100*v.Share)
	}
	fmt.Fprintf(&b, "%s %s, %s: %s %s > %s (%s), after %d ms", t.Direction,
		rateText(r.Packets[rate.Total], "pps"), rateText(r.Bits[rate.Total], "bps"),
		t.Name(), rateText(t.Value, ""), rateText(t.Limit, ""), t.Hostgroup,
		(in.Detected-in.Begin)/1e6)
	if in.Allowed {
		b.WriteString("; on the allowlist: no mitigation")
	}
	return b.String()
}

func dryRun(is bool) string {
	if is {
		return " (dry run)"
	}
	return ""
}

func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }

// rateText writes a rate with three digits and a decimal suffix.
func rateText(v uint64, unit string) string {
	suffixes := [...]string{"", "k", "M", "G", "T"}
	x, i := float64(v), 0
	for ; x >= 999.5 && i < len(suffixes)-1; i++ { // what would be written as 1e+03
		x /= 1000
	}
	if i == 0 {
		return strings.TrimSpace(fmt.Sprintf("%d %s", v, unit))
	}
	return strings.TrimSpace(fmt.Sprintf("%.3g %s%s", x, suffixes[i], unit))
}

func bytesText(v uint64) string { return rateText(v, "B") }

func plural(n uint64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
