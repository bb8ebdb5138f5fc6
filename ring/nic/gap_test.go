package nic

import "testing"

func at(index int, began, received uint64) *Interface {
	return &Interface{Index: index, Began: began, Received: received}
}

func TestGap(t *testing.T) {
	var g Gap
	want := func(n uint64, exact bool) {
		t.Helper()
		if g.N() != n || g.Exact() != exact {
			t.Errorf("%d, exact: %v, want %d, %v: %+v", g.N(), g.Exact(), n, exact, g)
		}
	}
	g.Present(at(1, 0, 1000)) // from the start: nothing was lost
	g.Look(at(1, 0, 9000), 10)
	want(0, true)

	g.Absent(at(2, 0, 30)) // another, which has counted from zero
	want(30, false)
	g.Absent(at(2, 0, 40))
	want(40, false)
	g.Present(at(2, 0, 60)) // some of 20 may be ours
	want(40, false)
	g.Look(at(2, 0, 90), 45)
	want(45, false)
	g.Look(at(2, 0, 120), 80) // with frames on their way: it tells nothing
	want(45, false)
	g.Look(at(3, 0, 900), 0) // of yet another: nor does that
	want(45, false)
	g.Look(at(2, 0, 130), 82)
	want(48, false)
	g.Look(at(2, 0, 900), 10) // somebody else lost some: not more than can be
	want(60, true)

	g.Absent(at(2, 500, 700)) // it was away, and came back
	want(60+200, false)
	g.Absent(at(4, 0, 5)) // replaced by one to which nobody was attached either
	want(60+200+5, false)
	g.Present(at(4, 0, 5))
	want(60+200+5, true)

	g.Begin(at(4, 0, 100), 100) // let go of, at that count
	g.Absent(at(4, 0, 120))
	g.Present(at(4, 0, 130))
	want(60+200+5+20, false)
	g.Look(at(4, 0, 131), 9)
	want(60+200+5+22, false)
	g.Absent(at(4, 90, 80)) // a count that went back adds nothing
	want(60+200+5+22, false)
}
