package main

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkDocs demands a comment for every package, and for every exported name one that begins
// with it.
func checkDocs(t *tree, _ rules) (out []finding) {
	for _, p := range t.pkgs {
		out = append(out, t.packageDoc(p)...)
		for _, f := range p.files {
			if f.test || f.generated() {
				continue
			}
			for _, decl := range f.ast.Decls {
				switch d := decl.(type) {
				case *ast.FuncDecl:
					out = append(out, t.functionDoc(f, d)...)
				case *ast.GenDecl:
					out = append(out, t.groupDoc(f, d)...)
				}
			}
		}
	}
	return out
}

// packageDoc demands one good package comment in each folder. Tests do not count, unless the
// folder holds nothing else.
func (t *tree) packageDoc(p *pkg) []finding {
	files := slices.DeleteFunc(slices.Clone(p.files), func(f *file) bool { return f.test })
	if len(files) == 0 {
		files = p.files
	}
	for _, f := range files {
		if f.ast.Doc == nil {
			continue
		}
		want := "Package " + f.ast.Name.Name
		if f.ast.Name.Name == "main" {
			want = "Command"
		}
		if !beginsWith(f.ast.Doc.Text(), want) {
			return []finding{{f.name, t.line(f.ast.Doc), fmt.Sprintf(
				"package comment does not begin with %q", want)}}
		}
		return nil
	}
	return []finding{{files[0].name, t.fset.Position(files[0].ast.Package).Line, fmt.Sprintf(
		"package %s has no package comment", files[0].ast.Name.Name)}}
}

// fixedMeaning are methods that mean the same on every type, by the standard library's word.
var fixedMeaning = []string{"Error", "Unwrap", "Is", "As", "Len", "Less", "Swap"}

func (t *tree) functionDoc(f *file, fn *ast.FuncDecl) []finding {
	recv := receiver(fn)
	if !fn.Name.IsExported() || recv != "" &&
		(!ast.IsExported(recv) || slices.Contains(fixedMeaning, fn.Name.Name)) {
		return nil
	}
	return t.nameDoc(f, fn.Doc, fn.Name, functionName(fn))
}

// groupDoc checks types, constants and variables. The comment of a parenthesised group of values
// may speak for all of them.
func (t *tree) groupDoc(f *file, d *ast.GenDecl) (out []finding) {
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			doc := s.Doc
			if !d.Lparen.IsValid() {
				doc = d.Doc
			}
			if s.Name.IsExported() {
				out = append(out, t.nameDoc(f, doc, s.Name, s.Name.Name)...)
			}
		case *ast.ValueSpec:
			out = append(out, t.valueDoc(f, d, s)...)
		}
	}
	return out
}

func (t *tree) valueDoc(f *file, d *ast.GenDecl, s *ast.ValueSpec) []finding {
	i := slices.IndexFunc(s.Names, (*ast.Ident).IsExported)
	switch {
	case i < 0 || d.Lparen.IsValid() && d.Doc != nil:
		return nil
	case d.Lparen.IsValid():
		return t.nameDoc(f, s.Doc, s.Names[i], s.Names[i].Name)
	default:
		return t.nameDoc(f, d.Doc, s.Names[i], s.Names[i].Name)
	}
}

func (t *tree) nameDoc(f *file, doc *ast.CommentGroup, id *ast.Ident, name string) []finding {
	if doc == nil || strings.TrimSpace(doc.Text()) == "" {
		return []finding{{f.name, t.line(id), fmt.Sprintf("exported %s has no comment", name)}}
	}
	if !beginsWith(doc.Text(), id.Name) {
		return []finding{{f.name, t.line(doc), fmt.Sprintf(
			"comment of %s does not begin with its name", name)}}
	}
	return nil
}

// beginsWith reports whether a comment begins with these words, whole.
func beginsWith(text, words string) bool {
	rest, ok := strings.CutPrefix(text, words)
	next, _ := utf8.DecodeRuneInString(rest)
	return ok && !unicode.IsLetter(next) && !unicode.IsDigit(next) && next != '_'
}
