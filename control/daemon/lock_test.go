package daemon

import (
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestLockState has the state directory's lock held by a process that inherited it, as a program
// does that a weir was starting when it was killed.
func TestLockState(t *testing.T) {
	hold := func(t *testing.T, dir, seconds string) {
		t.Helper()
		first, err := lockState(dir)
		if err != nil {
			t.Fatal(err)
		}
		heir := exec.Command("sleep", seconds)
		heir.Stdin = first.File
		if err := heir.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = heir.Process.Kill()
			_ = heir.Wait()
		})
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("let go soon", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "state")
		hold(t, dir, "0.3")
		second, err := lockState(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := second.Close(); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("kept", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "state")
		hold(t, dir, "60")
		if l, err := lockState(dir); !errors.Is(err, errSecond) {
			t.Fatalf("a second lock: %v, %v", l, err)
		}
	})
}
