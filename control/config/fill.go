package config

import (
	"fmt"
	"reflect"
	"strings"
)

// filler gives the values of a tree to a Config, and remembers where each came from.
type filler struct {
	r     *report
	root  reflect.Value    // of the Config
	nodes map[string]*node // by path; what the file does not have is not there
	bad   map[string]bool  // paths of values that were not taken, and all paths above them
}

// config fills c from the file's root. A file that has thresholds has no others than those.
func (f *filler) config(root *node, c *Config) {
	for _, key := range root.keys {
		if key.text == "thresholds" {
			clear(c.Thresholds[:])
		}
	}
	f.root = reflect.ValueOf(c).Elem()
	f.value(root, f.root, "", "")
}

// refuse notes a value that is not taken, and marks path and all above it as bad.
func (f *filler) refuse(n *node, path string, p *problem) {
	f.r.add(Error, n.place, path, p)
	for !f.bad[path] {
		f.bad[path] = true
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
}

// value gives v, which must be addressable, the value of n.
func (f *filler) value(n *node, v reflect.Value, tag reflect.StructTag, path string) {
	f.nodes[path] = n
	want := nodeScalar
	fields := fieldsOf(v)
	switch {
	case fields != nil:
		want = nodeMapping
	case v.Kind() == reflect.Slice:
		want = nodeList
	}
	switch {
	case n.kind == nodeEmpty, n.isNull():
		f.refuse(n, path, problemf("remove it, or write "+shape(v), "no value"))
	case n.kind != want:
		f.refuse(n, path, problemf(shapeHint(n, v), "%s where %s is wanted", n.kind, shape(v)))
	case want == nodeMapping:
		if d, ok := v.Addr().Interface().(defaulter); ok {
			d.setDefaults()
		}
		f.mapping(n, v, fields, path)
	case want == nodeList:
		f.list(n, v, tag, path)
	default:
		if p := setScalar(v, n, tag); p != nil {
			f.refuse(n, path, p)
		}
	}
}

// shapeHint says how to write a single value or mapping where a list of such is wanted.
func shapeHint(n *node, v reflect.Value) string {
	if v.Kind() != reflect.Slice || n.kind == nodeList {
		return ""
	}
	entry := reflect.New(v.Type().Elem()).Elem()
	switch {
	case n.kind == nodeScalar && fieldsOf(entry) == nil && !n.quoted:
		return "write [" + cut(n.text) + "]"
	case n.kind == nodeMapping && fieldsOf(entry) != nil:
		return "begin each entry with a dash, or put brackets around it"
	}
	return ""
}

// defaulter is a mapping that has defaults of its own, once it is there.
type defaulter interface{ setDefaults() }

func (f *filler) list(n *node, v reflect.Value, tag reflect.StructTag, path string) {
	v.SetZero()
	if len(n.values) == 0 {
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.values), len(n.values)))
	seen := map[any]int{}
	for i, value := range n.values {
		entry, at := v.Index(i), index(path, i)
		f.value(value, entry, tag, at)
		if f.bad[at] || tag.Get("unique") == "" {
			continue
		}
		key := entry.Interface()
		if first, ok := seen[key]; ok {
			f.refuse(value, at, problemf("remove it", "%v is in the list already, on line %d",
				key, n.values[first].line))
			continue
		}
		seen[key] = i
	}
}

func (f *filler) mapping(n *node, v reflect.Value, fields []field, path string) {
	byName := make(map[string]field, len(fields))
	for _, fd := range fields {
		byName[fd.name] = fd
	}
	seen := map[string]*node{}
	for i, key := range n.keys {
		at := join(path, keyText(key.text))
		fd, known := byName[key.text]
		first, again := seen[key.text]
		switch {
		case again:
			f.refuse(key, at, problemf("remove one of them", "the key is on line %d already",
				first.line))
		case !known:
			f.refuse(key, at, problemf(f.keyHint(key.text, v, fields, path), "unknown key"))
		default:
			if fd.set != nil {
				*fd.set = true
			}
			f.value(n.values[i], fd.value, fd.tag, at)
		}
		if !again {
			seen[key.text] = key
		}
	}
	f.required(n, fields, path, seen)
}

// required reports keys that n lacks.
func (f *filler) required(n *node, fields []field, path string, seen map[string]*node) {
	for _, fd := range fields {
		if fd.tag.Get("required") == "" || seen[fd.name] != nil {
			continue
		}
		hint := "add " + fd.name + ": " + fd.tag.Get("example")
		f.refuse(n, join(path, fd.name), problemf(hint, "missing"))
	}
}

// keyText returns a key as paths have it.
func keyText(text string) string {
	if text == "" || strings.ContainsFunc(text, notGraphic) || strings.ContainsAny(text, ".[]") {
		return fmt.Sprintf("%q", cut(text))
	}
	return cut(text)
}

// maxListed is the number of keys that a suggestion still lists.
const maxListed = 13

// keyHint guesses what an unknown key of v, the mapping at path, was meant to be: one of its
// keys, or one that stands below it or elsewhere.
func (f *filler) keyHint(text string, v reflect.Value, fields []field, path string) string {
	if hint := colonHint(text); hint != "" {
		return hint
	}
	var names []string
	for _, fd := range fields {
		names = append(names, fd.name)
	}
	if name := nearest(text, names); name != "" {
		return didYouMean(name)
	}
	if at := whereIs(text, v, path); at != "" {
		return didYouMean(at)
	}
	if at := whereIs(text, f.root, ""); at != "" {
		return didYouMean(at)
	}
	if len(names) > maxListed {
		return "weir config init prints every key"
	}
	return "the keys here are " + strings.Join(names, ", ")
}
