package config

import (
	"reflect"
	"strings"
)

// value is a part of a Config ready to be written.
type value struct {
	yaml, json string // of a scalar
	list       bool
	mapping    bool
	keys       []string // of a mapping
	values     []value  // of a mapping or list
}

// valueOf returns v, which must be addressable, and all below it.
func valueOf(v reflect.Value, tag reflect.StructTag) value {
	if fields := fieldsOf(v); fields != nil {
		out := value{mapping: true}
		for _, f := range fields {
			if !f.omitted() {
				out.keys = append(out.keys, f.name)
				out.values = append(out.values, valueOf(f.value, f.tag))
			}
		}
		return out
	}
	if v.Kind() == reflect.Slice {
		out := value{list: true}
		for i := range v.Len() {
			out.values = append(out.values, valueOf(v.Index(i), tag))
		}
		return out
	}
	text, asJSON := scalarText(v, tag)
	return value{yaml: text, json: asJSON}
}

// whole returns c without sharing anything with it that valueOf addresses.
func (c Config) whole() value { return valueOf(reflect.ValueOf(&c).Elem(), "") }

// YAML returns the configuration with every key, as a file that Parse reads to an equal Config.
func (c *Config) YAML() []byte {
	var b strings.Builder
	c.whole().writeYAML(&b, "")
	return []byte(b.String())
}

// MarshalJSON returns the configuration as one JSON object with the keys of the file: rates and
// sizes as numbers, all else as in YAML. As YAML it is a file that Parse reads to an equal Config.
func (c *Config) MarshalJSON() ([]byte, error) {
	var b strings.Builder
	c.whole().writeJSON(&b)
	return []byte(b.String()), nil
}

func (v value) writeJSON(b *strings.Builder) {
	switch {
	case v.mapping, v.list:
		brackets := "[]"
		if v.mapping {
			brackets = "{}"
		}
		b.WriteByte(brackets[0])
		for i, entry := range v.values {
			if i > 0 {
				b.WriteByte(',')
			}
			if v.mapping {
				b.WriteString(quoteJSON(v.keys[i]) + ":")
			}
			entry.writeJSON(b)
		}
		b.WriteByte(brackets[1])
	default:
		b.WriteString(v.json)
	}
}

// maxFlow is the length of a list of scalars that still goes on one line.
const maxFlow = 72

// writeYAML writes a mapping or list in block style, each line behind indent.
func (v value) writeYAML(b *strings.Builder, indent string) {
	for i, entry := range v.values {
		b.WriteString(indent)
		if v.mapping {
			b.WriteString(v.keys[i] + ":")
		} else {
			b.WriteString("-")
		}
		text, oneLine := entry.line()
		switch {
		case oneLine:
			b.WriteString(" " + text + "\n")
		case v.list:
			var inner strings.Builder
			entry.writeYAML(&inner, indent+"  ")
			b.WriteString(" " + strings.TrimPrefix(inner.String(), indent+"  "))
		default:
			b.WriteString("\n")
			entry.writeYAML(b, indent+"  ")
		}
	}
}

// line returns v as it stands on one line, and false if it takes several.
func (v value) line() (string, bool) {
	switch {
	case len(v.values) == 0 && v.mapping:
		return "{}", true
	case v.mapping:
		return "", false
	case !v.list:
		return v.yaml, true
	}
	texts := make([]string, len(v.values))
	length := 0
	for i, entry := range v.values {
		if entry.list || entry.mapping {
			return "", false
		}
		texts[i] = entry.yaml
		length += len(texts[i]) + len(", ")
	}
	if length > maxFlow && len(texts) > 1 {
		return "", false
	}
	return "[" + strings.Join(texts, ", ") + "]", true
}
