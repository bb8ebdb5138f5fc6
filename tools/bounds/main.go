// Command bounds counts the bounds checks that the compiler leaves in the packet path, per file,
// and fails where one has more than table.txt allows: a check costs little, but each says that the
// compiler does not know what the author thinks he knows. With -w it writes the table anew.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// packages are those that handle packets and records.
var packages = []string{
	"./decode", "./decode/netflow", "./decode/sflow", "./ring/xsk", "./counters",
	"./counters/prefix", "./fastpath",
}

const tablePath = "tools/bounds/table.txt"

func main() {
	write := flag.Bool("w", false, "write the table anew")
	flag.Parse()
	if err := run(*write, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bounds:", err)
		os.Exit(1)
	}
}

func run(write bool, out io.Writer) error {
	found, err := compile()
	if err != nil {
		return err
	}
	if write {
		return os.WriteFile(tablePath, format(found), 0o644)
	}
	text, err := os.ReadFile(tablePath)
	if err != nil {
		return err
	}
	version, allowed, err := parse(text)
	if err != nil {
		return fmt.Errorf("%s: %w", tablePath, err)
	}
	if version != release(runtime.Version()) {
		fmt.Fprintf(out, "bounds: %s is of %s, this is %s: not compared\n", tablePath, version,
			runtime.Version())
		return nil
	}
	return compare(found, allowed, out)
}

// compile returns the number of bounds checks by file.
func compile() (map[string]int, error) {
	args := append([]string{"build", "-gcflags=-d=ssa/check_bce/debug=1"}, packages...)
	command := exec.Command("go", args...)
	command.Env = append(os.Environ(), "GOARCH=amd64", "GOOS=linux", "GOAMD64=v1")
	text, err := command.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("build: %w\n%s", err, text)
	}
	return count(text), nil
}

// check is a line of the compiler about a file of ours: others' have an absolute path.
var check = regexp.MustCompile(
	`^(?:\./)?([a-z][a-z0-9_/]*\.go):\d+:\d+: Found Is(?:Slice)?InBounds$`)

// count returns the checks by file. One that was inlined in several places is one: what it stands
// for is written once.
func count(text []byte) map[string]int {
	seen, found := map[string]bool{}, map[string]int{}
	for line := range bytes.Lines(text) {
		m := check.FindStringSubmatch(strings.TrimSpace(string(line)))
		if m == nil || seen[m[0]] {
			continue
		}
		seen[m[0]] = true
		found[m[1]]++
	}
	return found
}

// release returns go1.26 of go1.26.8: patches do not change the compiler's mind.
func release(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

func format(found map[string]int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n", release(runtime.Version()))
	for _, file := range slices.Sorted(maps.Keys(found)) {
		fmt.Fprintf(&b, "%s %d\n", file, found[file])
	}
	return b.Bytes()
}

// parse reads what format wrote.
func parse(text []byte) (version string, allowed map[string]int, err error) {
	allowed = map[string]int{}
	n := 0
	for line := range strings.Lines(string(text)) {
		if n++; n == 1 {
			version = strings.TrimSpace(line)
			continue
		}
		file, number, _ := strings.Cut(strings.TrimSpace(line), " ")
		if allowed[file], err = strconv.Atoi(number); err != nil {
			return "", nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	return version, allowed, nil
}

func compare(found, allowed map[string]int, out io.Writer) error {
	more, sum := 0, 0
	for _, file := range slices.Sorted(maps.Keys(found)) {
		n, most := found[file], allowed[file]
		sum += n
		switch {
		case n > most:
			more++
			fmt.Fprintf(out, "%s: %d bounds checks, %d allowed\n", file, n, most)
		case n < most:
			fmt.Fprintf(out, "%s: %d bounds checks, fewer than %d: `go run ./tools/bounds -w`\n",
				file, n, most)
		}
	}
	if more > 0 {
		return fmt.Errorf("%d files have more bounds checks than before; see them with "+
			"go build -gcflags=-d=ssa/check_bce/debug=1, or allow them with -w", more)
	}
	fmt.Fprintf(out, "bounds: %d checks in the packet path, none new\n", sum)
	return nil
}
