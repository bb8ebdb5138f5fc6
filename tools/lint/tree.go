package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// finding is one broken rule; file is relative to the module's folder.
type finding struct {
	file string
	line int
	msg  string
}

func (f finding) String() string { return fmt.Sprintf("%s:%d: %s", f.file, f.line, f.msg) }

// tree is a module as its files are, whatever the platform they are for.
type tree struct {
	root   string
	module string // module path
	fset   *token.FileSet
	pkgs   []*pkg    // by folder, sorted
	broken []finding // files that do not parse, and are in no package
}

// pkg is the Go files of one folder, its tests included.
type pkg struct {
	dir   string // slash-separated, relative to the module's folder; "." is that folder
	files []*file
}

// file is one parsed Go file.
type file struct {
	name string // relative to the module's folder
	dir  string
	src  []byte
	ast  *ast.File
	test bool // its name ends in _test.go
}

// generated reports whether the file says that a program wrote it.
func (f *file) generated() bool { return ast.IsGenerated(f.ast) }

// imports returns the file's imports by the name that its code uses for them.
func (f *file) imports() map[string]string {
	m := make(map[string]string, len(f.ast.Imports))
	for _, spec := range f.ast.Imports {
		p := importPath(spec)
		if spec.Name != nil {
			m[spec.Name.Name] = p
			continue
		}
		name := path.Base(p)
		if isMajorVersion(name) {
			name = path.Base(path.Dir(p))
		}
		m[name] = p
	}
	return m
}

func importPath(spec *ast.ImportSpec) string {
	p, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		panic("BUG: the parser accepted import " + spec.Path.Value)
	}
	return p
}

// isMajorVersion reports whether a path element is v2, v3 and so on.
func isMajorVersion(elem string) bool {
	n, err := strconv.Atoi(strings.TrimPrefix(elem, "v"))
	return err == nil && n > 1 && elem[0] == 'v'
}

// load parses every Go file of the module in root. Folders that the go command ignores are left
// out; nested modules are not, for the rules hold in them too.
func load(root string) (*tree, error) {
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return nil, fmt.Errorf("read the module's go.mod: %w", err)
	}
	t := &tree{root: root, module: modulePath(mod), fset: token.NewFileSet()}
	if t.module == "" {
		return nil, fmt.Errorf("%s has no module line", filepath.Join(root, "go.mod"))
	}
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != root && ignoredFolder(d.Name()):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go"):
			return nil
		}
		return t.add(name)
	})
	if err != nil {
		return nil, fmt.Errorf("read the module in %s: %w", root, err)
	}
	slices.SortFunc(t.pkgs, func(a, b *pkg) int { return cmp.Compare(a.dir, b.dir) })
	return t, nil
}

func ignoredFolder(name string) bool {
	return name == "testdata" || name == "vendor" || name[0] == '.' || name[0] == '_'
}

func modulePath(gomod []byte) string {
	for line := range bytes.Lines(gomod) {
		if rest, ok := bytes.CutPrefix(line, []byte("module ")); ok {
			return string(bytes.TrimSpace(rest))
		}
	}
	return ""
}

// add parses one file into its package.
func (t *tree) add(name string) error {
	rel, err := filepath.Rel(t.root, name)
	if err != nil {
		return err
	}
	src, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // an editor's temporary file that went away meanwhile
	}
	if err != nil {
		return err
	}
	f := &file{name: filepath.ToSlash(rel), src: src, test: strings.HasSuffix(name, "_test.go")}
	f.dir = path.Dir(f.name)
	f.ast, err = parser.ParseFile(t.fset, f.name, src, parser.ParseComments)
	if err != nil {
		t.broken = append(t.broken, parseFinding(f.name, err))
		return nil
	}
	p := t.pkg(f.dir)
	if p == nil {
		p = &pkg{dir: f.dir}
		t.pkgs = append(t.pkgs, p)
	}
	p.files = append(p.files, f)
	return nil
}

func parseFinding(name string, err error) finding {
	var list scanner.ErrorList
	if errors.As(err, &list) {
		return finding{name, list[0].Pos.Line, list[0].Msg}
	}
	return finding{name, 1, err.Error()}
}

// pkg returns the package in dir, or nil.
func (t *tree) pkg(dir string) *pkg {
	i := slices.IndexFunc(t.pkgs, func(p *pkg) bool { return p.dir == dir })
	if i < 0 {
		return nil
	}
	return t.pkgs[i]
}

// inside returns the folder of an import path of this module, and false for any other.
func (t *tree) inside(importPath string) (dir string, ok bool) {
	if importPath == t.module {
		return ".", true
	}
	return strings.CutPrefix(importPath, t.module+"/")
}

func (t *tree) line(n ast.Node) int { return t.fset.Position(n.Pos()).Line }

// lint runs every check and returns what they find, in the order of files and lines.
func (t *tree) lint(r rules) []finding {
	all := slices.Clone(t.broken)
	for _, check := range []func(*tree, rules) []finding{
		checkTopLevel, checkRooms, checkImports, checkRoots, checkSizes, checkDocs, checkState,
	} {
		all = append(all, check(t, r)...)
	}
	slices.SortFunc(all, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.line, b.line),
			cmp.Compare(a.msg, b.msg))
	})
	return slices.Compact(all)
}
