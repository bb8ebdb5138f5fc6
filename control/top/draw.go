package top

import (
	"strings"
	"unicode/utf8"

	"weir/control/api"
)

// style is a set of attributes. Colour stands for severity and for nothing else.
type style uint8

const (
	bold style = 1 << iota
	faint
	reverse
	warn
	bad
)

// span is text in one style, line a row of the screen.
type span struct {
	text  string
	style style
}

type line []span

func plain(s string) line           { return line{{text: s}} }
func styled(s string, t style) line { return line{{s, t}} }

// paint writes lines: every one is cleaned and at most width cells wide, whatever is in it.
func (k Look) paint(lines []line, width int) string {
	var b strings.Builder
	b.Grow(len(lines) * (width + 32))
	for i, l := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		room := width
		for j := 0; j < len(l) && room > 0; {
			style := l[j].style
			end := k.begin(&b, style)
			// Neighbours of one style share their escape sequences.
			for ; j < len(l) && room > 0 && l[j].style == style; j++ {
				t := k.clip(cleaned(l[j].text, k.ASCII), room)
				room -= utf8.RuneCountInString(t)
				b.WriteString(t)
			}
			b.WriteString(end)
		}
	}
	return b.String()
}

// begin switches to a style and returns what ends it.
func (k Look) begin(b *strings.Builder, t style) string {
	if !k.Styles || t == 0 {
		return ""
	}
	b.WriteString("\x1b[0")
	for i, code := range [...]string{";1", ";2", ";7", ";33", ";31"} {
		if t&(1<<i) != 0 {
			b.WriteString(code)
		}
	}
	b.WriteByte('m')
	return "\x1b[0m"
}

// ramp are the levels of a sparkline from nothing to the highest.
func (k Look) ramp() []rune {
	if k.ASCII {
		return []rune("_.:-=+*#")
	}
	return []rune("▁▂▃▄▅▆▇█")
}

// spark draws values in w cells, the latest at the right, scaled to the highest. Where there is
// less room, a cell stands for several values and shows their highest.
func (k Look) spark(values []uint64, w int) string {
	if w <= 0 || len(values) == 0 {
		return ""
	}
	per := (len(values) + w - 1) / w
	cells := make([]uint64, (len(values)+per-1)/per)
	top := uint64(0)
	for i, v := range values {
		// Counted from the end, so that a cell keeps its values but for the oldest.
		c := len(cells) - 1 - (len(values)-1-i)/per
		cells[c] = max(cells[c], v)
		top = max(top, v)
	}
	ramp := k.ramp()
	out := make([]rune, len(cells))
	for i, v := range cells {
		out[i] = ramp[0]
		if v > 0 {
			// What is more than nothing shows.
			out[i] = ramp[max(1, int(float64(v)/float64(top)*float64(len(ramp)-1)+0.5))]
		}
	}
	return string(out)
}

// bar draws a part of a hundred in w cells.
func (k Look) bar(p float64, w int) string {
	if w <= 0 {
		return ""
	}
	n := whole(p/100*float64(w)*8+0.5, 8*w) // eighths of a cell
	if k.ASCII {
		n = (n + 4) / 8
		return strings.Repeat("#", n) + strings.Repeat(".", w-n)
	}
	part := ""
	if n%8 > 0 {
		part = string([]rune("▏▎▍▌▋▊▉")[n%8-1])
	}
	return strings.Repeat("█", n/8) + part + strings.Repeat("░", (8*w-n)/8)
}

// gauge draws a bar with its number in w cells.
func (k Look) gauge(p float64, w int) string {
	n := percent(p)
	return k.bar(p, w-5) + padded(n, w-max(0, w-5), true)
}

// mix draws the shares of TCP, UDP, ICMP and fragments in w cells, a letter for each and a dot
// for the rest.
func mix(r *api.Rates, w int) string {
	parts := [...]uint64{r.TCP, r.UDP, r.ICMP, r.Frag}
	sum := float64(0)
	for _, n := range parts {
		sum += float64(n)
	}
	// A fragment may be counted with its protocol as well.
	total := max(sum, float64(r.PPS))
	if total == 0 || w <= 0 {
		return ""
	}
	out := make([]byte, 0, w)
	upTo := float64(0)
	for i, n := range parts {
		upTo += float64(n)
		for len(out) < min(w, int(upTo/total*float64(w)+0.5)) {
			out = append(out, "TUIF"[i])
		}
	}
	for len(out) < w {
		out = append(out, '.')
	}
	return string(out)
}

// From which percentage on a gauge is yellow.
const (
	nearLimit = 50 // where the daemon calls a host near its limit
	nearFull  = 80
)

// severity of a percentage that is a warning from near on.
func severity(p, near float64) style {
	switch {
	case p >= 100:
		return bad
	case p >= near:
		return warn
	}
	return 0
}

// greyed strips what is old of its severity: nobody knows whether it is still so.
func greyed(lines []line) []line {
	for _, l := range lines {
		for i := range l {
			l[i].style = l[i].style&reverse | faint
		}
	}
	return lines
}
