// Package hosttest has the files of machines that tests of what weir makes of a machine's facts
// read: a small VM, a server with two sockets that is set up well, and one that is not.
package hosttest

import (
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

//go:embed trees
var trees embed.FS

// Trees returns the names of the machines.
func Trees() []string { return []string{"vm", "server", "broken"} }

// Unpack writes the files of a machine below a directory of the test's own, and returns that. Its
// file has a line "path = content" for each file of one line, where {a-b} in a path stands for each
// number from a to b, and a line "-- path --" before each longer one.
func Unpack(t testing.TB, name string) (root string) {
	t.Helper()
	data, err := trees.ReadFile("trees/" + name + ".tree")
	if err != nil {
		t.Fatal(err)
	}
	root = t.TempDir()
	head, rest, _ := strings.Cut(string(data), "\n-- ")
	for line := range strings.Lines(head) {
		path, content, ok := strings.Cut(strings.TrimSpace(line), " = ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		for _, p := range expand(t, path) {
			Put(t, root, p, content+"\n")
		}
	}
	for section := range strings.SplitSeq(rest, "\n-- ") {
		if path, content, ok := strings.Cut(section, " --\n"); ok {
			Put(t, root, path, strings.TrimSuffix(content, "\n")+"\n")
		}
	}
	return root
}

// expand returns the paths that one with {a-b} stands for.
func expand(t testing.TB, path string) (out []string) {
	t.Helper()
	before, rest, ok := strings.Cut(path, "{")
	if !ok {
		return []string{path}
	}
	span, after, _ := strings.Cut(rest, "}")
	low, high, _ := strings.Cut(span, "-")
	from, err1 := strconv.Atoi(low)
	to, err2 := strconv.Atoi(high)
	if err1 != nil || err2 != nil {
		t.Fatal("path", path)
	}
	for n := from; n <= to; n++ {
		out = append(out, expand(t, fmt.Sprint(before, n, after))...)
	}
	return out
}

// Put writes one file below root, in place of what is there.
func Put(t testing.TB, root, path, content string) {
	t.Helper()
	at := filepath.Join(root, path)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
