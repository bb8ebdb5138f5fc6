package packaging

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestVariants has make say how it builds for newer CPUs.
func TestVariants(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("there is no make")
	}
	for _, level := range []string{"v2", "v3", "v4"} {
		cmd := exec.Command("make", "--no-print-directory", "-n", "GO=go", "VERSION=",
			"build-"+level)
		cmd.Dir, cmd.Env = "../..", []string{"PATH=" + os.Getenv("PATH")}
		out, err := cmd.CombinedOutput()
		want := "GOOS=linux GOARCH=amd64 GOAMD64=" + level + " go build -trimpath  -o " +
			"dist/weir-linux-amd64-" + level + " ."
		if err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("%v: %s, want %s", err, out, want)
		}
	}
}
