package doctor

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"weir/control/host"
	"weir/control/host/hosttest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// show writes checks as the golden files have them.
func show(checks []Check) string {
	var b strings.Builder
	for i := range checks {
		c := &checks[i]
		fmt.Fprintf(&b, "%s %s [%s] %s\n", c.State, c.ID, c.Subject, c.Found)
		if c.Fix != "" {
			fmt.Fprintf(&b, "    fix %s\n", c.Fix)
		}
		for _, s := range c.Settings {
			fmt.Fprintf(&b, "    set %s %s\n", s.Path, s.Value)
		}
	}
	return b.String()
}

// TestExamine_Golden holds whole machines to what was read and found right.
func TestExamine_Golden(t *testing.T) {
	machine := machines(t)
	for _, name := range hosttest.Trees() {
		got := show(Examine(machine(name)))
		path := "testdata/" + name + ".golden"
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
		}
	}
}

// TestExamine_Nothing: nothing known, nothing said against it.
func TestExamine_Nothing(t *testing.T) {
	f := &Facts{Host: host.Read(t.TempDir()), NICs: []NIC{{}}}
	f.NICs[0].Up, f.NICs[0].Running, f.NICs[0].Name = true, true, "eth0"
	f.NICs[0].Missing = map[string]string{"xdp": "not told"}
	for _, c := range Examine(f) {
		if c.State == Warn || c.State == Fail {
			t.Errorf("%+v", c)
		}
	}
}

// TestExamine_Form: every check says what it is, and what to do unless it is well.
func TestExamine_Form(t *testing.T) {
	machine := machines(t)
	for _, name := range hosttest.Trees() {
		seen := map[string]bool{}
		checks := Examine(machine(name))
		for i := range checks {
			c := &checks[i]
			bad := c.State == Warn || c.State == Fail
			switch key := c.ID + " " + c.Subject; {
			case seen[key]:
				t.Errorf("%s: %s twice", name, key)
			case c.Type != "check", c.Title == "", c.Found == "", c.Doc != docs+anchor(c.ID):
				t.Errorf("%s: %+v", name, c)
			case bad && (c.Wanted == "" || c.Why == "" || c.Fix == ""):
				t.Errorf("%s: %s without wanted, why or fix", name, key)
			case !bad && (c.Fix != "" || len(c.Settings) > 0):
				t.Errorf("%s: %s is well, and has a fix", name, key)
			default:
				seen[key] = true
			}
		}
		s := Summarize(checks)
		if s.OK+s.Warn+s.Fail+s.Skip != len(checks) || s.Type != "summary" {
			t.Errorf("%s: %+v of %d", name, s, len(checks))
		}
	}
}

// TestREADME: every check is explained, and nothing else is.
func TestREADME(t *testing.T) {
	data, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var explained, ids []string
	heading := regexp.MustCompile(`(?m)^### (\S+)$`)
	for _, m := range heading.FindAllStringSubmatch(string(data), -1) {
		explained = append(explained, m[1])
	}
	machine := machines(t)
	for _, name := range hosttest.Trees() {
		for _, c := range Examine(machine(name)) {
			ids = append(ids, c.ID)
		}
	}
	slices.Sort(ids)
	slices.Sort(explained)
	if ids = slices.Compact(ids); !slices.Equal(ids, explained) {
		t.Errorf("checks\n%v\nexplained\n%v", ids, explained)
	}
}
