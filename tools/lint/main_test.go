package main

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// files are a small module: path → content. A Go file without a package clause gets one, and a
// package comment, from its folder.
type files map[string]string

// write makes a module named weir of these files and returns its folder.
func (fs files) write(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	put := func(name, content string) {
		full := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("go.mod", "module weir\n\ngo 1.26.0\n")
	for name, content := range fs {
		if strings.HasSuffix(name, ".go") && !strings.Contains("\n"+content, "\npackage ") {
			pkg := path.Base(path.Dir(name))
			content = "// Package " + pkg + " is one.\npackage " + pkg + "\n" + content
		}
		put(name, content)
	}
	return root
}

// lint returns the findings for the module by the table r.
func (fs files) lint(t *testing.T, r rules) []finding {
	t.Helper()
	tree, err := load(fs.write(t))
	if err != nil {
		t.Fatal(err)
	}
	return tree.lint(r)
}

// testHouse is the real table without the exceptions, which name files that fixtures lack.
func testHouse() rules {
	r := house()
	r.exceptions = nil
	return r
}

// clean demands that the module has no finding.
func (fs files) clean(t *testing.T) {
	t.Helper()
	if got := fs.lint(t, testHouse()); len(got) > 0 {
		t.Errorf("%v: want no finding, got %v", slices.Sorted(maps.Keys(fs)), got)
	}
}

// dirty demands these findings, no more and no fewer, each as "file:line: part of the message".
func (fs files) dirty(t *testing.T, want ...string) {
	t.Helper()
	fs.dirtyBy(t, testHouse(), want...)
}

func (fs files) dirtyBy(t *testing.T, r rules, want ...string) {
	t.Helper()
	got := fs.lint(t, r)
	if len(got) != len(want) {
		t.Errorf("want %d findings, got %v", len(want), got)
		return
	}
	for i, w := range want {
		place, part, _ := strings.Cut(w, ": ")
		if s := got[i].String(); !strings.HasPrefix(s, place+": ") || !strings.Contains(s, part) {
			t.Errorf("want %q, got %q", w, s)
		}
	}
}

func TestRun(t *testing.T) {
	f := func(root string, wantStatus int, wantOut, wantErr string) {
		t.Helper()
		var out, errOut strings.Builder
		status := run(root, testHouse(), &out, &errOut)
		if status != wantStatus || out.String() != wantOut ||
			!strings.Contains(errOut.String(), wantErr) {
			t.Errorf("status %d, out %q, err %q", status, out.String(), errOut.String())
		}
	}
	f(files{"decode/a.go": ""}.write(t), 0, "", "")
	f(files{"decode/a.go": "func init() {}\n"}.write(t), 1, "decode/a.go:3: init function: what "+
		"must happen first is called by who needs it\n", "lint: 1 findings")
	f(t.TempDir(), 2, "", "go.mod")
}

func TestLoad_Success(t *testing.T) {
	root := files{
		"decode/a.go":             "",
		"decode/a_test.go":        "package decode_test\n",
		"decode/pcap/a_plan9.go":  "",
		"decode/testdata/bad.go":  "package (",
		"decode/_old/bad.go":      "package (",
		".cache/bad.go":           "package (",
		"bench/peers/go.mod":      "module weir/bench/peers\n",
		"bench/peers/peers.go":    "",
		"tools/lint/linters/x.md": "",
	}.write(t)
	tree, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range tree.pkgs {
		got = append(got, p.dir)
	}
	want := []string{"bench/peers", "decode", "decode/pcap"}
	if !slices.Equal(got, want) || len(tree.broken) > 0 || tree.module != "weir" {
		t.Errorf("packages %v of %q, broken %v", got, tree.module, tree.broken)
	}
}

func TestLoad_Failure(t *testing.T) {
	files{"decode/a.go": "package decode\n\nfunc {\n"}.dirty(t, "decode/a.go:3: expected 'IDENT'")

	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "go.mod"), []byte("go 1.26\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := load(root); err == nil || !strings.Contains(err.Error(), "no module line") {
		t.Errorf("go.mod without a module line: %v", err)
	}
}
