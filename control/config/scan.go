package config

import (
	"strings"
	"unicode/utf8"
)

// tokenKind is what a token is to the reader.
type tokenKind uint8

const (
	end      tokenKind = iota // of the document; place and col are those of what ends it
	scalar                    // a plain or quoted value, or a key
	refused                   // a value in a form that is not read, already reported
	colon                     // after a key
	dash                      // before a list entry
	comma                     // in a flow collection
	open                      // "[" or "{", in text
	closing                   // "]" or "}", in text
	document                  // "---"
)

// token is one piece of the file. A token lies on one line.
type token struct {
	place
	kind   tokenKind
	text   string // of a scalar: its value, quotes and escapes undone
	quoted bool
	first  bool // nothing but space stands before it on its line
	inFlow bool // its line begins inside a flow collection
}

// scanner cuts lines into tokens, as they are asked for.
type scanner struct {
	r     *report
	line  int         // index of the line that is next
	now   lineScanner // of the line before it
	depth int         // of flow collections, at the end of what was scanned
	ahead []token     // scanned and not yet taken
}

// peek returns the token i places ahead, or an end.
func (s *scanner) peek(i int) token {
	for len(s.ahead) <= i {
		if s.now.step() {
			continue
		}
		if s.line >= len(s.r.lines) {
			return token{place: s.eof(), kind: end, first: true}
		}
		s.nextLine()
	}
	return s.ahead[i]
}

// take returns the next token and goes past it.
func (s *scanner) take() token {
	t := s.peek(0)
	if len(s.ahead) > 0 {
		s.ahead = s.ahead[1:]
	}
	return t
}

// eof is the place behind the last line that is not empty.
func (s *scanner) eof() place {
	i := len(s.r.lines) - 1
	for i > 0 && s.r.lines[i] == "" {
		i--
	}
	return place{i + 1, utf8.RuneCountInString(s.r.lines[i]) + 1, 1}
}

// stop ends the document here.
func (s *scanner) stop() { s.ahead, s.now, s.line = nil, lineScanner{}, len(s.r.lines) }

// restart scans the line of the next token again, as one outside of flow collections: what was
// open before it is given up.
func (s *scanner) restart() {
	if t := s.peek(0); t.inFlow {
		s.ahead, s.now, s.line, s.depth = nil, lineScanner{}, t.line-1, 0
	}
}

// nextLine begins to scan the next line.
func (s *scanner) nextLine() {
	src := []rune(s.r.lines[s.line])
	s.line++
	s.now = lineScanner{s: s, src: src, line: s.line, inFlow: s.depth > 0}
}

// skipBody goes past the lines of a block scalar: those that are empty or indented by more.
func (s *scanner) skipBody(indent int) {
	for s.line < len(s.r.lines) {
		line := s.r.lines[s.line]
		text := strings.TrimLeft(line, " ")
		if text != "" && len(line)-len(text) <= indent {
			return
		}
		s.line++
	}
}

// lineScanner scans one line. The zero value is at the end of its line.
type lineScanner struct {
	s      *scanner
	src    []rune
	line   int
	pos    int
	count  int // tokens found on this line
	last   token
	inFlow bool // the line begins inside a flow collection
	indent int  // of the line, or of its last key
	tabbed bool // a tab was reported
}

func (l *lineScanner) at(width int) place { return place{l.line, l.pos + 1, width} }

func (l *lineScanner) emit(t token) {
	t.first, t.inFlow = l.count == 0, l.inFlow
	l.count++
	if t.kind == colon {
		l.indent = l.last.col - 1
	}
	l.last = t
	l.s.ahead = append(l.s.ahead, t)
}

// mark emits a token of n characters that stand for themselves.
func (l *lineScanner) mark(kind tokenKind, n int) {
	l.emit(token{place: l.at(n), kind: kind, text: string(l.src[l.pos : l.pos+n])})
	l.pos += n
}

// step goes past one token, or past the rest of the line if there is none. It returns false at the
// line's end.
func (l *lineScanner) step() bool {
	if l.pos >= len(l.src) {
		return false
	}
	if l.pos == 0 && l.marker() {
		return true
	}
	l.space()
	if l.count == 0 {
		l.indent = l.pos
	}
	switch {
	case l.pos >= len(l.src):
	case l.src[l.pos] == '#':
		if l.pos > 0 && !l.blank(l.pos-1) {
			l.s.r.fail(l.at(1), "", "put a space before it", "a comment needs a space before #")
		}
		l.pos = len(l.src)
	default:
		l.token()
	}
	return true
}

// marker goes past what YAML gives a meaning at the first column alone, and reports whether there
// is such a thing.
func (l *lineScanner) marker() bool {
	if l.src[0] == '%' && l.s.depth == 0 {
		l.s.r.fail(l.at(len(l.src)), "", "remove the line", "YAML directives are not read")
		l.pos = len(l.src)
		return true
	}
	if len(l.src) < 3 || !l.blank(3) {
		return false
	}
	switch string(l.src[:3]) {
	case "---":
		l.mark(document, 3)
	case "...":
		l.mark(end, 3)
	default:
		return false
	}
	return true
}

// token scans what begins at pos.
func (l *lineScanner) token() {
	flow := l.s.depth > 0
	switch c := l.src[l.pos]; c {
	case '[', '{':
		l.mark(open, 1)
		l.s.depth++
	case ']', '}':
		l.mark(closing, 1)
		l.s.depth = max(0, l.s.depth-1)
	case ',':
		l.mark(comma, 1)
	case '"', '\'':
		l.quotedScalar(c)
	case ':':
		// JSON puts the colon next to the key, with nothing after it.
		json := flow && l.last.quoted
		if json || l.separates(l.pos+1) {
			l.mark(colon, 1)
		} else {
			l.plain(scalar)
		}
	case '-':
		if l.blank(l.pos + 1) {
			l.mark(dash, 1)
		} else {
			l.plain(scalar)
		}
	default:
		l.unread(c)
	}
}

// unread handles the characters that begin a form of YAML that is not read; any other begins a
// plain scalar.
func (l *lineScanner) unread(c rune) {
	switch c {
	case '&', '!':
		what := map[rune]string{'&': "anchors", '!': "tags"}[c]
		l.s.r.fail(l.at(l.word()), "", "remove it", "YAML %s are not read", what)
		l.pos += l.word()
		return
	case '*':
		l.s.r.fail(l.at(l.word()), "", "repeat the value, or put quotes around it",
			"YAML aliases are not read")
	case '|', '>':
		l.s.r.fail(l.at(1), "", "write the value on one line", "YAML block scalars are not read")
		if l.s.depth == 0 {
			l.mark(refused, 1)
			l.pos = len(l.src)
			l.s.skipBody(l.indent)
			return
		}
	case '%', '@', '`':
		l.s.r.fail(l.at(1), "", "put quotes around it", "a value cannot begin with %q", c)
	case '?':
		if !l.blank(l.pos + 1) {
			l.plain(scalar)
			return
		}
		l.s.r.fail(l.at(1), "", "write key: value", "YAML complex keys are not read")
	default:
		l.plain(scalar)
		return
	}
	l.plain(refused)
}

// space goes past spaces. A tab is reported once a line and then counts as one.
func (l *lineScanner) space() {
	for l.pos < len(l.src) && l.blank(l.pos) {
		if l.src[l.pos] == '\t' && !l.tabbed {
			l.tabbed = true
			l.s.r.fail(l.at(1), "", "use spaces", "a tab: YAML is indented by spaces")
		}
		l.pos++
	}
}

// blank reports whether there is space, or nothing, at pos.
func (l *lineScanner) blank(pos int) bool {
	return pos >= len(l.src) || l.src[pos] == ' ' || l.src[pos] == '\t'
}

// separates reports whether a colon before pos ends a key.
func (l *lineScanner) separates(pos int) bool {
	return l.blank(pos) || l.s.depth > 0 && strings.ContainsRune(",[]{}", l.src[pos])
}

// word returns the number of characters up to the next space or flow indicator.
func (l *lineScanner) word() int {
	n := 1
	for !l.blank(l.pos+n) && !strings.ContainsRune(",[]{}", l.src[l.pos+n]) {
		n++
	}
	return n
}

// plain scans a plain scalar (YAML 1.2 section 7.3.3) as a token of that kind.
func (l *lineScanner) plain(kind tokenKind) {
	stop, last := l.pos, l.pos // last: behind its last character that is no space
	for ; stop < len(l.src); stop++ {
		c := l.src[stop]
		if c == ':' && l.separates(stop+1) && stop > l.pos ||
			c == '#' && l.blank(stop-1) ||
			l.s.depth > 0 && strings.ContainsRune(",[]{}", c) {
			break
		}
		if !l.blank(stop) {
			last = stop + 1
		}
	}
	at, text := l.at(last-l.pos), string(l.src[l.pos:last])
	for l.pos < last { // for the tabs
		l.pos++
		l.space()
	}
	l.pos = last
	l.emit(token{place: at, kind: kind, text: text})
}
