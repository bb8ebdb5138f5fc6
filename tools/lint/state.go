package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"path"
	"slices"
)

// checkState finds init functions and mutable package variables. A package variable that
// nothing assigns is a table or a sentinel, whatever its type; one that holds a lock, an atomic
// or a channel is state without any assignment. What tests keep for themselves is their affair.
func checkState(t *tree, _ rules) (out []finding) {
	for _, p := range t.pkgs {
		for _, f := range p.files {
			vars := packageVars(p, f.ast.Name.Name)
			s := stateCheck{tree: t, file: f, vars: vars, imports: f.imports()}
			for _, decl := range f.ast.Decls {
				s.declaration(decl)
			}
			out = append(out, s.out...)
		}
	}
	return out
}

// variables are the package variables that the code of one package declares, by name.
type variables map[string]*ast.ValueSpec

// packageVars returns those of the package called name; the folder may hold an external test
// package beside it.
func packageVars(p *pkg, name string) variables {
	vars := variables{}
	for _, f := range p.files {
		if f.test || f.ast.Name.Name != name {
			continue
		}
		for _, decl := range f.ast.Decls {
			d, ok := decl.(*ast.GenDecl)
			if !ok || d.Tok != token.VAR {
				continue
			}
			for _, spec := range d.Specs {
				value := spec.(*ast.ValueSpec)
				for _, id := range value.Names {
					if id.Name != "_" { // an assertion about a type: nothing can change it
						vars[id.Name] = value
					}
				}
			}
		}
	}
	return vars
}

// stateCheck walks one file.
type stateCheck struct {
	*tree
	*file
	vars    variables
	imports map[string]string
	out     []finding
}

func (s *stateCheck) report(at ast.Node, format string, args ...any) {
	s.out = append(s.out, finding{s.name, s.line(at), fmt.Sprintf(format, args...)})
}

func (s *stateCheck) declaration(decl ast.Decl) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Name.Name == "init" && d.Recv == nil {
			s.report(d, "init function: what must happen first is called by who needs it")
		}
		ast.Inspect(d, s.assignments)
	case *ast.GenDecl:
		if d.Tok == token.VAR && !s.test {
			ast.Inspect(d, s.stateful)
		}
		ast.Inspect(d, s.assignments) // function literals
	}
}

// stateful reports types that exist to be changed. Functions inside the declaration have
// variables of their own.
func (s *stateCheck) stateful(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.FuncLit, *ast.FuncType:
		return false
	case *ast.ChanType:
		s.report(n, "package variable holds a channel: state lives in a struct")
	case *ast.SelectorExpr:
		from := s.imports[identName(n.X)]
		lazy := slices.Contains([]string{"OnceFunc", "OnceValue", "OnceValues"}, n.Sel.Name)
		if from == "sync/atomic" || from == "sync" && !lazy {
			s.report(n, "package variable holds a %s.%s: state lives in a struct",
				path.Base(from), n.Sel.Name)
		}
	}
	return true
}

// assignments reports statements that change a package variable of this package or another.
func (s *stateCheck) assignments(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			s.targets(n.Lhs...)
		}
	case *ast.IncDecStmt:
		s.targets(n.X)
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			s.targets(n.Key, n.Value)
		}
	case *ast.CallExpr:
		fn, ok := n.Fun.(*ast.Ident)
		if ok && fn.Obj == nil && len(n.Args) > 0 &&
			slices.Contains([]string{"clear", "copy", "delete"}, fn.Name) {
			s.targets(n.Args[0])
		}
	}
	return true
}

func (s *stateCheck) targets(exprs ...ast.Expr) {
	for _, expr := range exprs {
		id := rootIdent(expr)
		if id == nil {
			continue
		}
		if s.isPackageVar(id) {
			s.report(expr, "changes the package variable %s: state lives in a struct", id.Name)
			continue
		}
		from, imported := s.imports[id.Name]
		_, ours := s.inside(from)
		if imported && id.Name != "_" && id.Obj == nil && (ours || !s.test) {
			s.report(expr, "changes a variable of package %s", from)
		}
	}
}

// isPackageVar reports whether id is a variable that this package's code declares. The parser
// resolves what the same file declares, and leaves the package's other names without an object.
func (s *stateCheck) isPackageVar(id *ast.Ident) bool {
	spec, ok := s.vars[id.Name]
	return ok && (id.Obj == nil || id.Obj.Decl == spec)
}

// rootIdent returns x of x.f, x[i], *x, x[i:j] and the like, or nil.
func rootIdent(expr ast.Expr) *ast.Ident {
	for {
		switch e := expr.(type) {
		case *ast.Ident:
			return e
		case *ast.SelectorExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.SliceExpr:
			expr = e.X
		case *ast.StarExpr:
			expr = e.X
		case *ast.ParenExpr:
			expr = e.X
		default:
			return nil
		}
	}
}

func identName(expr ast.Expr) string {
	if id, ok := expr.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}
