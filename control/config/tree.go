package config

import (
	"slices"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// nodeKind is the form of a value.
type nodeKind uint8

const (
	nodeEmpty nodeKind = iota // a key or a dash with nothing after it
	nodeScalar
	nodeList
	nodeMapping
)

// String returns the form in words.
func (k nodeKind) String() string {
	return [...]string{"no value", "a single value", "a list", "a mapping"}[k]
}

// node is one value of the file.
type node struct {
	place
	kind   nodeKind
	text   string // of a scalar
	quoted bool
	keys   []*node // of a mapping, in the file's order; duplicates are kept
	values []*node // of a mapping, parallel to keys; or of a list
}

// isNull reports whether n is written as YAML's way to say that there is no value.
func (n *node) isNull() bool {
	null := []string{"null", "Null", "NULL", "~"}
	return n.kind == nodeScalar && !n.quoted && slices.Contains(null, n.text)
}

// readTree returns the document in r.lines, or nil after reporting that there is none or what is
// wrong with it.
func readTree(r *report) *node {
	tokens := vet(r, lexer.Tokenize(r.text()))
	if len(r.findings) > 0 {
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.explain(err)
		return nil
	}
	for _, doc := range file.Docs {
		if doc.Body != nil {
			return r.node(doc.Body, place{1, 1, 1})
		}
	}
	r.fail(place{1, 1, 1}, "", "weir config init prints every key with its meaning",
		"the file is empty")
	return nil
}

// node returns a value with what is below it; at is the place of its key or dash.
func (r *report) node(n ast.Node, at place) *node {
	out := &node{place: at}
	switch n := n.(type) {
	case *ast.MappingNode:
		out.kind, out.place = nodeMapping, r.placeOf(n.Start)
		for _, entry := range n.Values {
			key := r.node(entry.Key, at)
			out.keys = append(out.keys, key)
			out.values = append(out.values, r.node(entry.Value, key.place))
		}
		if !n.IsFlowStyle {
			out.place = out.keys[0].place
		}
	case *ast.SequenceNode:
		out.kind, out.place = nodeList, r.placeOf(n.Start)
		for i, value := range n.Values {
			dash := out.place
			if !n.IsFlowStyle {
				dash = r.placeOf(n.Entries[i].Start)
			}
			out.values = append(out.values, r.node(value, dash))
		}
	case *ast.StringNode:
		out.kind, out.place, out.text = nodeScalar, r.placeOf(n.Token), n.Value
		out.quoted = isQuoted(n.Token)
	}
	return out
}

// placeOf returns the place of a vetted token.
func (r *report) placeOf(t *token.Token) place {
	return place{r.rows[t.Position.Line-1] + 1, t.Position.Column, width(t)}
}
