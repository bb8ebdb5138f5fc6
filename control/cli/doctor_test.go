package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/control/doctor"
)

// diagnose runs `weir doctor args...` and returns its exit status and what it wrote.
func diagnose(args ...string) (status int, out, errOut string) {
	var o, e bytes.Buffer
	status = Main(append([]string{"doctor"}, args...), &o, &e)
	return status, o.String(), e.String()
}

func TestDoctor_JSON(t *testing.T) {
	path := configFile(t, goodConfig)
	status, out, errOut := diagnose("-c", path, "-o", "json", "nosuch0")
	if errOut != "" {
		t.Error(errOut)
	}
	d := json.NewDecoder(strings.NewReader(out))
	d.DisallowUnknownFields()
	count := doctor.Summary{Type: "summary"}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	found := map[string]doctor.State{}
	for range lines[:len(lines)-1] {
		var c doctor.Check
		if err := d.Decode(&c); err != nil {
			t.Fatal(err)
		}
		if one := doctor.Summarize([]doctor.Check{c}); one == count {
			t.Errorf("%+v", c)
		}
		found[c.ID] = c.State
	}
	var s doctor.Summary
	if err := d.Decode(&s); err != nil {
		t.Fatal(err)
	}
	if s.OK+s.Warn+s.Fail+s.Skip != len(lines)-1 || found["config.file"] != doctor.OK ||
		found["nic.link"] != doctor.Fail {
		t.Errorf("%+v: %+v", s, found)
	}
	if status != exitFailed {
		t.Errorf("status %d, want %d: %+v", status, exitFailed, s)
	}
}

func TestDoctor_Table(t *testing.T) {
	bad := configFile(t, badConfig)
	for path, want := range map[string]string{
		bad:                              bad + ": 2 errors, the first: ",
		filepath.Join(t.TempDir(), "no"): "no such file",
	} {
		status, out, _ := diagnose("-c", path)
		if status != exitFailed || !strings.Contains(out, want) ||
			!strings.Contains(out, "weir config check -c "+path) {
			t.Errorf("status %d:\n%s", status, out)
		}
	}
}

func TestDoctor_Usage(t *testing.T) {
	for _, args := range [][]string{
		{"--dry-run"}, {"--undo", "x"}, {"-o", "xml"}, {"--nosuch"},
		{"lo", "lo"}, {"lo", "nosuch0", "lo"},
	} {
		if status, out, _ := diagnose(args...); status != exitUsage || out != "" {
			t.Errorf("%v: status %d, %s", args, status, out)
		}
	}
}

// TestDoctor_DryRun prints a script, and changes nothing.
func TestDoctor_DryRun(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	status, out, _ := diagnose("--fix", "--dry-run", "-c", configFile(t, goodConfig), "nosuch0")
	if status != exitOK || !strings.HasPrefix(out, "#!/bin/sh\n") {
		t.Errorf("status %d:\n%s", status, out)
	}
	for line := range strings.Lines(out) {
		if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "echo ") {
			t.Error(line)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

func TestPrintChecks(t *testing.T) {
	f := func(want int, states ...doctor.State) {
		t.Helper()
		var checks []doctor.Check
		for _, s := range states {
			checks = append(checks, doctor.Check{State: s})
		}
		for _, asJSON := range []bool{false, true} {
			var out bytes.Buffer
			got := exitOK
			if err := printChecks(&out, checks, asJSON); err != nil {
				got = err.(*exitError).status
			}
			if got != want {
				t.Errorf("%v: status %d, want %d", states, got, want)
			}
		}
	}
	f(exitOK)
	f(exitOK, doctor.OK, doctor.Skip)
	f(exitWarnings, doctor.OK, doctor.Warn, doctor.Skip)
	f(exitFailed, doctor.Warn, doctor.Fail)

	var out bytes.Buffer
	tableChecks(&out, []doctor.Check{
		{ID: "a.long-one", State: doctor.OK, Found: "found"},
		{
			ID: "b", Subject: "eth0", State: doctor.Warn, Found: "found", Wanted: "wanted",
			Why: strings.Repeat("why ", 20), Fix: "fix it",
		},
	}, doctor.Summary{OK: 1, Warn: 1})
	want := `ok    a.long-one        found
warn  b           eth0  found
      wanted  wanted
      why     why why why why why why why why why why why why why why why why why why why
              why
      fix     fix it
2 checks: 1 ok, 1 warning, 0 failed, 0 skipped
`
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestApplyFixes_Success changes the name of this process, and says how to take it back.
func TestApplyFixes_Success(t *testing.T) {
	before, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Skip("needs /proc: ", err)
	}
	undo := filepath.Join(t.TempDir(), "undo.sh")
	f := fixFlags{undo: &undo}
	setting := doctor.Setting{Path: "/proc/self/comm", Value: "changed"}
	var talk bytes.Buffer
	if err := f.apply(&talk, []doctor.Check{{Settings: []doctor.Setting{setting}}}); err != nil {
		t.Fatal(err)
	}
	if now, err := os.ReadFile("/proc/self/comm"); err != nil || string(now) != "changed\n" {
		t.Errorf("%s, %v", now, err)
	}
	back := setting
	back.Value = strings.TrimSpace(string(before))
	script, err := os.ReadFile(undo)
	if err != nil || !strings.Contains(string(script), "\n"+back.Command()+"\n") ||
		!strings.Contains(talk.String(), setting.Command()+"\n") {
		t.Errorf("%s, %s, %v", script, talk.String(), err)
	}
	if err := doctor.Apply("/", []doctor.Setting{back}); err != nil {
		t.Error(err)
	}
}

// TestApplyFixes_Failure changes nothing where it could not say how to take it back.
func TestApplyFixes_Failure(t *testing.T) {
	dir := t.TempDir()
	undo := filepath.Join(dir, "undo.sh")
	f := fixFlags{undo: &undo}
	var talk bytes.Buffer
	if err := f.apply(&talk, nil); err != nil || !strings.Contains(talk.String(), "nothing") {
		t.Error(err, talk.String())
	}
	if err := os.WriteFile(undo, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	setting := doctor.Setting{Path: "/proc/self/comm", Value: "changed"}
	if err := f.apply(&talk, []doctor.Check{{Settings: []doctor.Setting{setting}}}); err == nil {
		t.Error("wrote over a file")
	}
	if now, err := os.ReadFile("/proc/self/comm"); err != nil || string(now) == "changed\n" {
		t.Errorf("%s, %v", now, err)
	}
}
