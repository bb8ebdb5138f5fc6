package config

import "slices"

// nodeKind is the form of a value.
type nodeKind uint8

const (
	nodeEmpty nodeKind = iota // a key or a dash with nothing after it
	nodeScalar
	nodeList
	nodeMapping
	nodeRefused // could not be read, already reported
)

// String returns the form in words.
func (k nodeKind) String() string {
	return [...]string{"no value", "a single value", "a list", "a mapping", "unreadable"}[k]
}

// node is one value of the file.
type node struct {
	place
	kind   nodeKind
	text   string // of a scalar
	quoted bool
	keys   []*node // of a mapping, in the file's order; duplicates are kept
	values []*node // of a mapping, parallel to keys; or of a list
	broken bool    // a part of it could not be read
}

// isNull reports whether n is written as YAML's way to say that there is no value.
func (n *node) isNull() bool {
	null := []string{"null", "Null", "NULL", "~"}
	return n.kind == nodeScalar && !n.quoted && slices.Contains(null, n.text)
}

// Bounds of a file's tree: past them reading stops with an error.
const (
	maxDepth = 24
	maxNodes = 1 << 19
)

// tree reads one document from the scanner's tokens.
type tree struct {
	scanner
	level int // of nesting
	nodes int
}

// readTree returns the document in r.lines, or nil if there is none.
func readTree(r *report) *node {
	p := &tree{scanner: scanner{r: r}}
	if t := p.peek(0); t.kind == document {
		p.take()
		if u := p.peek(0); !u.first {
			r.fail(u.place, "", "put it on the next line", "the document begins beside its marker")
			return &node{kind: nodeRefused, place: u.place}
		}
	}
	if k := p.peek(0).kind; k == end || k == document {
		p.afterDocument()
		return nil
	}
	root := p.block(0)
	for t := p.peek(0); t.kind != end && t.kind != document; t = p.peek(0) {
		p.misplaced(root, t)
	}
	p.afterDocument()
	return root
}

// afterDocument reports what follows the end of the document.
func (p *tree) afterDocument() {
	t := p.peek(0)
	for ; t.kind == end; t = p.peek(0) {
		if len(p.ahead) == 0 {
			return
		}
		p.take()
	}
	p.r.fail(t.place, "", "", "a second document: a file holds one configuration")
}

func (p *tree) newNode(kind nodeKind, at place) *node {
	if p.nodes++; p.nodes == maxNodes {
		p.r.fail(at, "", "", "the file holds more than %d values", maxNodes)
		p.stop()
	}
	return &node{kind: kind, place: at}
}

// enter notes one more level of nesting; it stops reading and returns false past maxDepth.
func (p *tree) enter(at place) bool {
	if p.level++; p.level <= maxDepth {
		return true
	}
	p.r.fail(at, "", "", "nested more than %d deep", maxDepth)
	p.stop()
	return false
}

// atKey reports whether the next tokens are a key and its colon.
func (p *tree) atKey() bool {
	t, u := p.peek(0), p.peek(1)
	return (t.kind == scalar || t.kind == refused) && u.kind == colon && u.line == t.line
}

// over reports whether the block that began at column col ends before t.
func over(t token, col int) bool {
	return t.kind == end || t.kind == document || t.first && t.col < col
}

// block reads the value that begins at the next token, which is the first on its line or follows
// a dash. Keys and dashes of the enclosing block stand at column parent.
func (p *tree) block(parent int) *node {
	t := p.peek(0)
	if !p.enter(t.place) {
		return p.newNode(nodeRefused, t.place)
	}
	defer func() { p.level-- }()
	switch {
	case t.kind == dash:
		return p.blockList(t)
	case p.atKey():
		return p.blockMapping(t)
	}
	return p.inline(parent)
}

func (p *tree) blockMapping(start token) *node {
	n := p.newNode(nodeMapping, start.place)
	for t := start; !over(t, start.col); t = p.peek(0) {
		if t.col != start.col || !p.atKey() {
			p.misplaced(n, t)
			continue
		}
		p.take()
		p.take()
		key := p.newNode(nodeScalar, t.place)
		key.text, key.quoted = t.text, t.quoted
		if t.kind == refused {
			key.kind = nodeRefused
		}
		n.keys = append(n.keys, key)
		n.values = append(n.values, p.afterKey(t.place))
	}
	return n
}

// afterKey reads the value behind a block mapping's key.
func (p *tree) afterKey(key place) *node {
	t, col := p.peek(0), key.col
	switch {
	case !t.first && t.kind != end:
		if t.kind == dash || p.atKey() {
			p.r.fail(t.place, "", "put it on a line of its own, indented",
				"a list entry or a key cannot begin behind a key")
			p.skip(col)
			return p.newNode(nodeRefused, t.place)
		}
		return p.inline(col)
	case t.kind == dash && t.col == col, !over(t, col+1):
		return p.block(col)
	}
	return p.newNode(nodeEmpty, key)
}

func (p *tree) blockList(start token) *node {
	n := p.newNode(nodeList, start.place)
	for t := start; !over(t, start.col); t = p.peek(0) {
		if t.col == start.col && t.kind != dash {
			break
		}
		if t.col != start.col {
			p.misplaced(n, t)
			continue
		}
		p.take()
		u := p.peek(0)
		if u.first && over(u, start.col+1) || u.kind == end {
			n.values = append(n.values, p.newNode(nodeEmpty, t.place))
			continue
		}
		n.values = append(n.values, p.block(start.col))
	}
	return n
}

// inline reads a scalar or a flow collection in a block at column col; nothing may follow it on
// its line.
func (p *tree) inline(col int) *node {
	t := p.peek(0)
	var n *node
	switch t.kind {
	case scalar, refused:
		n = p.flowScalar()
	case open:
		var ok bool
		if n, ok = p.flow(col); !ok {
			p.skip(col)
			return p.newNode(nodeRefused, t.place)
		}
	default:
		p.r.fail(t.place, "", "", "%s is out of place here", quote(t.text))
		p.skip(col)
		return p.newNode(nodeRefused, t.place)
	}
	if u := p.peek(0); !u.first {
		p.r.fail(u.place, "", "", "%s follows a complete value", quote(u.text))
		p.skip(col)
		n.broken = true
	}
	return n
}

// misplaced reports token t, which cannot stand where it does in n, and skips what belongs to it.
func (p *tree) misplaced(n *node, t token) {
	n.broken = true
	before := []rune(p.r.lines[t.line-1])[:t.col-1]
	switch {
	case t.kind == refused: // reported
	case slices.Contains(before, '\t'): // reported, and its width is anyone's guess
	case t.kind == scalar && !p.atKey() && t.col > n.col:
		p.r.fail(t.place, "", "a value stands on one line, in quotes if need be",
			"%s continues a value, or is indented too far", quote(t.text))
	case t.kind == scalar && !p.atKey() && n.kind == nodeMapping:
		p.r.fail(t.place, "", colonHint(t.text), "%s is not a key with a colon and a space",
			quote(t.text))
	case t.kind == dash && n.kind == nodeMapping && t.col == n.col:
		p.r.fail(t.place, "", "", "a list entry among the keys of a mapping")
	default:
		p.r.fail(t.place, "", "", "no key or list that is still open begins at column %d", t.col)
	}
	p.take()
	p.skip(n.col)
}

// skip goes to the next token that begins a line at column col or before it. Flow collections
// that are open there count as given up.
func (p *tree) skip(col int) {
	for t := p.peek(0); t.kind != end && t.kind != document; t = p.peek(0) {
		if t.first && t.col <= col && t.kind != closing {
			break
		}
		p.take()
	}
	p.restart()
}
