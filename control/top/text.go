package top

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"weir/control/api"
)

// cleaned returns s with every rune that is no printable character of one cell replaced. What
// the daemon says of a stranger's packets must not move the cursor, and a string's width is its
// number of runes afterwards.
func cleaned(s string, ascii bool) string {
	ok := true
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			ok = false
			break
		}
	}
	if ok {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r >= ' ' && r <= '~' || !ascii && oneCell(r) {
			return r
		}
		return '?'
	}, s)
}

func oneCell(r rune) bool {
	if r >= 0x2500 && r <= 0x25ff || r == '…' {
		return true // lines and blocks, which the screen itself is full of
	}
	return r > '~' && r != utf8.RuneError && unicode.IsPrint(r) && !unicode.Is(unicode.M, r) &&
		ansi.StringWidth(string(r)) == 1
}

// clip shortens cleaned text to w cells.
func (k Look) clip(s string, w int) string {
	if len(s) <= w || utf8.RuneCountInString(s) <= w {
		return s
	}
	if w <= 0 {
		return ""
	}
	return string([]rune(s)[:w-1]) + k.ellipsis()
}

// squeeze shortens cleaned text in its middle: both ends of an IPv6 address tell hosts apart.
func (k Look) squeeze(s string, w int) string {
	r := []rune(s)
	if len(r) <= w || w < 5 {
		return k.clip(s, w)
	}
	head := (w - 1) / 2
	return string(r[:head]) + k.ellipsis() + string(r[len(r)-(w-1-head):])
}

func (k Look) ellipsis() string {
	if k.ASCII {
		return "~"
	}
	return "…"
}

// short writes v with that many significant digits, three at least before the point, and a
// decimal suffix: no more than five characters with three digits, four with two.
func short(v uint64, digits int) string {
	if v < 1000 {
		return strconv.FormatUint(v, 10)
	}
	const suffixes = "kMGTPE"
	x, i := float64(v)/1000, 0
	for ; x >= 999.5 && i < len(suffixes)-1; i++ {
		x /= 1000
	}
	decimals := digits - 1
	for _, edge := range []float64{10, 100} {
		if decimals > 0 && x >= edge-0.5*math.Pow10(-decimals) {
			decimals--
		}
	}
	return strconv.FormatFloat(x, 'f', decimals, 64) + suffixes[i:i+1]
}

// flows writes a flow rate; a lower bound ends with a plus sign.
func flows(r *api.Rates) string {
	if r.AtLeast {
		return short(r.FPS, 2) + "+"
	}
	return short(r.FPS, 3)
}

// whole returns f as a number from 0 to limit, whatever f is.
func whole(f float64, limit int) int {
	switch {
	case !(f > 0): // also not a number
		return 0
	case f >= float64(limit):
		return limit
	}
	return int(f)
}

// share writes part of part+rest in percent: what is more than nothing never as nothing.
func share(part, rest uint64) string {
	if part == 0 {
		return "0%"
	}
	switch p := 100 * float64(part) / (float64(part) + float64(rest)); {
	case p < 0.01:
		return "<0.01%"
	case p < 10:
		return strconv.FormatFloat(p, 'f', 2, 64) + "%"
	default:
		return strconv.FormatFloat(p, 'f', 0, 64) + "%"
	}
}

// percent writes at most four characters, from ten times a limit on as a multiple of it.
func percent(p float64) string {
	switch n := whole(p, 1e9); {
	case n < 1000:
		return strconv.Itoa(n) + "%"
	case n < 100_000:
		return strconv.Itoa(n/100) + "x"
	}
	return ">1kx"
}

// age writes a span of time in four characters, up to 27 years.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	switch d = max(d, 0); {
	case d < 100*time.Second:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 100*time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 100*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/day)
}

// uptime writes the two greatest units of a span.
func uptime(seconds float64) string {
	s := whole(seconds, 1e9)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s/3600%24)
}

// millis writes a delay in at most five characters, up to 27 hours.
func millis(ms int64) string {
	switch ms = max(ms, 0); {
	case ms < 1000:
		return fmt.Sprintf("%dms", ms)
	case ms < 100_000:
		return fmt.Sprintf("%.1fs", float64(ms/100)/10)
	}
	return fmt.Sprintf("%ds", min(ms/1000, 9999))
}

// clock writes a moment for people.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// padded fills s up to w cells.
func padded(s string, w int, right bool) string {
	n := w - utf8.RuneCountInString(s)
	if n <= 0 {
		return s
	}
	if right {
		return strings.Repeat(" ", n) + s
	}
	return s + strings.Repeat(" ", n)
}

// wrapped breaks text into lines of at most w cells where there is a space.
func wrapped(s string, w int) []string {
	var out []string
	cur := ""
	for _, word := range strings.Fields(s) {
		if cur != "" && utf8.RuneCountInString(cur)+1+utf8.RuneCountInString(word) > w {
			out = append(out, cur)
			cur = ""
		}
		if cur != "" {
			cur += " "
		}
		cur += word
	}
	if cur != "" {
		out = append(out, cur)
	}
	return out
}
