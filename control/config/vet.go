package config

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// vetter stands between the library's scanner and its parser. It holds every token to the text at
// the token's place, so that nothing is read that is not in the file and nothing in it is left
// out; it mends what the scanner cuts in two, and keeps from the parser what would cost it more
// than time in proportion to the file.
type vetter struct {
	r      *report
	tokens token.Tokens // all but comments
	vetted token.Tokens // those for the parser
	quoted *regexp.Regexp

	row   int    // number of the row at hand, from 1, as the library counts
	rest  string // of that row, behind the token at hand
	col   int    // of rest
	first bool   // the token at hand is the first of its row

	nesting
}

// vet returns the tokens for the library's parser, unless it reports that something is wrong.
func vet(r *report, tokens token.Tokens) token.Tokens {
	v := &vetter{r: r, quoted: regexp.MustCompile(`^(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')`)}
	v.tokens = slices.DeleteFunc(tokens, func(t *token.Token) bool {
		return t.Type == token.CommentType
	})
	for i := 0; i < len(v.tokens); i++ {
		t := v.tokens[i]
		if t.Type == token.InvalidType || !v.reach(t) {
			v.astray()
			return nil
		}
		if v.refused(t) {
			continue
		}
		if v.glued(t) {
			if !v.glue(t, v.peek(i)) {
				return nil
			}
			i++
		} else {
			v.vetted.Add(t)
		}
		if len(r.findings) == 0 && !v.check(v.last(), v.peek(i)) {
			return nil
		}
	}
	switch {
	case len(r.findings) > 0:
	case !v.rowEnds():
		v.astray()
	case len(v.open) > 0:
		v.unclosed()
	}
	return v.vetted
}

// peek returns the token behind the i-th, or an empty one.
func (v *vetter) peek(i int) *token.Token {
	if i+1 < len(v.tokens) {
		return v.tokens[i+1]
	}
	return &token.Token{Position: &token.Position{}}
}

// last returns the last token for the parser, or an empty one.
func (v *vetter) last() *token.Token {
	if len(v.vetted) > 0 {
		return v.vetted[len(v.vetted)-1]
	}
	return &token.Token{Position: &token.Position{}}
}

// reach goes to the place of t, and past it, and makes t.Origin its text there. It returns false
// if t does not stand there, or if anything but space and comments lies before it.
func (v *vetter) reach(t *token.Token) bool {
	v.first = t.Position.Line != v.row
	if v.first && (t.Position.Line != v.row+1 || !v.rowEnds() || !v.nextRow()) {
		return false
	}
	gap := t.Position.Column - v.col
	if gap < 0 || gap > len(v.rest) || strings.Trim(v.rest[:gap], " ") != "" {
		return false
	}
	v.pass(v.rest[:gap])
	text := t.Value
	if isQuoted(t) {
		text = v.quoted.FindString(v.rest)
		if text == "" || !sameValue(text, t.Value) {
			return false
		}
	}
	if text == "" || !strings.HasPrefix(v.rest, text) {
		return false
	}
	v.pass(text)
	t.Origin = text
	return true
}

func (v *vetter) pass(text string) {
	v.rest = v.rest[len(text):]
	v.col += utf8.RuneCountInString(text)
}

// sameValue reports whether a quoted text has that value. It knows the escapes of JSON alone: the
// library takes any characters for the hexadecimal digits of the others.
func sameValue(text, value string) bool {
	if text[0] == '\'' {
		return strings.ReplaceAll(text[1:len(text)-1], "''", "'") == value
	}
	var s string
	return json.Unmarshal([]byte(text), &s) == nil && s == value
}

// rowEnds reports whether nothing but a comment follows on the row.
func (v *vetter) rowEnds() bool {
	text := strings.TrimLeft(v.rest, " ")
	return text == "" || text[0] == '#'
}

func (v *vetter) nextRow() bool {
	if v.row >= len(v.r.rows) {
		return false
	}
	v.rest, v.col = v.r.lines[v.r.rows[v.row]], 1
	v.row++
	return true
}

// glued reports whether t is a colon that is a part of a plain scalar: between brackets one is
// that has no space behind it (YAML 1.2 section 7.3.3), but for one behind a quoted key, as JSON
// has it (section 7.4.2).
func (v *vetter) glued(t *token.Token) bool {
	return t.Type == token.MappingValueType && len(v.open) > 0 && v.rest != "" &&
		!strings.ContainsRune(" ,[]{}", rune(v.rest[0])) && !isQuoted(v.last())
}

// glue makes one scalar of what the library's scanner cuts at the first colon of a plain scalar
// inside braces: {prefixes: [2001:db8::/32]} is 2001, a colon and db8::/32 to it. The colon was
// reached and next follows it. It returns false after reporting that next is no part of a scalar.
func (v *vetter) glue(colon, next *token.Token) bool {
	if !isPlain(next) || next.Position.Column != v.col || !v.reach(next) || v.first {
		return v.fail(colon, "put a space behind it", "a colon with no space behind it")
	}
	pos, text := *colon.Position, ":"+next.Value
	if last := v.last(); isPlain(last) && last.Position.Line == pos.Line &&
		last.Position.Column+width(last) == pos.Column {
		pos.Column, text = last.Position.Column, last.Value+text
		v.vetted = v.vetted[:len(v.vetted)-1]
	}
	v.vetted.Add(token.String(text, text, &pos))
	return true
}

func isQuoted(t *token.Token) bool { return t.Indicator == token.QuotedScalarIndicator }

// isPlain reports whether t is a scalar without quotes. The library gives them many types.
func isPlain(t *token.Token) bool {
	return slices.Contains([]token.Type{
		token.StringType, token.NullType, token.BoolType, token.IntegerType, token.FloatType,
		token.BinaryIntegerType, token.OctetIntegerType, token.HexIntegerType,
		token.InfinityType, token.NanType,
	}, t.Type)
}

func isText(t *token.Token) bool { return isPlain(t) || isQuoted(t) }

// width is the number of characters of t, once it was reached.
func width(t *token.Token) int { return utf8.RuneCountInString(t.Origin) }
