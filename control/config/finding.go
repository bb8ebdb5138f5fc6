package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Severity says whether a finding forbids using the file.
type Severity uint8

// Errors forbid using the file; warnings do not.
const (
	Error Severity = iota
	Warning
)

// String returns "error" or "warning".
func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// Finding is one thing that is wrong or doubtful in a file, at one place.
type Finding struct {
	Severity   Severity
	File       string
	Line, Col  int    // from 1; Col counts characters and may be one past the line's last; 0: none
	Path       string // e.g. "hostgroups[0].prefixes[1]"; empty where the YAML itself is wrong
	Message    string
	Excerpt    string // the line with its number, and below it a caret; may be empty
	Suggestion string // what to write instead; may be empty

	width int // characters that the caret underlines
}

// String returns the finding as its location, message and excerpt, without a final newline.
func (f Finding) String() string {
	var b strings.Builder
	if f.Line > 0 {
		fmt.Fprintf(&b, "%s:%d:%d: ", f.File, f.Line, f.Col)
	}
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	if f.Severity == Warning {
		b.WriteString("warning: ")
	}
	b.WriteString(f.Message)
	if f.Excerpt != "" {
		b.WriteString("\n" + f.Excerpt)
	}
	if f.Suggestion != "" {
		b.WriteString(" " + f.Suggestion)
	}
	return b.String()
}

// Findings are all findings of one file, in the order of their places, and then those of the files
// that it names.
type Findings []Finding

// Error returns every finding as Finding.String has it, one after the other.
func (fs Findings) Error() string {
	texts := make([]string, len(fs))
	for i, f := range fs {
		texts[i] = f.String()
	}
	return strings.Join(texts, "\n")
}

// Count returns how many of the findings have that severity.
func (fs Findings) Count(s Severity) int {
	n := 0
	for _, f := range fs {
		if f.Severity == s {
			n++
		}
	}
	return n
}

// Err returns the findings as an error if there is an Error among them, else nil.
func (fs Findings) Err() error {
	if fs.Count(Error) == 0 {
		return nil
	}
	return fs
}

// maxFindings bounds what one file can make us say.
const maxFindings = 1000

// place is where something stands in the file; line and col count from 1, width in characters.
type place struct{ line, col, width int }

// problem is what is wrong with a value, and what to do about it. It is an error so that parsers
// of values can return it.
type problem struct {
	message, hint string
	overflow      bool // the value does not fit where it is to go
}

func (p *problem) Error() string { return p.message }

func problemf(hint, format string, args ...any) *problem {
	return &problem{message: fmt.Sprintf(format, args...), hint: hint}
}

// report collects the findings of one file.
type report struct {
	file     string
	lines    []string
	rows     []int // indices of the lines that hold more than space or a comment
	findings Findings
	hidden   int      // errors beyond maxFindings
	others   Findings // of the files that this one names
}

func (r *report) add(s Severity, at place, path string, p *problem) {
	if len(r.findings) >= maxFindings {
		if s == Error {
			r.hidden++
		}
		return
	}
	r.findings = append(r.findings, Finding{
		Severity: s, File: r.file, Line: at.line, Col: at.col, Path: path,
		Message: p.message, Suggestion: p.hint, width: at.width,
	})
}

// fail notes an error.
func (r *report) fail(at place, path, hint, format string, args ...any) {
	r.add(Error, at, path, problemf(hint, format, args...))
}

// warn notes a warning.
func (r *report) warn(at place, path, hint, format string, args ...any) {
	r.add(Warning, at, path, problemf(hint, format, args...))
}

// sorted returns the findings by place, with excerpts; those of other files come last.
func (r *report) sorted() Findings {
	slices.SortStableFunc(r.findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
	})
	fs := r.findings
	if r.hidden > 0 {
		last := fs[len(fs)-1]
		last.Severity, last.Path, last.Suggestion = Error, "", ""
		last.Message = fmt.Sprintf("too many errors: %d more are not shown", r.hidden)
		fs = append(fs, last)
	}
	var line []rune // a whole file can be one line: it is converted once, not for each finding
	for i := range fs {
		f := &fs[i]
		if i == 0 || f.Line != fs[i-1].Line {
			line = []rune(r.lines[f.Line-1])
		}
		f.Excerpt = excerpt(line, place{f.Line, f.Col, f.width})
	}
	return append(fs, r.others...)
}

// maxExcerpt is the number of characters of a line that an excerpt shows.
const maxExcerpt = 96

// excerpt returns the line with its number, and carets below the place.
func excerpt(line []rune, at place) string {
	from := 0
	if len(line) > maxExcerpt {
		from = max(0, min(at.col-1-maxExcerpt/4, len(line)-maxExcerpt))
		to := min(from+maxExcerpt, len(line))
		cutBefore, cutBehind := from > 0, to < len(line)
		line = slices.Clone(line[from:to])
		if cutBefore {
			line[0] = '…'
		}
		if cutBehind {
			line[len(line)-1] = '…'
		}
	}
	col := at.col - 1 - from
	width := max(1, min(at.width, len(line)-col))
	return fmt.Sprintf("%5d | %s\n      | %s%s",
		at.line, visible(line), strings.Repeat(" ", col), strings.Repeat("^", width))
}

// visible returns the characters with every one that could upset a terminal or the caret's
// alignment replaced, one for one.
func visible(line []rune) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\t':
			return ' '
		case unicode.IsControl(c) || unicode.Is(unicode.Cf, c):
			return utf8.RuneError
		}
		return c
	}, string(line))
}

// maxQuoted is the number of characters of a value that a message repeats.
const maxQuoted = 48

// quote returns text in quotes, cut where it is long.
func quote(text string) string { return fmt.Sprintf("%q", cut(text)) }

func cut(text string) string {
	if utf8.RuneCountInString(text) <= maxQuoted {
		return text
	}
	return string([]rune(text)[:maxQuoted]) + "…"
}
