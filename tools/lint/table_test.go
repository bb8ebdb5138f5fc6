package main

import (
	"slices"
	"strings"
	"testing"
)

func TestMatch_Success(t *testing.T) {
	f := func(pattern string, dirs ...string) {
		t.Helper()
		for _, dir := range dirs {
			if !match(pattern, dir) {
				t.Errorf("%s does not match %s", pattern, dir)
			}
		}
	}
	f("ring", "ring")
	f("ring/*", "ring/xsk", "ring/replay")
	f("ring/...", "ring", "ring/xsk", "ring/xsk/x")
	f("...", ".", "ring", "ring/xsk/x")
}

func TestMatch_Failure(t *testing.T) {
	f := func(pattern string, dirs ...string) {
		t.Helper()
		for _, dir := range dirs {
			if match(pattern, dir) {
				t.Errorf("%s matches %s", pattern, dir)
			}
		}
	}
	f("ring", ".", "rings", "ring/xsk")
	f("ring/*", "ring", "ring/xsk/x", "rings/xsk")
	f("ring/...", "rings", "ringtest/x", "decode")
}

// TestHouse_Rooms holds the table to itself: a name that no row has is a slip of the pen.
func TestHouse_Rooms(t *testing.T) {
	r := house()
	known := func(pattern string) bool {
		if pattern == "..." {
			return true
		}
		dir := strings.TrimSuffix(strings.TrimSuffix(pattern, "/..."), "/*")
		return slices.ContainsFunc(r.rooms, func(room room) bool {
			return match(room.dir, dir) || strings.HasPrefix(room.dir, dir+"/")
		})
	}
	for _, room := range r.rooms {
		for _, use := range room.uses {
			if !known(use) {
				t.Errorf("room %s may import %s, which has no room", room.dir, use)
			}
		}
	}
	for _, list := range [][]string{
		r.dataPlane, r.control, r.vocabulary, r.assemblers, r.faces, r.adapters, r.workshop,
		{r.workshopDoor},
	} {
		for _, pattern := range list {
			if !known(pattern) {
				t.Errorf("the table names %s, which has no room", pattern)
			}
		}
	}
	for _, fence := range r.fences {
		for _, dir := range fence.dirs {
			if !known(dir) {
				t.Errorf("the fence of %s names %s, which has no room", fence.path, dir)
			}
		}
	}
}

// TestHouse_RowOrder finds rows that an earlier, wider row hides.
func TestHouse_RowOrder(t *testing.T) {
	r := house()
	for i := range r.rooms {
		if first := r.roomOf(r.rooms[i].dir); first != &r.rooms[i] {
			t.Errorf("row %s is hidden by row %s", r.rooms[i].dir, first.dir)
		}
	}
}

func TestTopLevel_Success(t *testing.T) {
	files{
		".gitignore":    "# built\n/weir\n/dist/\n*.test\n\n",
		".git/HEAD":     "",
		"weir":          "",
		"dist/weir":     "",
		"x.test":        "",
		"Makefile":      "",
		".golangci.yml": "",
		".ci/run":       "",
	}.clean(t)
}

func TestTopLevel_Failure(t *testing.T) {
	files{
		".gitignore":     "/weir\n",
		"docs/README.md": "",
		"Dockerfile":     "",
		"x.test":         "",
	}.dirty(t,
		"Dockerfile:1: is not a name of the top level",
		"docs:1: is not a name of the top level",
		"x.test:1: is not a name of the top level")
}
