package config

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/token"
)

// refused reports t if it begins a form of YAML that a configuration does not need.
func (v *vetter) refused(t *token.Token) bool {
	form, hint := "", "remove it"
	switch t.Type {
	case token.AnchorType:
		form = "anchors"
	case token.AliasType:
		form, hint = "aliases", "repeat the value, or put quotes around it"
	case token.TagType:
		form = "tags"
	case token.LiteralType, token.FoldedType:
		form, hint = "block scalars", "write the value on one line"
	case token.MergeKeyType:
		form, hint = "merge keys", "hostgroups inherit the thresholds"
	case token.MappingKeyType:
		form, hint = "complex keys", "write key: value"
	case token.DirectiveType:
		form, hint = "directives", "remove the line, or put quotes around a value"
	default:
		return false
	}
	v.fail(t, hint, "YAML %s are not read", form)
	return true
}

// astray says why the text that is next is not the token that it should be: the scanner gave up
// there, or took a scalar to go over the end of its line.
func (v *vetter) astray() {
	if len(v.r.findings) > 0 {
		return // which may well be the reason
	}
	if v.rowEnds() {
		v.nextRow()
	}
	v.pass(v.rest[:len(v.rest)-len(strings.TrimLeft(v.rest, " "))])
	text, _, _ := strings.Cut(v.rest, " #")
	text = strings.TrimRight(text, " ")
	first, _ := utf8.DecodeRuneInString(text)
	quoted := v.quoted.FindString(v.rest)
	message, hint := quote(text)+" goes on in the next line", colonHint(text)
	switch {
	case quoted != "":
		message, hint = "an escape that JSON does not have", `write \\ for a backslash`
		text = quoted
	case strings.ContainsRune(`"'`, first):
		message, hint = "this quote is not closed on its line", ""
		text = text[:1]
	case strings.ContainsRune("@`!|>", first):
		message, hint = "a value cannot begin with "+quote(text[:1]), "put quotes around it"
		text = text[:1]
	case hint == "":
		hint = "it ends with its own: is the next one indented too far, or a comma missing?"
	}
	v.r.fail(place{v.r.rows[max(v.row, 1)-1] + 1, v.col, utf8.RuneCountInString(text)}, "", hint,
		"%s", message)
}

// explain reports why the library's parser does not take the vetted tokens.
func (r *report) explain(err error) {
	var syntax *yaml.SyntaxError
	if !errors.As(err, &syntax) || syntax.Token == nil {
		r.fail(place{1, 1, 1}, "", "", "%s", strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	t := syntax.Token
	first := t.Prev == nil || t.Prev.Position.Line != t.Position.Line
	message, hint := quote(t.Origin)+" follows a complete value", "quotes or a comma are missing"
	switch {
	case t.Type == token.CollectEntryType:
		message, hint = "a comma with nothing before it", "remove it"
	case t.Type == token.MappingValueType:
		message, hint = "a colon with no key before it", "put quotes around a value that has one"
	case t.Type == token.SequenceEndType, t.Type == token.MappingEndType:
		message, hint = t.Value+" without the bracket that it closes", ""
	case t.PreviousType() == token.DocumentHeaderType:
		message, hint = "the document begins beside its marker", "put it on the next line"
	case t.PreviousType() == token.MappingValueType:
		message = "a list entry or a key cannot begin behind a key"
		hint = "put it on a line of its own, indented"
	case first && (t.Type == token.SequenceEntryType || t.NextType() == token.MappingValueType):
		message, hint = "nothing that is still open begins at this column", "check the indentation"
	case first:
		message, hint = quote(t.Origin)+" continues a value, or is indented too far", ""
	}
	r.fail(r.placeOf(t), "", hint, "%s", message)
}

// colonHint says how to write text as a key with a value if only a space is missing.
func colonHint(text string) string {
	key, value, ok := strings.Cut(text, ":")
	switch {
	case !ok || key == "" || value == "" || strings.ContainsAny(key, " .[]"):
		return ""
	case strings.ContainsAny(value, ":{["):
		return "put a space after the colon"
	}
	return "write " + cut(key+": "+value)
}
