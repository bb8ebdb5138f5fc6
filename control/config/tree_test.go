package config

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

// read returns the tree of a document as map[string]any, []any, string and nil.
func read(text string) (any, Findings) {
	r := &report{file: "test.yaml"}
	if !r.split([]byte(text)) {
		return nil, r.sorted()
	}
	root := readTree(r)
	if len(r.findings) > 0 || root == nil {
		return nil, r.sorted()
	}
	return plainValue(root), nil
}

func plainValue(n *node) any {
	switch n.kind {
	case nodeScalar:
		return n.text
	case nodeList:
		list := []any{}
		for _, v := range n.values {
			list = append(list, plainValue(v))
		}
		return list
	case nodeMapping:
		mapping := map[string]any{}
		for i, v := range n.values {
			mapping[n.keys[i].text] = plainValue(v)
		}
		return mapping
	}
	return nil
}

func TestReadTree_Success(t *testing.T) {
	f := func(text string, want any) {
		t.Helper()
		if got, findings := read(text); !reflect.DeepEqual(got, want) || len(findings) > 0 {
			t.Errorf("%q is read as %v, not %v: %v", text, got, want, findings)
		}
	}
	type m = map[string]any
	type l = []any
	f("a", "a")
	f("---\na\n...\n...\n", "a")
	f("a: b", m{"a": "b"})
	f("a:\n- b\n-\n- - c\n  - d\n- e: f\n  g:\n",
		m{"a": l{"b", nil, l{"c", "d"}, m{"e": "f", "g": nil}}})
	f("  a: b\n  c: d\n", m{"a": "b", "c": "d"})
	f("a:\n  b: c\n  d:\n    e: f\ng: h", m{"a": m{"b": "c", "d": m{"e": "f"}}, "g": "h"})
	f("[a, [b], {c: d}, ]", l{"a", l{"b"}, m{"c": "d"}})
	f("{a: , b: [], \"c\":d, 'e' : f, g}", m{"a": nil, "b": l{}, "c": "d", "e": "f", "g": nil})
	f("a: [b,\nc\n  ]\nd: {\n  e: f\n}", m{"a": l{"b", "c"}, "d": m{"e": "f"}})
	f("a: b#c # d\n#e\n", m{"a": "b#c"})
	f("[::1, ::/0, 2001:db8::/32, a:b]", l{"::1", "::/0", "2001:db8::/32", "a:b"})
	f("{p: [2001:db8::/32, 65535:666], l: :2055}",
		m{"p": l{"2001:db8::/32", "65535:666"}, "l": ":2055"})
	f(`"a\t\"\\\/\u0041\u00e9\ud83d\ude00"`, "a\t\"\\/Aé😀")
	f("'it''s'", "it's")
	f("- -1\n- a b  c \n- \"#\"\n- x'y\"z", l{"-1", "a b  c", "#", `x'y"z`})
	f("a: b\r\nc: d\r\n", m{"a": "b", "c": "d"})
	f("\ufeffa: b", m{"a": "b"})
}

func TestReadTree_Failure(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		got, findings := read(text)
		if got != nil || len(findings) == 0 || !strings.Contains(findings.Error(), want) {
			t.Errorf("%q is read as %v with %v, want %q", text, got, findings, want)
		}
	}
	f("a: [b", "1:4: this [ is not closed by a ]")
	f("a: {b: c\nd: e", "1:4: this { is not closed by a }")
	f("a: ]", "1:4: ] without the bracket")
	f("[a]]", "1:4: ] without the bracket")
	f("{a: b]", "1:1: this { is not closed")
	f("'a' b: c", "1:5: \"b\" follows a complete value")
	f("a: b: c", "1:4: a list entry or a key cannot begin behind a key")
	f("{[a]: b}", "1:5: a colon with no key before it")
	f("[a, - b]", "1:5: a dash inside brackets")
	f("[a: b]", "1:2: a key in a list")
	f("{a: b c: d}", "1:5: a colon and a space inside a value")
	f("{a: b: }", "1:5: a colon and a space inside a value")
	f("{a: \"b\": d}", "1:8: a second colon behind a key")
	f("{a:\"b\"}", "1:3: a colon with no space behind it")
	f("{a:&b c}", "1:3: a colon with no space behind it")
	f("? b: c", "1:1: YAML complex keys")
	f(strings.Repeat("- ", 100)+"a", "1:161: indented by more than 160")
	f(strings.Repeat("[", 30), "1:25: more than 24 brackets")
	f(strings.Repeat("{a: ", 30), "1:97: more than 24 brackets")
	f(strings.Repeat("a: b\n", 257), "257:1: more than 256 keys")
	f(strings.Repeat("-\n", 1002), "more than 1000 keys or dashes without a value")
	f("["+strings.Repeat("{a: {b}},", 1001), "more than 1000 keys or dashes without a value")
	f("["+strings.Repeat("{a: ,},", 1001), "more than 1000 keys or dashes without a value")
	f("a: "+strings.Repeat("<", 64), "64 times < side by side")
	f("a: b\n---\nc: d", "2:1: a second document")
	f("a: b\n...\n...\nc: d", "4:1: a second document")
	f("a: b\n...\n---\n", "3:1: a second document")
	f("a: *b", "1:4: YAML aliases")
	f("a: &b c", "1:4: YAML anchors")
	f("a: !!str c", "1:4: YAML tags")
	f("a: |\n  b", "1:4: YAML block scalars")
	f("a: \"\\q\"", "1:4: an escape that JSON")
	f("a: \"\\x41\"", "1:4: an escape that JSON")
	f("a: \"\\u00g0\"", "1:4: an escape that JSON")
	f("a: \"\\ud83d\"", "1:4: an escape that JSON") // half a surrogate pair
	f("a: 'b", "1:4: this quote is not closed on its line")
	f("a: \"b\nc\"", "1:4: this quote is not closed on its line")
	f("a: \"b #\tc\"", "1:4: an escape that JSON") // a tab
	f("\ta: b", "1:1: a tab")
	f("a:\tb", "1:3: a tab")
	f("a: b\n   c\n", "1:4: \"b\" goes on in the next line")
	f("a: 'b'\n   c\n", "2:4: \"c\" continues a value")
	f("a: b\n   'c': d\n", "1:4: \"b\" goes on in the next line")
	f("a:\nb\nc: d\n", "2:1: \"b\" is not a key")
	f("a: 1\nb\n", "2:1: \"b\" is not a key")
	f("- a\nb: c\n", "2:1: nothing that is still open begins")
	f("a:\n-\nb: c\n", "2:1: a list entry without a value")
	f("a: [b\n- c\n", "1:4: this [ is not closed")
	f("--- a: b\n", "1:5: the document begins beside its marker")
}

// TestReadTreeRandom reads documents that are written, in random styles, from known values.
func TestReadTreeRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		w := &yamlWriter{rng: rng}
		want := w.value(0)
		var b strings.Builder
		w.block(&b, want, 0, true)
		text := b.String()
		if got, findings := read(text); !reflect.DeepEqual(got, want) || len(findings) > 0 {
			t.Fatalf("%s\nis read as\n%v\nnot\n%v\n%v", text, got, want, findings)
		}
	}
}

// yamlWriter makes random values and writes them.
type yamlWriter struct {
	rng *rand.Rand
}

// value returns a random mapping, list or text.
func (w *yamlWriter) value(depth int) any {
	n := w.rng.IntN(4)
	kind := w.rng.IntN(3)
	if depth == 0 {
		kind = w.rng.IntN(2)
	}
	switch {
	case depth > 4 || kind == 2:
		return w.text()
	case kind == 0:
		list := []any{}
		for range n {
			list = append(list, w.value(depth+1))
		}
		return list
	}
	mapping := map[string]any{}
	for i := range n {
		mapping[fmt.Sprintf("%s%d", w.text(), i)] = w.value(depth + 1)
	}
	return mapping
}

func (w *yamlWriter) text() string {
	texts := []string{
		"eth1", "10.0.0.0/8", "a b", "it's", "größe", "say \"x\"", "a#b", "-x", "2001:db8::/32",
		"::/0", ":2055", "65535:666", "1:2:3", "a: b", ":x", "a, [b]", "\\", "#", "\"", "'", "a\tb",
		"- a", "{", "true", "null", "0x10", "1.5", "<<", "&a", "*a", "!a", "|", "%a", "@a",
	}
	return texts[w.rng.IntN(len(texts))]
}

// scalar writes text plain where YAML allows it, else or at random in quotes.
func (w *yamlWriter) scalar(text string) string {
	plain := !strings.ContainsAny(text, ",[]{}\\\t'\"#<&*!|%@") && !strings.Contains(text, ": ") &&
		!strings.HasPrefix(text, "- ")
	switch n := w.rng.IntN(4); {
	case plain && n > 0:
		return text
	case n == 1 && !strings.Contains(text, "\t"):
		return "'" + strings.ReplaceAll(text, "'", "''") + "'"
	}
	return quoteJSON(text)
}

// block writes v at the column of indent; first: at the beginning of a line.
func (w *yamlWriter) block(b *strings.Builder, v any, indent int, first bool) {
	pad := strings.Repeat(" ", indent)
	list, isList := v.([]any)
	mapping, isMapping := v.(map[string]any)
	if len(list)+len(mapping) == 0 || w.rng.IntN(5) == 0 {
		b.WriteString(w.flow(v, indent) + w.lineEnd())
		return
	}
	for _, entry := range list {
		if !first {
			b.WriteString(pad)
		}
		first = false
		b.WriteString("-")
		w.nested(b, entry, indent, isList)
	}
	for key, entry := range mapping {
		if !first {
			b.WriteString(pad)
		}
		first = false
		b.WriteString(w.scalar(key) + ":")
		w.nested(b, entry, indent, !isMapping)
	}
}

// nested writes v behind a dash or a key's colon.
func (w *yamlWriter) nested(b *strings.Builder, v any, indent int, dash bool) {
	if text, ok := v.(string); ok {
		b.WriteString(" " + w.scalar(text) + w.lineEnd())
		return
	}
	if dash && w.rng.IntN(2) == 0 {
		b.WriteString(" ")
		w.block(b, v, indent+2, true)
		return
	}
	deeper := indent + 1 + w.rng.IntN(4)
	b.WriteString(w.lineEnd() + strings.Repeat(" ", deeper))
	w.block(b, v, deeper, true)
}

func (w *yamlWriter) flow(v any, indent int) string {
	space := func() string {
		if w.rng.IntN(6) == 0 {
			return "\n" + strings.Repeat(" ", indent+1)
		}
		return strings.Repeat(" ", w.rng.IntN(2))
	}
	var parts []string
	switch v := v.(type) {
	case string:
		return w.scalar(v)
	case []any:
		for _, entry := range v {
			parts = append(parts, space()+w.flow(entry, indent)+space())
		}
		return "[" + strings.Join(parts, ",") + "]"
	case map[string]any:
		for key, entry := range v {
			if strings.Contains(key, ":") {
				key = quoteJSON(key)
			} else {
				key = w.scalar(key)
			}
			parts = append(parts, space()+key+": "+w.flow(entry, indent)+space())
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	panic(fmt.Sprintf("BUG: %T", v))
}

// lineEnd ends a line, at random with a comment and more lines that hold nothing.
func (w *yamlWriter) lineEnd() string {
	ends := []string{"\n", "\n", "\n", "  \n", " # a comment: [\n", "\n\n", "\n# {\n"}
	return ends[w.rng.IntN(len(ends))]
}

// TestHostile reads files of the greatest size that are made to take long.
func TestHostile(t *testing.T) {
	if testing.Short() || raced {
		t.Skip("large files, on the clock")
	}
	f := func(head, part string) {
		t.Helper()
		data := []byte(head + strings.Repeat(part, (maxFile-len(head))/len(part)))
		begin := time.Now()
		c, findings := Parse("large.yaml", data)
		// A second is usual; without the bounds it is minutes, or hours.
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("%q and many %q: %v", head, part, took)
		}
		if c != nil || findings.Err() == nil {
			t.Errorf("%q and many %q are taken", head, part)
		}
		checkFindings(t, data, findings)
	}
	f("a: |\n", "\n") // the library's scanner alone takes an hour for this
	f("a: >+\n  b\n", "\n")
	f("", "<") // minutes
	f("a: \"#", " #\t")
	f("", "a:\n") // and its parser, for these
	f("", "a: b\n")
	f("", "\"a\": b\n")
	f("[\n", "\"a\": b\n")
	f("{a:\n", "\"b\": c\n")
	f("", "-\n")
	f("", "- ")
	f("{", "a,")
	f("{", "a: ,")
	f("[", "{a},")
	f("a: ", "{a: ")
	f("", "---\na\n")
	f("networks: [", "10.0.0.1,")
	f("networks:\n", "- 10.0.0.1/8\n")
	f("{a: [", "1:2,")
	f("hostgroups:\n", "- name: a\n")
	f("hostgroups: [", "{name: a},\n")
	f("a: ", "'' ")
	f("a: ", "&")
	f("", "%")
	f("", "\t\n")
}
