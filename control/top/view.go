package top

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"weir/control/api"
)

// The smallest screen that shows something, and the rows that are not the body's.
const (
	minWidth   = 40
	minHeight  = 10
	headHeight = 5
	footHeight = 1
)

// View implements tea.Model.
func (m Model) View() tea.View {
	v := tea.NewView(m.text())
	v.AltScreen = true
	return v
}

// text is what the screen shows.
func (m Model) text() string {
	k := m.opt.Look
	if m.width < minWidth || m.height < minHeight {
		text := fmt.Sprintf("weir top needs at least %dx%d", minWidth, minHeight)
		return k.paint([]line{plain(text)}, m.width)
	}
	lines := make([]line, 0, m.height)
	lines = append(lines, m.header()...)
	lines = append(lines, m.strip())
	body := m.body()
	if m.stale() && !m.help {
		body = greyed(body)
	}
	lines = append(lines, body[:min(len(body), m.bodyHeight())]...)
	for len(lines) < m.height-footHeight {
		lines = append(lines, nil)
	}
	return k.paint(append(lines, m.footer()), m.width)
}

func (m *Model) bodyHeight() int { return max(1, m.height-headHeight-footHeight) }

// rowsOnScreen is the body without the titles of the columns.
func (m *Model) rowsOnScreen() int { return max(1, m.bodyHeight()-1) }

func (m *Model) body() []line {
	if m.help {
		return m.helpLines()
	}
	if m.at.page != pageList {
		l := m.pageLines()
		return l[min(m.at.scroll, len(l)):]
	}
	if m.count() == 0 {
		return m.emptyLines()
	}
	l := &m.lists[m.at.tab]
	return m.listLines(l.top, min(l.top+m.rowsOnScreen(), m.count()), l.cursor)
}

// listLines draws the rows first to last of the current list.
func (m *Model) listLines(first, last, selected int) []line {
	var cols []column
	rows := make([][]cell, 0, max(0, last-first))
	switch m.at.tab {
	case tabHosts:
		cols = m.hostColumns()
		for i := first; i < last; i++ {
			rows = append(rows, m.hostCells(&m.rows.hosts[i]))
		}
	case tabNetworks:
		cols = m.networkColumns()
		for i := first; i < last; i++ {
			rows = append(rows, m.networkCells(&m.rows.networks[i]))
		}
	case tabAttacks:
		cols = m.attackColumns()
		for i := first; i < last; i++ {
			rows = append(rows, m.attackCells(&m.rows.attacks[i]))
		}
	case tabCores:
		cols = m.coreColumns()
		for i := first; i < last; i++ {
			rows = append(rows, m.coreCells(&m.rows.cores[i]))
		}
	}
	left := m.lists[m.at.tab].left
	return m.opt.Look.table(cols, rows, m.width, left, selected-first)
}

func (m *Model) allColumnsFit() bool {
	cols := m.coreColumns()
	switch m.at.tab {
	case tabHosts:
		cols = m.hostColumns()
	case tabNetworks:
		cols = m.networkColumns()
	case tabAttacks:
		cols = m.attackColumns()
	}
	return m.width >= narrowest(cols)
}

// header is the daemon at a glance, in four lines.
func (m *Model) header() []line {
	if m.got[kindStatus].IsZero() {
		return []line{styled("weir top", bold), nil, nil, m.message()}
	}
	t := &m.data.status.Traffic
	in, out := make([]uint64, 0, 60), make([]uint64, 0, 60)
	for i := range t.History {
		h := &t.History[i]
		if m.sort == "bps" {
			in, out = append(in, h.InBPS), append(out, h.OutBPS)
		} else {
			in, out = append(in, h.InPPS), append(out, h.OutPPS)
		}
	}
	lines := []line{m.identity(), m.total("in ", &t.In, in), m.total("out", &t.Out, out)}
	if m.errs[kindStatus] != nil {
		lines = greyed(lines)
	}
	return append(lines, m.message())
}

// identity says what runs and how it fares. Where there is little room, the latter is shown.
func (m *Model) identity() line {
	s, k := &m.data.status, m.opt.Look
	drops := span{text: "drops " + share(s.Traffic.Dropped, s.Traffic.PPS)}
	if s.Traffic.Dropped > 0 {
		drops.style = warn
	}
	attacks := span{text: fmt.Sprintf("attacks %d", s.Attacks)}
	if s.Attacks > 0 {
		attacks.style = bad
	}
	parts := line{{text: strings.ToUpper(cleaned(s.Mode, k.ASCII))}}
	if m.width >= 70 {
		parts = append(parts, span{text: "up " + uptime(s.Uptime)})
	}
	routes := mitigating(&s.Mitigation) // more useful than a hash, where there are any
	switch {
	case m.width >= 120, m.width >= 100 && routes == nil:
		drops.text += fmt.Sprintf(" (%s/s)", short(s.Traffic.Dropped, 3))
		parts = append(parts, span{text: "config " + prefix(s.Config.Hash, 16)})
	case m.width >= 80 && routes == nil:
		parts = append(parts, span{text: "config " + prefix(s.Config.Hash, 8)})
	}
	parts = append(parts, drops, attacks)
	if m.width >= 80 {
		parts = append(parts, routes...)
	}
	used := len("weir ")
	for i := range parts {
		used += 2 + utf8.RuneCountInString(parts[i].text)
	}
	version := k.clip(cleaned(s.Version, k.ASCII), min(24, m.width-used))
	l := line{{"weir " + version, bold}}
	for _, p := range parts {
		l = append(l, span{text: "  "}, p)
	}
	return l
}

// prefix returns the beginning of a hash.
func prefix(s string, n int) string {
	r := []rune(s)
	return string(r[:min(n, len(r))])
}

// total is one direction's traffic now and in the last 60 seconds.
func (m *Model) total(name string, r *api.Rates, history []uint64) line {
	fps := flows(r)
	if r.FPS == 0 && r.PPS > 0 {
		fps = "-" // flows are counted only while hosts are shown
	}
	form := "%s %9s %11s %12s  "
	if m.unit != unitAuto {
		form = "%s %14s %15s %12s  "
	}
	text := fmt.Sprintf(form, name, m.packetRate(r.PPS), m.bitRate(r.BPS), fps+" flow/s")
	label := fmt.Sprintf(" %d s", len(history))
	room := m.width - utf8.RuneCountInString(text) - len(label)
	if len(history) > room {
		room = min(room, (len(history)+1)/2) // two seconds in a cell, where that fits
	}
	spark := m.opt.Look.spark(history, room)
	if spark == "" {
		return plain(text)
	}
	return line{{text: text}, {text: spark}, {label, faint}}
}

// message is the gravest thing to know about the data: that it is old, or what is wrong.
func (m *Model) message() line {
	var l line
	if m.frozen {
		l = line{{" FROZEN, " + age(m.dataAge()) + " old ", bold | reverse}, {text: " "}}
	}
	switch s := &m.data.status; {
	case m.errs[kindStatus] != nil:
		return append(l, span{m.lost(m.errs[kindStatus]), bad})
	case m.got[kindStatus].IsZero():
		return append(l, span{text: "waiting for the daemon at " + m.opt.Socket})
	case len(s.Problems) > 0 && !s.Healthy:
		return append(l, span{s.Problems[0], bad})
	case len(s.Problems) > 0:
		return append(l, span{s.Problems[0], warn})
	default:
		return append(l, span{fmt.Sprintf("healthy: %s active, internal %s pps, foreign %s pps",
			count(s.Hosts, "host"), short(s.Traffic.Internal, 3), short(s.Traffic.Foreign, 3)),
			faint})
	}
}

// lost says since when there is no data and that this may pass.
func (m *Model) lost(err error) string {
	k := m.opt.Look
	what := "the daemon's answer is unusable: " + err.Error()
	if unreachable(err) {
		socket := cleaned(m.opt.Socket, k.ASCII)
		what = "no daemon at "
		if errors.Is(err, context.DeadlineExceeded) {
			what = "no answer at " // somebody listens, and is stuck
		}
		what += k.squeeze(socket, max(8, m.width-46))
	}
	if m.frozen {
		return what // the age is in front of it, and nothing is retried
	}
	if m.got[kindStatus].IsZero() {
		return what + "; retrying"
	}
	old := max(0, m.now.Sub(m.got[kindStatus])/time.Second)
	return fmt.Sprintf("%s - last data %d s old; retrying", what, old)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// strip shows the tabs, and how the list is chosen and ordered.
func (m *Model) strip() line {
	var l line
	used := 0
	for t := range numTabs {
		text := fmt.Sprintf(" %d %s ", t+1, t)
		s := style(0)
		if t == m.at.tab {
			text, s = fmt.Sprintf("[%d %s]", t+1, t), bold
		}
		l = append(l, span{text, s})
		used += len(text)
	}
	how := m.order()
	if f := m.filters[m.at.tab]; f != "" {
		how += "  /" + f
	}
	k := m.opt.Look
	room := m.width - used - 1
	if how == "" || room < 8 {
		return l
	}
	how = k.clip(cleaned(how, k.ASCII), room)
	return append(l, span{padded(how, room+1, true), faint})
}

func (m *Model) order() string {
	direction := map[string]string{"incoming": "in", "outgoing": "out", "both": "in+out"}
	by := map[string]string{"fps": "flows", "percent": "% of limit"}[m.sort]
	if by == "" {
		by = m.sort
	}
	switch {
	case m.at.page != pageList:
		return ""
	case m.at.tab == tabHosts && m.sort == "percent":
	case m.at.tab == tabNetworks && by != m.sort:
		return ""
	case m.at.tab == tabHosts, m.at.tab == tabNetworks:
		by += " " + direction[m.direction]
	default:
		return ""
	}
	if m.at.tab == tabHosts && m.family != 0 {
		by += fmt.Sprintf(", IPv%d", m.family)
	}
	return "by " + by
}

// footer holds the filter while it is entered, an error, or the most useful keys.
func (m *Model) footer() line {
	if m.entering {
		cursor := span{" ", reverse}
		if !m.opt.Look.Styles {
			cursor.text = "_"
		}
		in := []rune(m.input)
		in = in[max(0, len(in)-m.width+40):] // its end is being typed
		return line{{"filter: ", bold}, {text: string(in)}, cursor,
			{"  Enter applies, Esc clears", faint}}
	}
	keys := "? help  / filter  Enter details  Space freeze  q quit"
	switch need := m.need(); {
	case m.notice != "":
		return styled(m.notice, warn)
	case m.errs[need[1]] != nil && !unreachable(m.errs[need[1]]):
		return styled(m.errs[need[1]].Error(), bad)
	case m.help:
		return styled("any key returns", faint)
	case m.at.page != pageList:
		return styled("Esc back  Up/Down scroll  Space freeze  ? help  q quit", faint)
	}
	where := m.position()
	room := m.width - len(where) - 1
	if room < len(keys) {
		keys = "? help  q quit"
		if !m.allColumnsFit() {
			keys = "? help  h l columns  q quit"
		}
	}
	if room < len(keys) {
		return styled(keys, faint)
	}
	return line{{padded(keys, room+1, false), faint}, {text: where}}
}

// position says which rows of how many are on the screen.
func (m *Model) position() string {
	n := m.count()
	if n == 0 {
		return ""
	}
	top := m.lists[m.at.tab].top
	s := fmt.Sprintf("%d-%d of %d", top+1, min(top+m.rowsOnScreen(), n), n)
	if all := m.data.hosts.Matched; m.at.tab == tabHosts && all > n {
		s = fmt.Sprintf("%d-%d of %d", top+1, min(top+m.rowsOnScreen(), n), all)
	}
	return s
}

// emptyLines say why a list has no rows.
func (m *Model) emptyLines() []line {
	t, w := m.at.tab, m.width-2
	s := &m.data.status
	if m.got[t.kind()].IsZero() {
		if m.frozen {
			return []line{nil, plain("  Frozen before this list was asked for: r asks once.")}
		}
		return []line{nil, plain("  Waiting for the daemon's answer ...")}
	}
	var text []string
	if f := m.filters[t]; f != "" {
		text = append(text, "Nothing fits the filter "+f+". Esc clears it.")
	} else {
		text = append(text, map[tab]string{
			tabHosts:    "No host sent or received a packet in the last second.",
			tabNetworks: "No home network is configured.",
			tabAttacks:  "No attack, neither now nor lately.",
			tabCores:    "No worker is running.",
		}[t])
		if t == tabHosts && m.family != 0 {
			text = append(text, fmt.Sprintf("Only IPv%d is listed: v shows others.", m.family))
		}
	}
	text = append(text, slices.Clone(s.Problems)...)
	text = append(text, "weir status --pipeline shows where packets went.")
	out := []line{nil}
	for i, p := range text {
		st := style(0)
		if i > 0 && i <= len(s.Problems) && i < len(text)-1 {
			st = warn
		}
		for _, l := range wrapped(p, w) {
			out = append(out, line{{text: "  "}, {l, st}})
		}
	}
	return out
}
