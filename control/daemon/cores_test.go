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
		for i, c := range configured {
			in[i].Core = c
		}
		chooseCores(in, allowed)
		var got []int
		for i := range in {
			got = append(got, in[i].Core)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%v of %v: %v; want %v", configured, allowed, got, want)
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

func TestSpin(t *testing.T) {
	f := func(cores, named []int, cpus int, want bool) {
		t.Helper()
		if got := spin(cores, named, cpus); (got == ownCoreSpin) != want || !want && got != 0 {
			t.Errorf("%v of %v on %d: %v", cores, named, cpus, got)
		}
	}
	f(nil, nil, 8, false) // on chosen cores, or none
	f([]int{1}, []int{1}, 2, false)
	f([]int{1}, []int{1}, 3, true)
	f([]int{2, 3}, []int{2, 3}, 4, true)
	f([]int{2, 3}, []int{2, 3}, 3, false)
	f([]int{0, 1}, []int{0, 1, 2, 3}, 4, false) // two interfaces take all
	f([]int{0, 1}, []int{0, 1, 2, 3}, 6, true)
	f([]int{1, 2}, []int{1, 2, 2}, 8, false) // a core that another interface uses too
	f([]int{5}, []int{5, 2, 2}, 8, true)
}
