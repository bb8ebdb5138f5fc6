// Package brake is the kill file: a file in the state directory that keeps weir from announcing by
// being there. It works when nothing else does: a person can make it by hand, a command without a
// daemon, and who announces looks for it himself.
package brake

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Brake is what a kill file asks for.
type Brake uint8

// A file that says "freeze" stops new announcements; any other, an empty one too, takes back what
// stands as well.
const (
	Off Brake = iota
	Freeze
	Withdraw
)

// String returns "off", "freeze" or "withdraw"; the latter two are what a file says.
func (b Brake) String() string { return [...]string{"off", "freeze", "withdraw"}[b] }

const (
	name = "kill"
	mode = 0o644 // the speaker, which may be nobody, reads it too
)

// Path returns the path of the kill file of a state directory.
func Path(stateDir string) string { return filepath.Join(stateDir, name) }

// Read returns what the kill file asks for. One that is there and cannot be read asks for Withdraw;
// the error is that it cannot be seen whether there is one, and goes with Off.
func Read(path string) (Brake, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Off, nil
	}
	if err != nil {
		return Off, fmt.Errorf("look for the kill file: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return Withdraw, nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, 64))
	if err == nil && strings.TrimSpace(string(data)) == Freeze.String() {
		return Freeze, nil
	}
	return Withdraw, nil
}

// Write has the kill file ask for want, or more, and returns what it asks for. It is never seen
// half written, and follows no symbolic link.
func Write(path string, want Brake) (Brake, error) {
	b, err := write(path, want)
	if err != nil {
		err = fmt.Errorf("write the kill file: %w", err)
	}
	return b, err
}

func write(path string, want Brake) (Brake, error) {
	temporary, err := create(filepath.Dir(path), want.String()+"\n")
	if err != nil {
		return Off, err
	}
	defer func() { _ = os.Remove(temporary) }() // unless it has become the kill file
	if want == Withdraw {
		err = os.Rename(temporary, path)
	} else if err = os.Link(temporary, path); errors.Is(err, fs.ErrExist) {
		return Read(path) // no less than a freeze
	}
	if err != nil {
		return Off, err
	}
	return want, syncFolder(filepath.Dir(path))
}

// create makes a file beside the kill file that only has to be renamed.
func create(dir, content string) (path string, err error) {
	f, err := os.CreateTemp(dir, "."+name+"-*") // O_EXCL: it follows no link
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(content)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// Remove reports whether there was a kill file.
func Remove(path string) (removed bool, err error) {
	err = os.Remove(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("remove the kill file: %w", err)
	}
	return true, syncFolder(filepath.Dir(path))
}

// syncFolder has a folder's names survive a crash.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
