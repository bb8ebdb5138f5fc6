package config

import (
	"strings"

	"github.com/goccy/go-yaml/token"
)

// Bounds of a file. The library's parser calls itself for every level of nesting and for every key
// of a mapping in block style, copying those behind it, and moves all tokens behind a key or dash
// that has no value.
const (
	maxDepth  = 24  // brackets
	maxIndent = 160 // column of a key or dash
	maxKeys   = 256
	maxEmpty  = 1000
)

// nesting is what the tokens so far have opened.
type nesting struct {
	open   []bracket
	indent int                // column of the last key or dash outside of brackets
	keys   [maxIndent + 1]int // by column, since the last key or dash before it
	empty  int                // keys and dashes without a value
}

// bracket is a flow collection that is open.
type bracket struct {
	*token.Token
	colon bool // since the last comma
}

// check holds t, the last token that was reached, to the bounds and to what the parser would take
// without a word; next follows it. It returns false after reporting what is wrong.
func (v *vetter) check(t, next *token.Token) bool {
	if isPlain(t) {
		t.Type = token.StringType // what it means is not for the library to say
		ends := v.rest == "" || v.rest[0] == ' '
		if strings.Contains(t.Value, ": ") || ends && strings.HasSuffix(t.Value, ":") {
			return v.fail(t, "put a comma before the key, or quotes around the value",
				"a colon and a space inside a value")
		}
	}
	entry := t.Type == token.SequenceEntryType || next.Type == token.MappingValueType
	switch {
	case v.first && len(v.open) > 0 && t.Position.Column <= v.indent && entry:
		return v.unclosed()
	case v.first && len(v.open) == 0 && t.Position.Column <= v.indent && isText(t) && !entry:
		return v.fail(t, colonHint(t.Value), "%s is not a key with a colon and a space",
			quote(t.Value))
	case t.Type == token.DocumentHeaderType && t.Prev != nil,
		t.Type != token.DocumentEndType && t.PreviousType() == token.DocumentEndType:
		return v.fail(t, "", "a second document: a file holds one configuration")
	}
	switch t.Type {
	case token.SequenceStartType, token.MappingStartType:
		v.open = append(v.open, bracket{Token: t})
	case token.SequenceEndType, token.MappingEndType:
		v.entryEnds(t.Prev)
		v.open = v.open[:max(0, len(v.open)-1)] // the parser finds one too many or of another kind
	case token.CollectEntryType:
		v.entryEnds(t.Prev)
	}
	switch {
	case t.Type == token.SequenceEntryType && len(v.open) > 0:
		return v.fail(t, "separate entries by commas", "a dash inside brackets")
	case t.Type == token.SequenceEntryType && !v.block(t, t, next),
		t.Type == token.MappingValueType && !v.colon(t, next):
		return false
	case len(v.open) > maxDepth:
		return v.fail(t, "", "more than %d brackets inside each other", maxDepth)
	case v.empty > maxEmpty:
		return v.fail(t, "", "more than %d keys or dashes without a value", maxEmpty)
	}
	return true
}

// fail reports that something is wrong with t, and returns false.
func (v *vetter) fail(t *token.Token, hint, format string, args ...any) bool {
	v.r.fail(v.r.placeOf(t), "", hint, format, args...)
	return false
}

// unclosed reports the innermost bracket.
func (v *vetter) unclosed() bool {
	b := v.open[len(v.open)-1]
	closer := map[string]string{"[": "]", "{": "}"}[b.Value]
	return v.fail(b.Token, "", "this %s is not closed by a %s", b.Value, closer)
}

// entryEnds counts the entry between brackets that ended with last if it is a key without a value.
func (v *vetter) entryEnds(last *token.Token) {
	if len(v.open) == 0 {
		return
	}
	b := &v.open[len(v.open)-1]
	key := !b.colon && isText(last) || last.Type == token.MappingValueType
	if key && b.Type == token.MappingStartType {
		v.empty++
	}
	b.colon = false
}

// colon checks a key by the colon behind it.
func (v *vetter) colon(t, next *token.Token) bool {
	if t.Prev == nil || t.Prev.Position.Line != v.row {
		return v.fail(t, "put quotes around a value that has one", "a colon with no key before it")
	}
	if len(v.open) == 0 {
		return v.block(t, t.Prev, next)
	}
	b := &v.open[len(v.open)-1]
	if b.Type == token.SequenceStartType {
		return v.fail(t.Prev, "put braces around key and value, or quotes around a value",
			"a key in a list")
	}
	if b.colon {
		return v.fail(t, "put a comma before the key", "a second colon behind a key")
	}
	b.colon = true
	return true
}

// block checks the beginning of an entry of a mapping or list in block style: t is a dash, or the
// colon behind a key, and begins at the dash or key.
func (v *vetter) block(t, begin, next *token.Token) bool {
	col := begin.Position.Column
	if col > maxIndent {
		return v.fail(begin, "", "indented by more than %d", maxIndent)
	}
	v.indent = col
	clear(v.keys[col+1:])
	if t != begin {
		v.keys[col]++
	}
	if v.keys[col] > maxKeys {
		return v.fail(begin, "", "more than %d keys in one mapping", maxKeys)
	}
	dash := next.Type == token.SequenceEntryType
	switch at := next.Position.Column; {
	case next.Position.Line == v.row || at > col:
	case at < col || dash == (t == begin): // a list may begin at its key's column
		v.empty++
	case t == begin: // the parser would take the next key for the entry's
		return v.fail(t, "remove it", "a list entry without a value")
	}
	return true
}
