package config

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// quotedScalar scans a quoted scalar (YAML 1.2 section 7.3.1 and 7.3.2). One that does not end on
// its line is reported, and takes the rest of it.
func (l *lineScanner) quotedScalar(mark rune) {
	var text strings.Builder
	start := l.pos
	kind := scalar
	for l.pos++; l.pos < len(l.src); l.pos++ {
		c := l.src[l.pos]
		switch {
		case c == mark && mark == '\'' && l.pos+1 < len(l.src) && l.src[l.pos+1] == mark:
			l.pos++
			text.WriteRune(c)
		case c == mark:
			l.pos++
			at := place{l.line, start + 1, l.pos - start}
			l.emit(token{place: at, kind: kind, text: text.String(), quoted: true})
			return
		case c == '\\' && mark == '"':
			if !l.escape(&text) {
				kind = refused
			}
		default:
			text.WriteRune(c)
		}
	}
	at := place{l.line, start + 1, len(l.src) - start}
	l.s.r.fail(place{l.line, start + 1, 1}, "", "", "this quote is not closed on its line")
	l.emit(token{place: at, kind: refused, quoted: true})
}

// escape undoes the escape at pos and goes to its last character. It reports one that YAML does
// not have and returns false.
func (l *lineScanner) escape(text *strings.Builder) bool {
	start := l.pos
	if l.pos+1 >= len(l.src) {
		return true // the quote is not closed: that is reported
	}
	l.pos++
	c := l.src[l.pos]
	if i := strings.IndexRune(`0abtnvfre "/\`, c); i >= 0 {
		text.WriteByte("\x00\a\b\t\n\v\f\r\x1b \"/\\"[i])
		return true
	}
	if digits := map[rune]int{'x': 2, 'u': 4, 'U': 8}[c]; digits > 0 {
		from := l.pos + 1
		to := min(from+digits, len(l.src))
		n, err := strconv.ParseUint(string(l.src[from:to]), 16, 32)
		if err == nil && to-from == digits && utf8.ValidRune(rune(n)) {
			text.WriteRune(rune(n))
			l.pos = to - 1
			return true
		}
	}
	at := place{l.line, start + 1, 2}
	l.s.r.fail(at, "", `write \\ for a backslash`, "not an escape of YAML")
	return false
}
