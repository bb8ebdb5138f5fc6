package rate

import (
	"reflect"
	"testing"

	"weir/counters"
)

// TestPipelineAdd adds two tables whose counts all differ: each field of the same name holds the
// sum, so that a count which is added to counters.Stats cannot be forgotten here.
func TestPipelineAdd(t *testing.T) {
	var p Pipeline
	a, b := fillStats(1), fillStats(1000)
	p.Add(&a)
	p.Add(&b)
	have, first, second := reflect.ValueOf(p), reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range first.NumField() {
		name := first.Type().Field(i).Name
		switch name {
		case "Busy", "Gap", "Fill": // of one worker and second: nothing to add up
			continue
		case "Exports": // TestExportsAdd
			continue
		}
		field := have.FieldByName(name)
		if !field.IsValid() {
			t.Errorf("Pipeline has no %s", name)
			continue
		}
		if field.Kind() == reflect.Uint64 {
			compareSum(t, name, field, first.Field(i), second.Field(i))
			continue
		}
		for k := range field.Len() {
			compareSum(t, name, field.Index(k), first.Field(i).Index(k), second.Field(i).Index(k))
		}
	}
	if p.Unmerged != 0 {
		t.Errorf("Unmerged is %d, but no table knows of it", p.Unmerged)
	}
}

func compareSum(t *testing.T, name string, got, a, b reflect.Value) {
	t.Helper()
	if want := a.Uint() + b.Uint(); got.Uint() != want {
		t.Errorf("%s is %d, want %d", name, got.Uint(), want)
	}
}

// TestExportsAdd does the same for Exports.
func TestExportsAdd(t *testing.T) {
	var e, before Exports
	a, b := fillStats(1), fillStats(1000)
	e.Add(&a)
	before = e
	e.Add(&b)
	since := e.Since(&before)
	for name, of := range map[string]func(*counters.Stats) reflect.Value{
		"Stats":   func(s *counters.Stats) reflect.Value { return reflect.ValueOf(*s) },
		"Exports": func(s *counters.Stats) reflect.Value { return reflect.ValueOf(s.Exports) },
	} {
		first, second := of(&a), of(&b)
		have, later := reflect.ValueOf(e), reflect.ValueOf(since)
		for i := range first.NumField() {
			field := first.Type().Field(i).Name
			if name == "Stats" && !have.FieldByName(field).IsValid() {
				continue // of frames alone
			}
			if field == "Exports" { // compared by itself
				continue
			}
			eachCount(second.Field(i), later.FieldByName(field), func(want, got uint64) {
				if want != got {
					t.Errorf("Since: %s is %d, want %d", field, got, want)
				}
			})
		}
	}
}

// eachCount calls f with the counts of two fields of like kind.
func eachCount(a, b reflect.Value, f func(x, y uint64)) {
	if a.Kind() == reflect.Uint64 {
		f(a.Uint(), b.Uint())
		return
	}
	for k := range a.Len() {
		f(a.Index(k).Uint(), b.Index(k).Uint())
	}
}

// fillStats gives every count a value of its own, from next on.
func fillStats(next uint64) (s counters.Stats) {
	next = fillCounts(reflect.ValueOf(&s).Elem(), next)
	fillCounts(reflect.ValueOf(&s.Exports).Elem(), next)
	return s
}

func fillCounts(v reflect.Value, next uint64) uint64 {
	for i := range v.NumField() {
		cells := []reflect.Value{v.Field(i)}
		if v.Field(i).Kind() == reflect.Struct {
			continue
		}
		if v.Field(i).Kind() == reflect.Array {
			cells = cells[:0]
			for k := range v.Field(i).Len() {
				cells = append(cells, v.Field(i).Index(k))
			}
		}
		for _, c := range cells {
			c.SetUint(next)
			next++
		}
	}
	return next
}
