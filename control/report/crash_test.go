//go:build unix

package report

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childDir tells a test binary that it is the child of one of the tests here.
const childDir = "WEIR_REPORT_CHILD"

// child returns a command that runs one test of this binary as a child.
func child(test, dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$")
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	return cmd
}

// A writer that is killed at any moment leaves incidents whole or not at all.
func TestWriterKilled(t *testing.T) {
	if dir := os.Getenv(childDir); dir != "" {
		w := &Writer{Dir: dir, MaxIncidents: 4}
		for n := 0; ; n++ {
			inc := withID(n % 7)
			if err := errors.Join(w.Write(inc, nil), w.Write(inc, evidence4())); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
		}
	}
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 1))
	found := 0
	for n := 0; n < 15 || found == 0 && n < 60; n++ { // a busy machine takes its time
		cmd := child("TestWriterKilled", dir)
		var out strings.Builder
		cmd.Stdout = &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(20+random.IntN(60)+10*max(0, n-15)) * time.Millisecond)
		if err := errors.Join(cmd.Process.Kill(), exitedBySignal(cmd.Wait())); err != nil {
			t.Fatalf("the child: %v: %s", err, out.String())
		}
		found += checkAfterCrash(t, dir)
	}
	if found == 0 {
		t.Error("no child came as far as an incident")
	}
	w := &Writer{Dir: dir, MaxIncidents: 4}
	if err := w.Write(withID(100), evidence4()); err != nil {
		t.Fatal(err)
	}
	for _, name := range names(t, dir) {
		if strings.HasPrefix(name, newDir) {
			t.Errorf("%s is still there", name)
		}
	}
}

// exitedBySignal returns nil if err says that a process ended by a signal.
func exitedBySignal(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == -1 {
		return nil
	}
	return fmt.Errorf("ended by itself: %w", err)
}

// checkAfterCrash checks every finished incident and returns their number. A file that was being
// renewed may lie beside them.
func checkAfterCrash(t *testing.T, dir string) int {
	t.Helper()
	found := 0
	for _, id := range names(t, dir) {
		if !isID(id) {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, id, EvidenceFile)); err != nil {
			continue // killed while it was removed
		}
		for _, name := range names(t, filepath.Join(dir, id)) {
			if strings.HasPrefix(name, newFile) {
				if err := os.Remove(filepath.Join(dir, id, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
		checkIncident(t, dir, id)
		found++
	}
	return found
}

// On a disk without room nothing half is left, and what was there stays.
func TestWriterNoRoom(t *testing.T) {
	if dir := os.Getenv(childDir); dir != "" {
		signal.Ignore(syscall.SIGXFSZ)
		var before syscall.Rlimit
		err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before)
		limit := before
		limit.Cur = 3000
		err = errors.Join(err, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
		if err != nil {
			t.Fatal(err)
		}
		w := &Writer{Dir: dir}
		for _, n := range []int{1, 2} {
			if err := w.Write(withID(n), evidence4()); !errors.Is(err, syscall.EFBIG) {
				t.Errorf("incident %d: got %v", n, err)
			}
		}
		// What the test binary itself has to write at its end may be longer.
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
			t.Fatal(err)
		}
		return
	}
	dir := t.TempDir()
	if err := (&Writer{Dir: dir}).Write(withID(1), nil); err != nil {
		t.Fatal(err)
	}
	if out, err := child("TestWriterNoRoom", dir).CombinedOutput(); err != nil {
		t.Fatalf("the child: %v: %s", err, out)
	}
	if n := checkIncident(t, dir, withID(1).ID); n != 0 {
		t.Errorf("%d packets: the evidence was replaced without the documents", n)
	}
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("left behind: %v", got)
	}
}
