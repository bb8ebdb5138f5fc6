package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// full is a device that takes some writes and then no more.
type full struct{ room int }

func (f *full) Write(b []byte) (int, error) {
	if f.room == 0 {
		return 0, errors.New("no space left on device")
	}
	f.room--
	return len(b), nil
}

// What does not get to standard output is an error of every command, whether it looks for one or
// not.
func TestOutput_Failure(t *testing.T) {
	f := func(line string, room int) {
		t.Helper()
		var talk bytes.Buffer
		status := Main(strings.Fields(line), &full{room}, &talk)
		if status != exitFailed || strings.Count(talk.String(), "weir: ") != 1 {
			t.Errorf("%s after %d writes: status %d, %q", line, room, status, &talk)
		}
	}
	for _, line := range []string{
		"blast --list", "blast --list -o json", "version", "version -o json", "help",
		"blast --help", "doctor --fix --dry-run", "doctor", "config init",
	} {
		f(line, 0)
	}
	f("blast --list", 3)
}

// A usage error says what is wrong with the command line, and no more.
func TestOutput_Success(t *testing.T) {
	var talk bytes.Buffer
	if status := Main([]string{"doctor", "--nosuch"}, &full{}, &talk); status != exitUsage ||
		strings.Contains(talk.String(), "no space") {
		t.Errorf("status %d, %q", status, &talk)
	}
}
