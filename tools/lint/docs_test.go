package main

import "testing"

func TestPackageDoc_Success(t *testing.T) {
	files{
		"decode/doc.go":          "// Package decode is one.\npackage decode\n",
		"decode/b.go":            "package decode\n",
		"decode/b_test.go":       "package decode\n",
		"tools/x/main.go":        "// Command x is one.\npackage main\n",
		"control/ban/a_linux.go": "/*\nPackage ban is one.\n*/\npackage ban\n",
		"bench/only_test.go":     "// Package bench is one.\npackage bench\n",
	}.clean(t)
}

func TestPackageDoc_Failure(t *testing.T) {
	files{
		"control/ban/a.go":      "// A folder for bans.\npackage ban\n",
		"control/rate/a.go":     "// Package rate is set off.\n\npackage rate\n",
		"control/web/a.go":      "package web\n",
		"control/web/a_test.go": "// Package web is described in a test only.\npackage web\n",
		"decode/a.go":           "// Package decoder is misnamed.\npackage decode\n",
		"tools/x/main.go":       "// Package main is one.\npackage main\n",
	}.dirty(t,
		`control/ban/a.go:1: does not begin with "Package ban"`,
		"control/rate/a.go:3: package rate has no package comment",
		"control/web/a.go:1: package web has no package comment",
		`decode/a.go:1: does not begin with "Package decode"`,
		`tools/x/main.go:1: does not begin with "Command"`)
}

func TestExportedDocs_Success(t *testing.T) {
	files{"decode/a.go": `
// Get returns nothing.
func Get() {}

func private() {}

// T is a type.
type T struct{ Field int }

// String is documented.
func (t *T) String() string { return "" }

func (t *T) Error() string { return "" }

type hidden struct{}

func (hidden) Exported() {}

// The limits, in no order.
const (
	A = iota
	B // with a word of its own
)

const (
	// C is the first.
	C = iota
	d
)

// E is an error.
var E, f = 1, 2

type (
	// U is a type.
	U int
	v int
)
`,
		"decode/a_test.go": "func Helper() {}\n",
	}.clean(t)
}

func TestExportedDocs_Failure(t *testing.T) {
	files{"decode/a.go": `
func Get() {}

// Returns nothing.
func Put() {}

// Types are plural.
type Type struct{}

func (t *Type) Close() {}

const (
	A = iota // a trailing word
	// The second.
	B
)

//go:embed file
var E = 1

type (
	U int
)
`}.dirty(t,
		"decode/a.go:4: exported Get has no comment",
		"decode/a.go:6: comment of Put does not begin with its name",
		"decode/a.go:9: comment of Type does not begin with its name",
		"decode/a.go:12: exported Type.Close has no comment",
		"decode/a.go:15: exported A has no comment",
		"decode/a.go:16: comment of B does not begin with its name",
		"decode/a.go:21: exported E has no comment",
		"decode/a.go:24: exported U has no comment")
}
