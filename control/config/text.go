package config

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxFile bounds a configuration file: 1 MiB holds some 50,000 prefixes.
const maxFile = 1 << 20

const utf8BOM = "\xef\xbb\xbf"

// maxRun bounds how often "<" may stand side by side: the library's scanner counts, at each of
// them, those that follow.
const maxRun = 64

// split cuts data into r.lines, without their ends, notes those that hold more than space or a
// comment, and reports what no text file, or none of YAML, should hold. A byte order mark is
// dropped and CRLF counts as LF. It returns false if the text is not fit to be read any further.
func (r *report) split(data []byte) bool {
	r.lines = []string{""}
	whole := place{1, 1, 1}
	if len(data) > maxFile {
		r.fail(whole, "", "", "the file is larger than %d MiB", maxFile>>20)
		return false
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		r.fail(whole, "", "save the file as UTF-8", "the file is UTF-16, not UTF-8")
		return false
	}
	r.lines = strings.Split(strings.TrimPrefix(string(data), utf8BOM), "\n")
	for i, line := range r.lines {
		r.lines[i] = strings.TrimSuffix(line, "\r")
		r.checkLine(i)
		if text := strings.TrimLeft(r.lines[i], " \t"); text != "" && text[0] != '#' {
			r.rows = append(r.rows, i)
			r.checkRow(i)
		}
	}
	return len(r.findings) == 0
}

// checkLine reports the first character of a line that is none, or that YAML forbids.
func (r *report) checkLine(i int) {
	col := 0
	for off, c := range r.lines[i] {
		col++
		at := place{i + 1, col, 1}
		switch {
		case c == utf8.RuneError && invalidAt(r.lines[i], off):
			r.fail(at, "", "save the file as UTF-8", "byte 0x%02x is not UTF-8", r.lines[i][off])
			return
		case c == '\r':
			r.fail(at, "", "end lines with LF or CRLF", "a carriage return inside a line")
			return
		case unicode.IsControl(c) && c != '\t', c == '\ufeff':
			r.fail(at, "", "", "control character %U", c)
			return
		}
	}
}

func invalidAt(s string, off int) bool {
	_, size := utf8.DecodeRuneInString(s[off:])
	return size == 1
}

// checkRow reports a tab before the comment of a line, and a run that is too long.
func (r *report) checkRow(i int) {
	line := r.lines[i]
	tab, comment := strings.IndexByte(line, '\t'), strings.Index(line, " #")
	if tab >= 0 && (comment < 0 || tab < comment) {
		at := place{i + 1, utf8.RuneCountInString(line[:tab]) + 1, 1}
		r.fail(at, "", "use spaces", "a tab: YAML is indented by spaces")
	}
	if strings.Contains(line, strings.Repeat("<", maxRun)) {
		r.fail(place{i + 1, 1, 1}, "", "", "%d times < side by side", maxRun)
	}
}

// text returns the file for the library: its rows alone, without tabs and without space at their
// ends. Runs of empty lines cost the library's scanner time quadratic in their length; tabs, and
// space at an end, move its columns.
func (r *report) text() string {
	var b strings.Builder
	for _, i := range r.rows {
		b.WriteString(strings.TrimRight(strings.ReplaceAll(r.lines[i], "\t", " "), " "))
		b.WriteByte('\n')
	}
	return b.String()
}
