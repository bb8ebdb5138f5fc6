// Command lint holds the module to the rules of its house: who may import whom, which package
// alone may use a dangerous dependency, how large a file or function may grow, where state may
// live, and that everything exported is documented. All of it is one table, in table.go.
//
//	go run ./tools/lint [folder]
//
// It parses and never type-checks, so it needs no dependency and no build, and sees the files of
// every platform at once. Findings go to stdout as "file:line: message" and make the exit status
// 1; a folder that cannot be read makes it 2.
package main

import (
	"fmt"
	"io"
	"os"
)

func main() {
	root := "."
	if len(os.Args) > 1 {
		root = os.Args[1]
	}
	os.Exit(run(root, house(), os.Stdout, os.Stderr))
}

// run lints the module in root by the table r and returns the exit status.
func run(root string, r rules, out, errOut io.Writer) int {
	t, err := load(root)
	if err != nil {
		fmt.Fprintf(errOut, "lint: %v\n", err)
		return 2
	}
	findings := t.lint(r)
	for _, f := range findings {
		fmt.Fprintln(out, f)
	}
	if len(findings) > 0 {
		fmt.Fprintf(errOut, "lint: %d findings\n", len(findings))
		return 1
	}
	return 0
}
