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
		if name == "Busy" || name == "Fill" { // of one worker and second: nothing to add up
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

// fillStats gives every count a value of its own, from next on.
func fillStats(next uint64) (s counters.Stats) {
	v := reflect.ValueOf(&s).Elem()
	for i := range v.NumField() {
		cells := []reflect.Value{v.Field(i)}
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
	return s
}
