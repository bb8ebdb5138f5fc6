package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// filtered writes a configuration and the files of its filter, and returns its path.
func filtered(t *testing.T, rules, lua string) (path, dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{
		"weir.yaml": "version: 1\nnetworks: [10.0.0.0/16]\nfilter:\n  rules: " + dir +
			"/ours.rules\n  lua: " + dir + "/flows.lua\n",
		"ours.rules": rules, "flows.lua": lua,
	} {
		if text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "weir.yaml"), dir
}

const keepAll = "function process_netflow(agent, flow) return true end\n"

// TestLoadAll has every error of both files told where it is; who only wants to know where things
// lie is not kept from it by them.
func TestLoadAll(t *testing.T) {
	f := func(rules, lua string, want ...string) {
		t.Helper()
		path, dir := filtered(t, rules, lua)
		c, findings, err := LoadAll(path)
		if (c == nil) != (len(want) > 0) || (err != nil) != (len(want) > 0) ||
			len(findings) != len(want) {
			t.Fatalf("%v, %v", findings, err)
		}
		for i, text := range want {
			got := strings.ReplaceAll(findings[i].String(), dir+"/", "")
			if !strings.HasPrefix(got, text) {
				t.Errorf("%s, want %s", got, text)
			}
		}
		if c, _, err := Load(path); c == nil || err != nil {
			t.Errorf("Load: %v", err)
		}
	}
	f("{\"ttls\":[1]}\n", keepAll)
	f("{\"ttl\":[1]}\n\n{\"vlans\":[9999]}\n", "\nx = = 1\n",
		"ours.rules:1:1: filter.rules: ttl: no such key",
		"ours.rules:3:1: filter.rules: vlans: ",
		"flows.lua:2:5: filter.lua: syntax error near \"=\"")
	f("{\"ttls\":[1]}\n", "x = 1\n\ny.z = 2\n", "flows.lua:3:1: filter.lua: attempt to index")
	f("{\"a\\u001b[2J\":1}\n", keepAll, "ours.rules:1:1: filter.rules: a\ufffd[2J: no such key")
	f("", "", "weir.yaml:4:10: filter.rules: open ours.rules: no such file",
		"weir.yaml:5:8: filter.lua: open flows.lua: no such file")
}

// TestLoadFilter has no place for a file that is not there.
func TestLoadFilter(t *testing.T) {
	c := Filter{Rules: "/nonexistent/rules", LuaBudget: 20}
	_, findings := c.Load()
	want := "filter.rules: open /nonexistent/rules: no such file or directory"
	if got := findings.Error(); got != want {
		t.Errorf("%q, want %q", got, want)
	}
	path, dir := filtered(t, "{\"ttls\":[1]}\n", keepAll)
	_, _, _ = LoadAll(path)
	c = Filter{Rules: dir + "/ours.rules", Lua: dir + "/flows.lua", LuaBudget: 20}
	if f, findings := c.Load(); len(findings) > 0 || f.Rules.Len() != 1 || f.Script == nil ||
		f.Budget.Milliseconds() != 200 {
		t.Errorf("%+v, %v", f, findings)
	}
}
