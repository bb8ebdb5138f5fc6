package top

import (
	"fmt"
	"strings"
	"time"

	"weir/control/api"
)

// pageLines are all lines of a page that is no list.
func (m *Model) pageLines() []line {
	if m.at.page == pageAttack {
		return m.attackLines()
	}
	return m.whyLines()
}

// field is a line with a name and a value.
func field(name, format string, args ...any) line {
	return line{{fmt.Sprintf("%-12s", name), faint}, {text: fmt.Sprintf(format, args...)}}
}

func (m *Model) whyLines() []line {
	if m.data.whyOf != m.at.subject || m.got[kindWhy].IsZero() {
		if err := m.errs[kindWhy]; err != nil {
			return []line{nil, plain("No answer about " + m.at.subject + " yet: " + err.Error())}
		}
		return []line{nil, plain("Asking the daemon about " + m.at.subject + " ...")}
	}
	y := &m.data.why
	state := stateCell(y.State)
	out := []line{{{"Why " + y.Address, bold}, {text: "  "}, {state.text, state.style | bold}}}
	for _, l := range wrapped(y.Verdict, m.width) {
		out = append(out, plain(l))
	}
	out = append(out, nil)
	if y.Ours {
		out = append(out, field("network", "%s, counted %s", y.Network,
			strings.ReplaceAll(y.Counted, "_", " ")), field("hostgroup", "%s", groupText(y)))
	} else {
		out = append(out, field("network", "none of ours"))
	}
	if y.Allowed {
		out = append(out, field("allowlist", "by %s", y.AllowedBy))
	}
	out = append(out, m.rateLine("incoming", &y.In), m.rateLine("outgoing", &y.Out))
	if len(y.Limits) > 0 {
		out = append(out, nil)
		out = append(out, m.limitLines(y.Limits)...)
	}
	if a := y.Attack; a != nil {
		out = append(out, nil, line{{fmt.Sprintf("%-12s", "attack"), faint},
			{a.ID + " since " + clock(a.Begin), bad}}, field("vectors", "%s", vectors(a)))
	}
	if len(y.Decisions) > 0 {
		out = append(out, nil, styled("Latest decisions", bold))
		for i := range y.Decisions {
			d := &y.Decisions[i]
			out = append(out, plain(clock(d.Time)+"  "+d.ID+"  "+d.What))
		}
	}
	return out
}

func groupText(y *api.Why) string {
	if y.Prefix == "" {
		return y.Group
	}
	return y.Group + ", by " + y.Prefix
}

func (m *Model) rateLine(name string, r *api.Rates) line {
	return field(name, "%s %s %s flow/s  T%s U%s I%s S%s F%s",
		m.packetRate(r.PPS), m.bitRate(r.BPS), flows(r),
		short(r.TCP, 2), short(r.UDP, 2), short(r.ICMP, 2), short(r.SYN, 2), short(r.Frag, 2))
}

func (m *Model) limitLines(limits []api.Limit) []line {
	k := m.opt.Look
	cols := []column{
		{title: "LIMIT", min: 18, max: 24}, {title: "NOW", min: 5, max: 7, right: true},
		{title: "LIMIT", min: 5, max: 7, right: true}, {title: "% OF LIMIT", min: 11, max: 25},
		{title: "SET BY", min: 8, max: 24, wide: true},
	}
	rows := make([][]cell, 0, len(limits))
	for i := range limits {
		l := &limits[i]
		p := l.Percent
		rows = append(rows, []cell{
			{text: l.Metric}, {text: short(l.Value, 3)}, {text: short(l.Limit, 3)},
			{style: severity(p, nearLimit), fit: func(w int) string { return k.gauge(p, w) }},
			{text: l.From},
		})
	}
	return k.table(cols, rows, m.width, 0, -1)
}

// vectors writes every vector with its share.
func vectors(a *api.Attack) string {
	if len(a.Vectors) == 0 {
		return "no known vector"
	}
	parts := make([]string, 0, len(a.Vectors))
	for _, v := range a.Vectors {
		parts = append(parts, fmt.Sprintf("%s %d %%", v.Name, whole(100*v.Share+0.5, 100)))
	}
	return strings.Join(parts, ", ")
}

func (m *Model) attackLines() []line {
	a := m.attack(m.at.subject)
	if a == nil {
		return []line{nil, plain("The daemon no longer lists the attack " + m.at.subject + ".")}
	}
	state := stateCell(a.State)
	t := &a.Trigger
	out := []line{
		{{"Attack " + a.ID, bold}, {text: "  "}, {state.text, state.style | bold}},
		nil,
		field("target", "%s, %s", a.Target, a.Direction),
		field("vectors", "%s", vectors(a)),
		field("trigger", "%s %s > %s (%s)", t.Metric, short(t.Value, 3), short(t.Limit, 3),
			t.Hostgroup),
		field("seen in", "%s", t.View),
		nil,
		field("now", "%s, %s, %s flow/s", m.packetRate(a.PPS), m.bitRate(a.BPS),
			short(a.FPS, 3)),
		field("peak", "%s, %s, %s flow/s", m.packetRate(a.PeakPPS), m.bitRate(a.PeakBPS),
			short(a.PeakFPS, 3)),
		nil,
		field("began", "%s", clock(a.Begin)),
		field("detected", "%s, after %s", clock(a.Detected), millis(a.DelayMS)),
	}
	if a.End != nil {
		out = append(out, field("ended", "%s, after %s", clock(*a.End),
			uptime(a.End.Sub(a.Begin).Seconds())))
	}
	if a.Evidence != "" {
		out = append(out, field("evidence", "%s", a.Evidence))
	}
	out = append(out, nil)
	if a.Allowed {
		out = append(out, plain("The target is on the allowlist: nothing is done."))
	} else if len(a.Actions) == 0 {
		out = append(out, plain("Nothing has been done yet."))
	}
	for i := range a.Actions {
		out = append(out, m.actionLines(&a.Actions[i])...)
	}
	return append(out, nil, styled("Enter explains the target.", faint))
}

// actionLines say what was done, and before all else whether it was done at all.
func (m *Model) actionLines(x *api.Action) []line {
	verb := x.Event
	if x.DryRun {
		verb += " (dry run)"
	}
	text := strings.Join([]string{verb, x.Kind, x.Prefix, strings.Join(x.Communities, " ")}, " ")
	if x.Reason != "" {
		text += ": " + x.Reason
	}
	name := x.Time.UTC().Format(time.TimeOnly)
	var out []line
	for _, l := range wrapped(text, m.width-12) {
		out = append(out, field(name, "%s", l))
		name = ""
	}
	return out
}

// helpLines are the keys. They fit the smallest body that most terminals have, 18 lines.
func (m *Model) helpLines() []line {
	const text = `Keys

1-4, Tab, Shift-Tab   hosts, networks, attacks, cores
arrows hjkl g G PgUp PgDn   move; left and right where columns have no room
Enter                 explain a host, show an attack, list a network's hosts
Esc, Backspace        back; clear the filter
/                     filter: address or its beginning, prefix, hostgroup
p b f %               order by packets, bits, flows, percent of the limit
i o a                 by incoming, outgoing, both
v                     both families, IPv4, IPv6
u U                   units: auto, k, M, G; bit/s or byte/s
Space                 freeze the picture, and go on
r                     ask the daemon now
?                     this help
q, Ctrl-C             quit

Mix: T TCP, U UDP, I ICMP, F fragments, . others; S are SYN packets.
The limit is the one that the host is nearest to. Red: over it; yellow: near.`
	var out []line
	for i, l := range strings.Split(text, "\n") {
		t := style(0)
		if i == 0 {
			t = bold
		}
		out = append(out, styled(l, t))
	}
	return out
}
