package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"weir/control/config"
)

// What a kill file says, on a line of its own.
const (
	killFreeze   = "freeze"   // nothing new
	killWithdraw = "withdraw" // nothing at all
)

const (
	killName      = "kill" // in the state directory
	killMode      = 0o640
	defaultConfig = config.DefaultPath
)

// load reads the configuration; nil where none is named and there is none.
func (b *brake) load() (*config.Config, error) {
	path := *b.config
	if path == "" {
		path = defaultConfig
	}
	c, findings, err := config.Load(path)
	switch {
	case *b.config == "" && errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil && len(findings) > 0:
		return nil, fmt.Errorf("%s has errors, try: weir config check %s", path, path)
	}
	return c, err
}

// place has the socket be that of the configuration, where one is named and no socket is.
func (b *brake) place(cmd *cobra.Command) error {
	if *b.config == "" || cmd.Flags().Changed("socket") {
		return nil
	}
	c, err := b.load()
	if err == nil {
		*b.socket = c.API.Socket
	}
	return err
}

// killPath returns where a daemon looks for the kill file. A configuration that cannot be read may
// name any place: a file at the wrong one would only look like safety.
func (b *brake) killPath() (string, error) {
	c, err := b.load()
	if err != nil {
		return "", err
	}
	if c == nil {
		standard := config.Default()
		c = &standard
	}
	return filepath.Join(c.StateDir, killName), nil
}

// writeKillFile has a kill file at path say want, or more, and returns what it says. It is never
// seen half written, and follows no symbolic link.
func writeKillFile(path, want string) (content string, err error) {
	temporary, err := newKillFile(filepath.Dir(path), want+"\n")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.Remove(temporary) }() // unless it has become the kill file
	if want == killWithdraw {
		err = os.Rename(temporary, path)
	} else if err = os.Link(temporary, path); errors.Is(err, fs.ErrExist) {
		return readKillFile(path) // which is no less than a freeze
	}
	if err != nil {
		return "", err
	}
	return want, syncFolder(filepath.Dir(path))
}

// newKillFile makes a file beside the kill file that only has to be renamed. Its group is the
// folder's: root may write it, and a daemon that is not root has to read it.
func newKillFile(dir, content string) (path string, err error) {
	f, err := os.CreateTemp(dir, "."+killName+"-*") // O_EXCL: it follows no link
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(dir); err == nil {
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			_ = f.Chown(-1, int(s.Gid)) // that it is there can be seen in any case
		}
	}
	_, err = f.WriteString(content)
	if err = errors.Join(err, f.Chmod(killMode), f.Sync(), f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// readKillFile returns what the kill file says.
func readKillFile(path string) (string, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", errors.Join(err, fmt.Errorf("%s is there, and is no file", path))
	}
	data, err := io.ReadAll(io.LimitReader(f, 64))
	return strings.TrimSpace(string(data)), err
}

// removeKillFile reports whether there was one.
func removeKillFile(path string) (removed bool, err error) {
	err = os.Remove(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
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
