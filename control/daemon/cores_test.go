package daemon

import (
	"slices"
	"testing"

	"weir/control"
)

func TestChooseCores(t *testing.T) {
	f := func(configured, allowed, want []int) {
		t.Helper()
		in := make([]control.Input, len(configured))
		m := &mirror{cores: slices.Clone(configured)}
		for i, c := range configured {
			in[i].Core = c
		}
		chooseCores([]*mirror{m}, in, allowed)
		var got []int
		for i := range in {
			got = append(got, in[i].Core)
		}
		if !slices.Equal(got, want) || !slices.Equal(m.cores, want) {
			t.Errorf("%v of %v: %v, mirror %v; want %v", configured, allowed, got, m.cores, want)
		}
	}
	eight := []int{0, 1, 2, 3, 4, 5, 6, 7}
	f([]int{-1, -1}, eight, []int{6, 7})
	f([]int{2, 3}, eight, []int{2, 3})
	f([]int{7, -1, -1}, eight, []int{7, 5, 6})
	f([]int{-1, -1, -1, -1, -1, -1}, eight, []int{2, 3, 4, 5, 6, 7})
	f([]int{-1, -1, -1, -1, -1, -1, -1}, eight, []int{-1, -1, -1, -1, -1, -1, -1})
	f([]int{-1}, []int{0, 1}, []int{-1})
	f([]int{-1}, nil, []int{-1})
}
