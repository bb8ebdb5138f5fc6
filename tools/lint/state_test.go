package main

import "testing"

func TestInit_Success(t *testing.T) {
	files{
		"decode/a.go":      "type t struct{}\n\nfunc (t) init() {}\n",
		"decode/a_test.go": "func initTables() {}\n",
	}.clean(t)
}

func TestInit_Failure(t *testing.T) {
	files{
		"decode/a.go":      "func init() {}\n",
		"decode/a_test.go": "func init() {}\n",
	}.dirty(t, "decode/a.go:3: init function", "decode/a_test.go:3: init function")
}

func TestPackageVars_Success(t *testing.T) {
	files{
		"decode/a.go": `
import (
	"errors"
	"sync"
	"sync/atomic"
)

var errShort = errors.New("short")

var names = [...]string{"a", "b"}

var lazy = sync.OnceValue(func() int {
	var n atomic.Int64
	return int(n.Load())
})

var handlers = []func(chan int, *sync.Mutex){nil}

type state struct {
	names []string
	mu    sync.Mutex
}

func (s *state) set(names []string) {
	names[0] = "a local of the same name"
	s.names = names
	errShort := errors.New("another")
	errShort = nil
	_ = errShort
}
`,
		"decode/b.go": `
func local() string {
	var names map[string]string
	names["x"] = "y"
	for names := range 3 {
		names++
	}
	return handlersOf(names)["x"]
}

func handlersOf(m map[string]string) map[string]string {
	delete(m, "x")
	return m
}
`,
		"decode/a_test.go": "var count int\n\nfunc bump() { count++ }\n",
		"decode/x_test.go": `package decode_test

import "os"

var names = []string{"one of the test's own"}

func set() {
	names[0] = ""
	os.Args = nil
}
`,
	}.clean(t)
}

func TestPackageVars_Failure(t *testing.T) {
	files{
		"decode/a.go": `
var a, b, c, d, e, f, g int

var m = map[string]int{}

func change() {
	a = 1
	b++
	c, _ = 1, 2
	d += 1
	for e = range 3 {
	}
	func() { f = 1 }()
	m["x"] = 1
	delete(m, "x")
	m := 1
	m = 2
}

var hook = func() { g = 1 }
`,
		"decode/b.go":      "func other() { hook = nil }\n",
		"decode/a_test.go": "func stub() { hook = nil }\n",
	}.dirty(t,
		"decode/a.go:9: changes the package variable a",
		"decode/a.go:10: changes the package variable b",
		"decode/a.go:11: changes the package variable c",
		"decode/a.go:12: changes the package variable d",
		"decode/a.go:13: changes the package variable e",
		"decode/a.go:15: changes the package variable f",
		"decode/a.go:16: changes the package variable m",
		"decode/a.go:17: changes the package variable m",
		"decode/a.go:22: changes the package variable g",
		"decode/a_test.go:3: changes the package variable hook",
		"decode/b.go:3: changes the package variable hook")
}

// TestPackageVars_Parts holds that a part of a variable is the variable.
func TestPackageVars_Parts(t *testing.T) {
	files{"decode/a.go": `
var p = &struct{ n [4]int }{}

var s [4]int

func change() *int {
	p.n[1] = 1
	(*p).n[2]++
	clear(s[1:])
	copy(s[:], p.n[:])
	*change() = 1
	return nil
}
`}.dirty(t,
		"decode/a.go:9: changes the package variable p",
		"decode/a.go:10: changes the package variable p",
		"decode/a.go:11: changes the package variable s",
		"decode/a.go:12: changes the package variable s")
}

func TestStatefulVars_Failure(t *testing.T) {
	files{"decode/a.go": `
import (
	"sync"
	"sync/atomic"
)

var mu sync.Mutex

var pool = &sync.Pool{}

var count [4]atomic.Uint64

var done = make(chan struct{})
`}.dirty(t,
		"decode/a.go:9: package variable holds a sync.Mutex",
		"decode/a.go:11: package variable holds a sync.Pool",
		"decode/a.go:13: package variable holds a atomic.Uint64",
		"decode/a.go:15: package variable holds a channel")
}

func TestForeignVars(t *testing.T) {
	files{
		"control/rate/a.go": "// Default is one.\nvar Default = 1\n",
		"control/ban/a.go": `
import "net/http"

func f() {
	http.DefaultClient = nil
}
`,
		"control/ban/x_test.go": `package ban_test

import rates "weir/control/rate"

func f() {
	rates.Default = 2
	rates := struct{ Default int }{}
	rates.Default = 3
}
`,
	}.dirty(t,
		"control/ban/a.go:7: changes a variable of package net/http",
		"control/ban/x_test.go:6: changes a variable of package weir/control/rate")
}
