package top

import (
	"strconv"
	"strings"
	"time"

	"weir/control/api"
)

// rateColumns are those of both directions, as hosts and networks show them.
func (m *Model) rateColumns() []column {
	b, long := "bit", "bit/s"
	if m.bytes {
		b, long = "B/s", "B/s"
	}
	in, out := m.direction != "outgoing", m.direction != "incoming"
	pps, bps := m.sort == "pps", m.sort == "bps"
	p, q := m.unit.room(packets), m.unit.room(bits)
	return []column{
		{title: "inpps", long: "in pps", min: p, max: 8, right: true, sorted: pps && in},
		{title: "in" + b, long: "in " + long, min: q, max: 9, right: true, sorted: bps && in},
		{title: "outpps", long: "out pps", min: max(p, 6), max: 8, right: true,
			sorted: pps && out},
		{title: "out" + b, long: "out " + long, min: max(q, 6), max: 9, right: true,
			sorted: bps && out},
	}
}

func (m *Model) rateCells(in, out *api.Rates) []cell {
	return []cell{
		m.rateCell(in.PPS, packets), m.rateCell(in.BPS, bits),
		m.rateCell(out.PPS, packets), m.rateCell(out.BPS, bits),
	}
}

// rateCell shows a rate in the chosen unit, or where that finds no room in a unit that does: a
// number must not lose digits.
func (m *Model) rateCell(v uint64, what measure) cell {
	return roomy(m.rate(v, what), short(m.converted(v, what), 3))
}

// roomy shows long where there is room for it, else brief.
func roomy(long, brief string) cell {
	return cell{text: long, fit: func(w int) string {
		if len(long) <= w {
			return long
		}
		return brief
	}}
}

func mixCell(r api.Rates) cell {
	return cell{fit: func(w int) string { return mix(&r, w) }}
}

func (m *Model) hostColumns() []column {
	cols := []column{
		{title: "ADDRESS", min: 16, max: 39}, {title: "GROUP", min: 7, max: 16},
	}
	cols = append(cols, m.rateColumns()...)
	return append(cols,
		column{title: "flows", long: "flow/s", min: 5, max: 7, right: true,
			sorted: m.sort == "fps"},
		column{title: "% LIMIT", long: "% OF LIMIT", min: 8, max: 15,
			sorted: m.sort == "percent"},
		column{title: "NEAREST LIMIT", min: 17, max: 20, wide: true},
		column{title: "MIXTUI", long: "MIX T/U/I/F", min: 6, max: 12},
		column{title: "STATE", min: 6, max: 11},
	)
}

func (m *Model) hostCells(h *api.Host) []cell {
	k, p := m.opt.Look, h.Percent
	r := m.chosen(&h.In, &h.Out)
	cells := []cell{m.addressCell(h.Address), {text: h.Group}}
	cells = append(cells, m.rateCells(&h.In, &h.Out)...)
	return append(cells,
		cell{text: flows(&r)},
		cell{style: severity(p, nearLimit), fit: func(w int) string { return k.gauge(p, w) }},
		cell{text: h.Metric}, mixCell(r), stateCell(h.State),
	)
}

// addressCell keeps both ends of an address that is too long.
func (m *Model) addressCell(a string) cell {
	k := m.opt.Look
	c := cell{text: a}
	if len(a) > 15 {
		a = cleaned(a, k.ASCII)
		c.fit = func(w int) string { return k.squeeze(a, w) }
	}
	return c
}

func stateCell(state string) cell {
	switch state {
	case "attack", "active":
		return cell{text: strings.ToUpper(state), style: bad}
	case "near":
		return cell{text: state, style: warn}
	case "allowlisted":
		return roomy(state, "allow")
	}
	return cell{text: state}
}

func (m *Model) networkColumns() []column {
	cols := []column{
		{title: "PREFIX", min: 19, max: 43},
		{title: "ACTIVE", min: 6, max: 8, right: true},
	}
	cols = append(cols, m.rateColumns()...)
	return append(cols,
		column{title: "ATTACKS", min: 7, max: 7, right: true},
		column{title: "MIX TUIF", long: "MIX T/U/I/F", min: 8, max: 12},
		column{title: "COUNTED", min: 9, max: 12},
	)
}

func (m *Model) networkCells(n *api.Network) []cell {
	attacks := cell{text: strconv.Itoa(n.Attacks)}
	if n.Attacks > 0 {
		attacks.style = bad
	}
	counted := "aggregate"
	if n.Exact {
		counted = "each host"
	}
	cells := []cell{m.addressCell(n.Prefix), {text: strconv.Itoa(n.Active)}}
	cells = append(cells, m.rateCells(&n.In, &n.Out)...)
	return append(cells, attacks, mixCell(m.chosen(&n.In, &n.Out)), cell{text: counted})
}

func (m *Model) attackColumns() []column {
	b := "BIT"
	if m.bytes {
		b = "B/s"
	}
	p, q := 9, 9 // 940k/1.2M
	if m.unit != unitAuto {
		p, q = 2*m.unit.room(packets)+1, 2*m.unit.room(bits)+1
	}
	return []column{
		{title: "TARGET", min: 15, max: 43},
		{title: "AGE", min: 4, max: 4, right: true},
		{title: "DIR", min: 3, max: 3},
		{title: "VECTOR", min: 9, max: 20},
		{title: "PPS n/pk", long: "PPS now/peak", min: p, max: 17, right: true},
		{title: b + " n/pk", long: b + " now/peak", min: q, max: 19, right: true},
		{title: "LIM", long: "LIMIT", min: 4, max: 5, right: true},
		{title: "LIMIT OF", min: 17, max: 20, wide: true},
		{title: "DELAY", min: 5, max: 6, right: true},
		{title: "STATE", min: 6, max: 6},
		{title: "ACTION", min: 6, max: 22, early: true},
	}
}

func (m *Model) attackCells(a *api.Attack) []cell {
	now := m.data.attacks.Time
	if now.IsZero() {
		now = m.now
	}
	return []cell{
		m.addressCell(hostOnly(a.Target)), {text: age(now.Sub(a.Begin))},
		{text: directionName(a.Direction)}, {text: vector(a)},
		m.nowPeak(a.PPS, a.PeakPPS, packets), m.nowPeak(a.BPS, a.PeakBPS, bits),
		{text: short(a.Trigger.Limit, 2)},
		{text: a.Trigger.Metric}, {text: millis(a.DelayMS)}, stateCell(a.State), actionCell(a),
	}
}

// nowPeak shows two rates in as many digits as there is room for.
func (m *Model) nowPeak(now, peak uint64, what measure) cell {
	long := m.rate(now, what) + "/" + m.rate(peak, what)
	now, peak = m.converted(now, what), m.converted(peak, what)
	return roomy(long, short(now, 2)+"/"+short(peak, 2))
}

// hostOnly drops the length of a prefix that is one host.
func hostOnly(s string) string {
	if v6 := strings.Contains(s, ":"); v6 {
		return strings.TrimSuffix(s, "/128")
	}
	return strings.TrimSuffix(s, "/32")
}

func directionName(d string) string {
	switch d {
	case "incoming":
		return "in"
	case "outgoing":
		return "out"
	}
	return d
}

// vector is the family with the greatest share, which comes first; more are counted.
func vector(a *api.Attack) string {
	switch n := len(a.Vectors); n {
	case 0:
		return "-"
	case 1:
		return a.Vectors[0].Name
	default:
		return a.Vectors[0].Name + " +" + strconv.Itoa(n-1)
	}
}

// actionCell shows what became of the route, in as many words as there is room for.
func actionCell(a *api.Attack) cell {
	if a.Allowed || len(a.Actions) == 0 {
		return cell{text: "none"} // the page of the attack says why
	}
	x := &a.Actions[len(a.Actions)-1]
	switch x.Event {
	case "withdrawn":
		return cell{text: "undone"}
	case "refused":
		return roomy("refused", "refuse")
	case "asked":
		return roomy(x.Kind+" (asked)", "asked")
	}
	if x.DryRun {
		return roomy(x.Kind+" (dry run)", "dryrun")
	}
	return roomy(x.Kind, x.Kind)
}

func (m *Model) coreColumns() []column {
	return []column{
		{title: "WKR", long: "WORKER", min: 3, max: 6, right: true},
		{title: "CORE", min: 4, max: 4, right: true},
		{title: "IFACE", long: "INTERFACE", min: 8, max: 15},
		{title: "QUEUES", min: 6, max: 16},
		{title: "MODE", min: 8, max: 10},
		{title: "pps", min: m.unit.room(packets), max: 8, right: true},
		{title: "BUSY", min: 9, max: 20},
		{title: "FILL", min: 9, max: 20},
		{title: "SHED", min: 4, max: 5, right: true},
		{title: "DROP/s", long: "DROPS/s", min: 6, max: 7, right: true},
		{title: "HEART", long: "HEARTBEAT", min: 6, max: 9, right: true},
		{title: "DROPPED", min: 7, max: 7, right: true, wide: true},
	}
}

func (m *Model) coreCells(c *api.Core) []cell {
	k, busy, fill := m.opt.Look, 100*c.Busy, float64(c.Fill)
	core := strconv.Itoa(c.Core)
	if c.Core < 0 {
		core = "-" // not pinned
	}
	heart := cell{text: age(time.Duration(whole(c.HeartAge, 1e6)) * time.Second)}
	if c.HeartAge < 10 {
		heart.text = strconv.FormatFloat(float64(whole(c.HeartAge*10, 100))/10, 'f', 1, 64) + "s"
	}
	if c.Late {
		heart = cell{text: "LATE", style: bad}
	}
	return []cell{
		{text: strconv.Itoa(c.Worker)}, {text: core}, {text: c.Interface},
		{text: queues(c.Queues)}, {text: c.Mode}, m.rateCell(c.PPS, packets),
		{style: severity(busy, nearFull), fit: func(w int) string { return k.gauge(busy, w) }},
		{style: severity(fill, nearFull), fit: func(w int) string { return k.gauge(fill, w) }},
		{text: percent(100 * c.Shed), style: warnIf(c.Shed > 0)},
		{text: short(c.DroppedPPS, 3), style: warnIf(c.DroppedPPS > 0)}, heart,
		{text: short(c.DroppedAll, 3)},
	}
}

func warnIf(yes bool) style {
	if yes {
		return warn
	}
	return 0
}

// queues writes ascending numbers with runs drawn together: 0-3,8.
func queues(qs []int) string {
	var b strings.Builder
	for i := 0; i < len(qs); i++ {
		first := qs[i]
		for i+1 < len(qs) && qs[i+1] == qs[i]+1 {
			i++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(first))
		if qs[i] != first {
			b.WriteString("-" + strconv.Itoa(qs[i]))
		}
	}
	return b.String()
}
