package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// readBody reads a JSON object into a struct of strings, bools and ints, more strictly than
// encoding/json does: exactly the struct's fields, each once, in their own case and of their own
// type, and nothing after them.
func readBody(r *http.Request, into any) error {
	data, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	fields := fieldsOf(into)
	names := strings.Join(slices.Sorted(maps.Keys(fields)), ", ")
	switch {
	case errors.As(err, &large):
		return badRequest("the body has more than %d bytes", large.Limit)
	case err != nil:
		return badRequest("the body cannot be read: %s", clean(err.Error()))
	case !utf8.Valid(data):
		return badRequest("the body is not UTF-8")
	case !json.Valid(data) || bytes.TrimLeft(data, " \t\r\n")[0] != '{':
		return badRequest("the body is not one JSON object with the fields %s", names)
	}
	// It is valid: neither tokens nor values can fail, but as the wrong type.
	d := json.NewDecoder(bytes.NewReader(data))
	_, _ = d.Token()
	given := map[string]bool{}
	for d.More() {
		key, _ := d.Token()
		name, _ := key.(string)
		field, known := fields[name]
		switch {
		case !known:
			return badRequest("unknown field %q; there are %s", clean(name), names)
		case given[name]:
			return badRequest("field %q is given twice", name)
		}
		given[name] = true
		if err := readField(d, name, field); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !given[name] {
			return badRequest("field %q is missing", name)
		}
	}
	return nil
}

// fieldsOf returns a pointer to each field of a struct, by its name in JSON.
func fieldsOf(v any) map[string]any {
	s, out := reflect.ValueOf(v).Elem(), map[string]any{}
	for i := range s.NumField() {
		out[s.Type().Field(i).Tag.Get("json")] = s.Field(i).Addr().Interface()
	}
	return out
}

// readField reads the next value into a string, bool or int. null is none of them.
func readField(d *json.Decoder, name string, into any) error {
	kinds := map[reflect.Type]string{
		reflect.TypeFor[*string](): "a string", reflect.TypeFor[*bool](): "true or false",
		reflect.TypeFor[*int](): "a whole number",
	}
	var value json.RawMessage
	err := d.Decode(&value)
	if err == nil && string(value) != "null" {
		err = json.Unmarshal(value, into)
		if err == nil {
			return nil
		}
	}
	return badRequest("field %q is %s, not %s", name, clean(string(value)),
		kinds[reflect.TypeOf(into)])
}
