package main

import (
	"bytes"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// checkTopLevel finds names in the module's folder that are neither the table's nor ignored.
func checkTopLevel(t *tree, r rules) (out []finding) {
	entries, err := os.ReadDir(t.root)
	if err != nil {
		return []finding{{".", 1, err.Error()}}
	}
	built := ignoredNames(filepath.Join(t.root, ".gitignore"))
	for _, e := range entries {
		name := e.Name()
		if name == ".git" || slices.Contains(r.topLevel, name) || matchAny(built, name) {
			continue
		}
		out = append(out, finding{name, 1, fmt.Sprintf(
			"%s is not a name of the top level, which is fixed", name)})
	}
	return out
}

// ignoredNames returns the patterns of a .gitignore that can fit a name beside it. A missing
// file ignores nothing.
func ignoredNames(gitignore string) (names []string) {
	content, err := os.ReadFile(gitignore)
	if err != nil {
		return nil
	}
	for line := range bytes.Lines(content) {
		name := strings.Trim(strings.TrimSpace(string(line)), "/")
		if _, err := path.Match(name, ""); err == nil && name != "" && name[0] != '#' {
			names = append(names, name)
		}
	}
	return names
}
