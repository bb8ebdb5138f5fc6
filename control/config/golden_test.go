package config

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// update rewrites the golden files with what is found.
func update() bool { return flag.Lookup("update").Value.(flag.Getter).Get().(bool) }

func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite the golden files")
	flag.Parse()
	os.Exit(m.Run())
}

// golden calls f with the name and content of each file of a folder of testdata and holds what it
// returns to the text file beside it. It returns the number of files.
func golden(t *testing.T, folder string, f func(*testing.T, string, []byte) string) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(strings.TrimSuffix(name, ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := f(t, name, data)
			compare(t, strings.TrimSuffix(file, ".yaml")+".txt", got)
		})
	}
	return len(files)
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	if update() {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

func TestBadFiles(t *testing.T) {
	n := golden(t, "bad", func(t *testing.T, name string, data []byte) string {
		c, findings := Parse(name, data)
		if c != nil || findings.Err() == nil {
			t.Errorf("the file is taken: %v", findings)
		}
		checkFindings(t, data, findings)
		return findings.Error() + "\n"
	})
	if n < 40 {
		t.Errorf("%d bad files, want 40 or more", n)
	}
}

// TestGoodFiles holds files to their warnings and to the effective configuration.
func TestGoodFiles(t *testing.T) {
	golden(t, "good", func(t *testing.T, name string, data []byte) string {
		c, findings := Parse(name, data)
		if c == nil {
			t.Fatalf("the file is refused: %v", findings)
		}
		if findings.Err() != nil {
			t.Errorf("a configuration and errors: %v", findings)
		}
		if warns := strings.HasPrefix(name, "warning-"); warns != (len(findings) > 0) {
			t.Errorf("findings: %v", findings)
		}
		checkFindings(t, data, findings)
		checkRoundTrip(t, c)
		return findings.Error() + "\n" + string(c.YAML())
	})
}
