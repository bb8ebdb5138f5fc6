package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
	"unicode/utf8"
)

// checkSizes holds files, functions and lines to the limits. Generated files are as long as
// they are.
func checkSizes(t *tree, r rules) (out []finding) {
	used := make([]bool, len(r.exceptions))
	// allowed returns the limit for a file (function "") or a function of so many lines.
	allowed := func(f *file, function string, limit, lines int) int {
		for i, e := range r.exceptions {
			if e.file == f.name && e.function == function && lines > limit {
				used[i] = true
				return max(limit, e.lines)
			}
		}
		return limit
	}
	for _, p := range t.pkgs {
		for _, f := range p.files {
			if f.generated() {
				continue
			}
			out = append(out, f.fileSize(r.limits(f), allowed)...)
			out = append(out, t.functionSizes(f, r.limits(f), allowed)...)
			out = append(out, t.lineWidths(f, r.columns)...)
		}
	}
	for i, e := range r.exceptions {
		if !used[i] || e.why == "" {
			out = append(out, finding{e.file, 1, fmt.Sprintf("the table's exception for %q is "+
				"not needed, or has no reason", e.file+" "+e.function)})
		}
	}
	return out
}

func (r *rules) limits(f *file) limits {
	if f.test {
		return r.tests
	}
	return r.code
}

type allowance func(f *file, function string, limit, lines int) int

func (f *file) fileSize(l limits, allowed allowance) []finding {
	lines := bytes.Count(f.src, []byte("\n"))
	limit := allowed(f, "", l.file, lines)
	if lines <= limit {
		return nil
	}
	return []finding{{f.name, limit + 1, fmt.Sprintf(
		"file has %d lines, more than %d: split it by noun", lines, limit)}}
}

func (t *tree) functionSizes(f *file, l limits, allowed allowance) (out []finding) {
	for _, decl := range f.ast.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		name := functionName(fn)
		lines := t.fset.Position(fn.End()).Line - t.line(fn.Type) + 1
		limit := allowed(f, name, l.function, lines)
		if lines > limit {
			out = append(out, finding{f.name, t.line(fn.Type), fmt.Sprintf(
				"%s has %d lines, more than %d", name, lines, limit)})
		}
	}
	return out
}

// functionName returns "Name", or "Type.Name" for a method.
func functionName(fn *ast.FuncDecl) string {
	if recv := receiver(fn); recv != "" {
		return recv + "." + fn.Name.Name
	}
	return fn.Name.Name
}

// receiver returns the name of the type that a method belongs to, or "" for a function.
func receiver(fn *ast.FuncDecl) string {
	if fn.Recv == nil || len(fn.Recv.List) == 0 {
		return ""
	}
	name := ""
	ast.Inspect(fn.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name // the first is the type, those after it are its parameters
		}
		return name == ""
	})
	return name
}

// lineWidths finds lines that are too wide. Directives cannot be broken, and the inner lines of
// a raw string are data.
func (t *tree) lineWidths(f *file, columns int) (out []finding) {
	data := t.rawStringLines(f)
	n := 0
	for line := range bytes.Lines(f.src) {
		n++
		line = bytes.TrimRight(line, "\r\n")
		width := utf8.RuneCount(line) + (tabWidth-1)*bytes.Count(line, []byte("\t"))
		if width <= columns || data[n] || bytes.HasPrefix(line, []byte("//go:")) {
			continue
		}
		out = append(out, finding{f.name, n, fmt.Sprintf(
			"line is %d columns wide, more than %d", width, columns)})
	}
	return out
}

// rawStringLines returns the lines that a raw string of several lines fills, its first aside.
func (t *tree) rawStringLines(f *file) map[int]bool {
	lines := map[int]bool{}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		for l := t.line(lit) + 1; l <= t.fset.Position(lit.End()).Line; l++ {
			lines[l] = true
		}
		return true
	})
	return lines
}
