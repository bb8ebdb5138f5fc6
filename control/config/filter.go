package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"weir/fastpath"
	"weir/fastpath/filter"
)

// Filter says which traffic is not counted.
type Filter struct {
	Rules     string `yaml:"rules,omitempty" form:"path"` // file of rules; empty: none
	Lua       string `yaml:"lua,omitempty" form:"path"`   // script; empty: none
	LuaBudget int    `yaml:"lua_budget" range:"1,100"`    // percent of each worker's core
}

// Keys of the files that Filter names.
const (
	keyRules = "filter.rules"
	keyLua   = "filter.lua"
)

// Load reads the files that say what is not counted. The findings are all errors in both; those of
// a file that cannot be read have no place.
func (c *Filter) Load() (f fastpath.Filter, findings Findings) {
	var err error
	if c.Rules != "" {
		f.Rules, err = readRules(c.Rules)
		findings = append(findings, mistakes(keyRules, err)...)
	}
	if c.Lua != "" {
		f.Script, err = readScript(c.Lua)
		findings = append(findings, mistakes(keyLua, err)...)
		f.Budget = time.Duration(c.LuaBudget) * time.Second / 100
	}
	return f, findings
}

func readRules(path string) (*filter.Rules, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	rules, err := filter.ParseRules(in, path)
	return rules, errors.Join(err, in.Close())
}

func readScript(path string) (*filter.Script, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	source, err := io.ReadAll(io.LimitReader(in, filter.MaxScript+1))
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return filter.NewScript(source, path)
}

// mistakes returns the findings of an error about the file that key names.
func mistakes(key string, err error) (fs Findings) {
	var all filter.Mistakes
	switch {
	case err == nil:
	case !errors.As(err, &all):
		fs = Findings{{Severity: Error, Path: key, Message: err.Error()}}
	default:
		for _, m := range all {
			fs = append(fs, Finding{
				Severity: Error, File: m.File, Line: m.Line, Col: max(1, m.Col), Path: key,
				Message: visible([]rune(m.Reason.Error())),
			})
		}
	}
	return fs
}

// filter reads the files of the filter, and reports the errors in them.
func (k *checker) filter() {
	files := k.c.Filter
	if k.bad(keyRules) {
		files.Rules = ""
	}
	if k.bad(keyLua) {
		files.Lua = ""
	}
	_, findings := files.Load()
	for _, f := range findings {
		if f.Line == 0 {
			k.fail(f.Path, "", "%s", f.Message)
			continue
		}
		k.f.r.others = append(k.f.r.others, f)
	}
}
