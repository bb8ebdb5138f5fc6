package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"weir/control/ban"
	"weir/control/detect"
	"weir/control/rate"
	"weir/decode"
)

// field is one key that a mapping can have, and where its value goes.
type field struct {
	name  string
	value reflect.Value
	tag   reflect.StructTag
	set   *bool // becomes true when the key is given; nil: nobody asks
}

// omitted reports whether a zero value is not written.
func (f field) omitted() bool {
	if f.set != nil {
		return !*f.set
	}
	return strings.HasSuffix(f.tag.Get("yaml"), ",omitempty") && f.value.IsZero()
}

// fieldsOf returns the keys of v in order, or nil if v, which must be addressable, is no mapping.
func fieldsOf(v reflect.Value) []field {
	switch p := v.Addr().Interface().(type) {
	case *detect.Thresholds:
		return thresholdFields(p)
	case *detect.Limits:
		return limitFields(p)
	case *Tunnels:
		return tunnelFields(p)
	}
	if v.Kind() != reflect.Struct || isScalar(v.Type()) {
		return nil
	}
	var fields []field
	for i := range v.NumField() {
		t := v.Type().Field(i)
		name, option, _ := strings.Cut(t.Tag.Get("yaml"), ",")
		if option == "inline" {
			fields = append(fields, fieldsOf(v.Field(i))...)
			continue
		}
		fields = append(fields, field{name, v.Field(i), t.Tag, nil})
	}
	return fields
}

func thresholdFields(t *detect.Thresholds) []field {
	var fields []field
	for d := range t {
		name := rate.Direction(d).String()
		fields = append(fields, field{name: name, value: reflect.ValueOf(&t[d]).Elem()})
	}
	return fields
}

func limitFields(l *detect.Limits) []field {
	var fields []field
	for m := range l.Value {
		value := reflect.ValueOf((*Rate)(&l.Value[m])).Elem()
		fields = append(fields, field{name: rate.Metric(m).String(), value: value, set: &l.Set[m]})
	}
	return fields
}

func tunnelFields(t *Tunnels) []field {
	var fields []field
	for i := range t {
		name := decode.Tunnel(i).String()
		fields = append(fields, field{name: name, value: reflect.ValueOf(&t[i]).Elem()})
	}
	return fields
}

// isScalar reports whether values of a struct type are written as one scalar.
func isScalar(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[netip.Prefix](), reflect.TypeFor[netip.Addr](),
		reflect.TypeFor[ban.Community]():
		return true
	}
	return false
}

// shape says in words what v takes, and gives an example.
func shape(v reflect.Value) string {
	switch {
	case v.Kind() == reflect.Slice:
		return "a list"
	case fieldsOf(v) != nil:
		return "a mapping"
	}
	switch v.Addr().Interface().(type) {
	case *bool:
		return "true or false"
	case *time.Duration:
		return "a duration"
	case *Rate:
		return "a rate"
	case *Size:
		return "a size"
	case *ban.Community:
		return "a community"
	case *netip.Prefix:
		return "a prefix"
	case *netip.Addr:
		return "an IP address"
	}
	if v.Kind() == reflect.String {
		return "text"
	}
	return "a whole number"
}

// whereIs returns the path of the first key with that name in the mapping v at path or in one
// below it, or "" if there is none.
func whereIs(name string, v reflect.Value, path string) string {
	for _, f := range fieldsOf(v) {
		at := join(path, f.name)
		if f.name == name {
			return at
		}
		if below := whereIs(name, f.value, at); below != "" {
			return below
		}
	}
	return ""
}

// join returns the path of a key in the mapping at path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// index returns the path of an entry of the list at path.
func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
