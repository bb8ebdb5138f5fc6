package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// The names in the journal's directory.
const (
	fileName = "journal"
	tempName = "journal.new"
	badName  = "journal.bad-" // and a number
)

// maxFile is more than a file can become: twice the largest live set, and what is appended before
// the next look at its size.
const maxFile = 3 * MaxRoutes * MaxRecord

// disk is the directory as the journal uses it; names are those within it.
type disk interface {
	read(name string) (data []byte, err error) // data is valid even with an errRead
	create(name string) (file, error)          // anew
	rename(from, to string) error
	link(from, to string) error
	remove(name string) error
	list() ([]string, error)
	sync() error // what was created, renamed and linked
}

// file is an open one, written from its beginning.
type file interface {
	io.WriteCloser
	Sync() error
	Truncate(size int64) error // the next Write goes there
}

// errRead is about a file that could be opened, but not be read to its end.
var errRead = errors.New("cannot be read to its end")

// directory is a real disk, by its path.
type directory string

func (d directory) path(name string) string { return filepath.Join(string(d), name) }

func (d directory) read(name string) ([]byte, error) {
	info, err := os.Lstat(d.path(name)) // opening a pipe would wait for ever
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", d.path(name))
	}
	f, err := os.Open(d.path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("larger than %d bytes", maxFile)
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", errRead, err)
	}
	return data, err
}

func (d directory) create(name string) (file, error) {
	if err := d.remove(name); err != nil {
		return nil, err
	}
	// O_APPEND: after a Truncate the next write goes to the new end.
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL | os.O_APPEND
	f, err := os.OpenFile(d.path(name), flags, 0o640)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (d directory) rename(from, to string) error { return os.Rename(d.path(from), d.path(to)) }

func (d directory) link(from, to string) error { return os.Link(d.path(from), d.path(to)) }

// remove is content when there is nothing.
func (d directory) remove(name string) error {
	if err := os.Remove(d.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d directory) list() (names []string, err error) {
	entries, err := os.ReadDir(string(d))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, err
}

func (d directory) sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // has no such thing
		return err
	}
	return nil
}
