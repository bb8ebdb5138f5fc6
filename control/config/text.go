package config

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxFile bounds a configuration file: 4 MiB hold some 200,000 prefixes.
const maxFile = 4 << 20

const utf8BOM = "\xef\xbb\xbf"

// split cuts data into r.lines, without their ends, and reports what no text file should hold.
// A byte order mark is dropped and CRLF counts as LF. It returns false if the text is not fit to
// be read any further.
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
