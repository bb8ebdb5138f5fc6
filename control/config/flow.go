package config

import "strings"

// flow reads the flow collection that the next token opens, inside a block at column col. It
// returns false after reporting what is wrong; the caller then skips.
func (p *tree) flow(col int) (*node, bool) {
	t := p.take()
	if !p.enter(t.place) {
		return nil, false
	}
	defer func() { p.level-- }()
	if t.text == "[" {
		return p.flowList(t, col)
	}
	return p.flowMapping(t, col)
}

// flowEnd handles what may stand between entries. It returns done at the collection's end, and
// ok false for what ends it wrongly.
func (p *tree) flowEnd(start token, col int, separated bool) (done, ok bool) {
	t := p.peek(0)
	closer := map[string]string{"[": "]", "{": "}"}[start.text]
	switch {
	case t.kind == end, t.kind == document,
		t.first && t.col <= col && (p.atKey() || t.kind == dash):
		p.r.fail(start.place, "", "", "this %s is not closed by a %s", start.text, closer)
		return true, false
	case t.kind == closing && t.text == closer:
		p.take()
		return true, true
	case t.kind == closing:
		p.r.fail(t.place, "", "", "%s where the %s of line %d wants a %s", t.text, start.text,
			start.line, closer)
		return true, false
	case !separated && t.kind == colon:
		p.r.fail(t.place, "", "put quotes around a value that ends in a colon",
			"a colon behind a complete value")
		return true, false
	case !separated:
		p.r.fail(t.place, "", "put a comma before it", "%s follows a complete value", quote(t.text))
		return true, false
	case t.kind == comma:
		p.r.fail(t.place, "", "remove it", "a comma with nothing before it")
		return true, false
	}
	return false, true
}

func (p *tree) flowList(start token, col int) (*node, bool) {
	n := p.newNode(nodeList, start.place)
	separated := true
	for {
		if done, ok := p.flowEnd(start, col, separated); done {
			return n, ok
		}
		if t := p.peek(0); p.atKey() || t.kind == colon {
			p.r.fail(t.place, "", "put braces around key and value, or quotes around a value",
				"a key in a list")
			return nil, false
		}
		v, ok := p.flowValue(col)
		if !ok {
			return nil, false
		}
		n.values = append(n.values, v)
		separated = p.comma()
	}
}

func (p *tree) flowMapping(start token, col int) (*node, bool) {
	n := p.newNode(nodeMapping, start.place)
	separated := true
	for {
		if done, ok := p.flowEnd(start, col, separated); done {
			return n, ok
		}
		t := p.peek(0)
		if t.kind != scalar && t.kind != refused {
			p.r.fail(t.place, "", "", "%s where a key is wanted", quote(t.text))
			return nil, false
		}
		key := p.flowScalar()
		v, ok := p.afterFlowKey(n, key, t, col)
		if !ok {
			return nil, false
		}
		n.keys, n.values = append(n.keys, key), append(n.values, v)
		separated = p.comma()
	}
}

// afterFlowKey reads the value behind a key of n, which token t gave.
func (p *tree) afterFlowKey(n, key *node, t token, col int) (*node, bool) {
	none := p.newNode(nodeEmpty, key.place)
	if u := p.peek(0); u.kind == colon && u.line == key.line {
		p.take()
		if u := p.peek(0); u.kind == comma || u.kind == closing {
			return none, true
		}
		return p.flowValue(col)
	}
	if hint := colonHint(t.text); hint != "" && !t.quoted {
		p.r.fail(t.place, "", hint, "%s is not a key with a colon and a space", quote(t.text))
		none.kind, key.kind, n.broken = nodeRefused, nodeRefused, true
	}
	return none, true
}

// comma goes past a comma and reports whether there was one.
func (p *tree) comma() bool {
	if p.peek(0).kind != comma {
		return false
	}
	p.take()
	return true
}

func (p *tree) flowValue(col int) (*node, bool) {
	switch t := p.peek(0); t.kind {
	case scalar, refused:
		return p.flowScalar(), true
	case open:
		return p.flow(col)
	default:
		p.r.fail(t.place, "", "", "%s where a value is wanted", quote(t.text))
		return nil, false
	}
}

func (p *tree) flowScalar() *node {
	t := p.take()
	n := p.newNode(nodeScalar, t.place)
	n.text, n.quoted = t.text, t.quoted
	if t.kind == refused {
		n.kind = nodeRefused
	}
	return n
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
