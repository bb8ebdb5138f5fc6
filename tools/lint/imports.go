package main

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strings"
)

// checkImports holds every import to the layers, the rooms and the fences.
func checkImports(t *tree, r rules) (out []finding) {
	for _, p := range t.pkgs {
		for _, f := range p.files {
			for _, spec := range f.ast.Imports {
				if msg := r.complain(t, f, importPath(spec)); msg != "" {
					out = append(out, finding{f.name, t.line(spec), msg})
				}
			}
		}
	}
	return out
}

// complain says which rule an import breaks, the most general first, or "".
func (r *rules) complain(t *tree, f *file, imported string) string {
	to, ok := t.inside(imported)
	if !ok {
		return r.complainFence(f, imported)
	}
	if to == f.dir { // an external test and its package
		return ""
	}
	if matchAny(r.dataPlane, f.dir) && matchAny(r.control, to) {
		return fmt.Sprintf("%s imports %s: the data plane builds and tests without the control "+
			"plane", f.dir, to)
	}
	if f.test { // the oracles and fixtures of a test come from anywhere
		return ""
	}
	for _, rule := range []func(from, to string) string{
		r.complainRoot, r.complainAdapter, r.complainWorkshop, r.complainRoom,
	} {
		if msg := rule(f.dir, to); msg != "" {
			return msg
		}
	}
	return ""
}

func (r *rules) complainRoot(from, to string) string {
	if slices.Contains(r.vocabulary, from) && strings.HasPrefix(to, from+"/") {
		return fmt.Sprintf("%s imports %s: %s is the vocabulary of its children, and knows none "+
			"of them", from, to, from)
	}
	if slices.Contains(r.assemblers, to) && strings.HasPrefix(from, to+"/") &&
		!slices.Contains(r.faces, from) {
		return fmt.Sprintf("%s imports %s: %s assembles its children, and none of them knows it",
			from, to, to)
	}
	return ""
}

func (r *rules) complainAdapter(from, to string) string {
	adapter := r.adapterOf(from)
	if adapter == "" {
		return ""
	}
	other := r.adapterOf(to)
	if (other == "" || other == adapter) && !matchAny(r.dataPlane, to) {
		return "" // its assembler is complainRoot's
	}
	return fmt.Sprintf("%s imports %s: an adapter knows no other, nor the data plane", from, to)
}

// adapterOf returns the folder of the adapter that dir belongs to, or "".
func (r *rules) adapterOf(dir string) string {
	for ; dir != "."; dir = path.Dir(dir) {
		if matchAny(r.adapters, dir) {
			return dir
		}
	}
	return ""
}

func (r *rules) complainWorkshop(from, to string) string {
	if !matchAny(r.workshop, to) || matchAny(r.workshop, from) || from == r.workshopDoor {
		return ""
	}
	return fmt.Sprintf("%s imports %s: only %s and tests import what is for measuring and "+
		"building", from, to, r.workshopDoor)
}

func (r *rules) complainRoom(from, to string) string {
	room := r.roomOf(from)
	if room == nil || matchAny(room.uses, to) {
		return "" // a folder without a room is a finding of its own
	}
	allowed := "nothing of this module"
	if len(room.uses) > 0 {
		allowed = strings.Join(room.uses, ", ")
	}
	return fmt.Sprintf("%s imports %s: it may import %s", from, to, allowed)
}

func (r *rules) roomOf(dir string) *room {
	i := slices.IndexFunc(r.rooms, func(room room) bool { return match(room.dir, dir) })
	if i < 0 {
		return nil
	}
	return &r.rooms[i]
}

func (r *rules) complainFence(f *file, imported string) string {
	for _, fence := range r.fences {
		if imported != fence.path && !strings.HasPrefix(imported, fence.path+"/") {
			continue
		}
		if fence.tests && f.test || matchAny(fence.dirs, f.dir) ||
			slices.Contains(fence.files, f.name) {
			return ""
		}
		where := strings.Join(slices.Concat(fence.dirs, fence.files), ", ")
		if fence.tests {
			where += " and tests"
		}
		return fmt.Sprintf("imports %s, which is fenced in %s", imported, where)
	}
	return ""
}

// checkRooms finds packages that the table does not know.
func checkRooms(t *tree, r rules) (out []finding) {
	for _, p := range t.pkgs {
		if r.roomOf(p.dir) == nil {
			out = append(out, finding{p.files[0].name, t.line(p.files[0].ast), fmt.Sprintf(
				"folder %s has no room in the table of tools/lint: add what it may import", p.dir)})
		}
	}
	return out
}

// checkRoots finds folders that the table leaves free to be vocabulary or assembler of their
// children, and that are both.
func checkRoots(t *tree, r rules) (out []finding) {
	for _, p := range t.pkgs {
		if slices.Contains(r.vocabulary, p.dir) || slices.Contains(r.assemblers, p.dir) {
			continue // held to one of the two by complainRoot
		}
		child := t.childThatImports(p.dir)
		if child == "" {
			continue
		}
		for _, f := range p.files {
			for _, spec := range f.ast.Imports {
				to, ok := t.inside(importPath(spec))
				if ok && !f.test && strings.HasPrefix(to, p.dir+"/") {
					out = append(out, finding{f.name, t.line(spec), fmt.Sprintf(
						"%s imports %s, and %s imports %s: a folder's root is either the "+
							"vocabulary of its children or their assembler",
						p.dir, to, child, p.dir)})
				}
			}
		}
	}
	return out
}

// childThatImports returns the first folder below dir whose code, not only its tests, imports
// dir, or "".
func (t *tree) childThatImports(dir string) string {
	for _, p := range t.pkgs {
		if !strings.HasPrefix(p.dir, dir+"/") {
			continue
		}
		for _, f := range p.files {
			if !f.test && slices.ContainsFunc(f.ast.Imports, func(spec *ast.ImportSpec) bool {
				to, ok := t.inside(importPath(spec))
				return ok && to == dir
			}) {
				return p.dir
			}
		}
	}
	return ""
}
