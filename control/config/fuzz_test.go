package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// checkFindings holds findings to what every one of them promises.
func checkFindings(t *testing.T, data []byte, findings Findings) {
	t.Helper()
	lines := strings.Split(strings.TrimPrefix(string(data), utf8BOM), "\n")
	if len(findings) > maxFindings+1 {
		t.Errorf("%d findings", len(findings))
	}
	for i, f := range findings {
		if f.Line < 1 || f.Line > len(lines) || f.Col < 1 ||
			f.Col > utf8.RuneCountInString(lines[f.Line-1])+1 {
			t.Fatalf("%d:%d is outside the file: %s", f.Line, f.Col, f.Message)
		}
		if i > 0 && (f.Line < findings[i-1].Line ||
			f.Line == findings[i-1].Line && f.Col < findings[i-1].Col) {
			t.Errorf("%d:%d is not in order: %s", f.Line, f.Col, f.Message)
		}
		if f.Message == "" || strings.Contains(f.Message+f.Suggestion+f.Path, "\n") {
			t.Errorf("message %q, suggestion %q at %q", f.Message, f.Suggestion, f.Path)
		}
		checkExcerpt(t, f)
	}
}

// checkExcerpt holds an excerpt to two lines of bounded width, the caret below the place.
func checkExcerpt(t *testing.T, f Finding) {
	t.Helper()
	text, carets, _ := strings.Cut(f.Excerpt, "\n")
	first := strings.IndexByte(carets, '^')
	switch {
	case first < 0, strings.Contains(carets, "\n"), strings.Trim(carets, " |^") != "":
		t.Errorf("excerpt %q", f.Excerpt)
	case utf8.RuneCountInString(text) > maxExcerpt+len("0000000 | "):
		t.Errorf("excerpt of %d characters", utf8.RuneCountInString(text))
	case len(carets) > utf8.RuneCountInString(text)+1:
		t.Errorf("carets beyond the line: %q", f.Excerpt)
	}
}

// checkRoundTrip holds both printed forms of c to be read as c again.
func checkRoundTrip(t *testing.T, c *Config) {
	t.Helper()
	again, findings := Parse("again.yaml", c.YAML())
	if findings.Err() != nil || !reflect.DeepEqual(c, again) {
		t.Fatalf("YAML is read as\n%+v\nnot as\n%+v\nwith %v\nin\n%s", again, c, findings, c.YAML())
	}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	again, findings = Parse("again.json", asJSON)
	if findings.Err() != nil || !reflect.DeepEqual(c, again) {
		t.Fatalf("JSON is read as\n%+v\nnot as\n%+v\nwith %v\nin\n%s", again, c, findings, asJSON)
	}
}

// addSeeds gives a fuzz target all files of testdata and the reference.
func addSeeds(f *testing.F) {
	f.Helper()
	for _, folder := range []string{"bad", "good"} {
		files, err := filepath.Glob(filepath.Join("testdata", folder, "*.yaml"))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add([]byte(Reference()))
	f.Add([]byte(uncommented(Reference())))
}

func FuzzParse(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		begin := time.Now()
		c, findings := Parse("fuzz.yaml", data)
		if took := time.Since(begin); took > 20*time.Second {
			t.Errorf("%v for %d bytes", took, len(data))
		}
		checkFindings(t, data, findings)
		if (c == nil) != (findings.Err() != nil) {
			t.Fatalf("configuration %v with %v", c, findings)
		}
		if c == nil {
			return
		}
		checkRoundTrip(t, c)
		p := c.Policy()
		if len(p.Groups) != 1+len(c.Hostgroups) || len(p.Networks) == 0 {
			t.Errorf("policy %+v of %+v", p, c)
		}
	})
}
