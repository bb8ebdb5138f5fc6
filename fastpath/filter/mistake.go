package filter

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// maxMistakes bounds what one file can make ParseRules say.
const maxMistakes = 100

// Mistake is what is wrong with one line of a file of rules, or with a script.
type Mistake struct {
	File   string
	Line   int // from 1
	Col    int // from 1; 0: the whole line
	Reason error
}

// Error returns the mistake as "FILE:LINE: REASON".
func (m *Mistake) Error() string { return fmt.Sprintf("%s:%d: %v", m.File, m.Line, m.Reason) }

// Unwrap returns the reason.
func (m *Mistake) Unwrap() error { return m.Reason }

// Mistakes are all of a file's, in the order of its lines; at least one.
type Mistakes []*Mistake

// Error returns every mistake on a line of its own.
func (ms Mistakes) Error() string {
	texts := make([]string, len(ms))
	for i, m := range ms {
		texts[i] = m.Error()
	}
	return strings.Join(texts, "\n")
}

// scriptMistake returns what the Lua library says of a script, with the place.
func scriptMistake(name string, source []byte, err error) error {
	m := &Mistake{File: name, Line: 1, Reason: err}
	var syntax *parse.Error
	var compile *lua.CompileError
	switch {
	case errors.As(err, &syntax):
		m.Reason = fmt.Errorf("%s near %q", syntax.Message, syntax.Token)
		if m.Line, m.Col = syntax.Pos.Line, max(0, syntax.Pos.Column); m.Line < 1 {
			m.Line, m.Col = 1+bytes.Count(bytes.TrimSpace(source), []byte("\n")), 0
			m.Reason = fmt.Errorf("%s: the script ends too early", syntax.Message)
		}
	case errors.As(err, &compile):
		m.Line, m.Reason = max(1, compile.Line), errors.New(compile.Message)
	default: // while it ran: "NAME:LINE: REASON"
		text, cut := strings.CutPrefix(err.Error(), name+":")
		if found := regexp.MustCompile(`^(\d+): *`).FindStringSubmatch(text); cut && found != nil {
			if line, err := strconv.Atoi(found[1]); err == nil {
				m.Line, m.Reason = max(1, line), errors.New(text[len(found[0]):])
			}
		}
	}
	if m.Reason.Error() == "" {
		m.Reason = errors.New("failed without a reason")
	}
	return Mistakes{m}
}
