package tune

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// journalVersion is that of the journal's form.
const journalVersion = 1

// JournalName is what the journal is called in the state directory.
const JournalName = "tune-undo.json"

// Entry is what was found of a setting before it was first changed.
type Entry struct {
	Setting
	Found string    `json:"found"`
	Time  time.Time `json:"time"`
}

// Journal is what Undo puts back, in the order in which it was changed. It is on the disk before
// anything it tells of has happened.
type Journal struct {
	Entries []Entry
	path    string
}

type journalFile struct {
	Version int     `json:"version"`
	Entries []Entry `json:"entries"`
}

// ErrLocked says that another process changes settings by the same journal.
var ErrLocked = errors.New("another weir tune is at work")

// LockJournal keeps other processes from changing settings by the journal at path, until what it
// returns is closed or the process ends. It makes the directory, and leaves no file.
func LockJournal(path string) (io.Closer, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("lock what to undo: %w", err)
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("lock what to undo: %w", err)
	}
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = ErrLocked
		}
		return nil, errors.Join(fmt.Errorf("lock what to undo, %s: %w", path, err), d.Close())
	}
	return d, nil
}

// OpenJournal reads the journal at path; one that is not there is empty. One with a value that its
// setting cannot have is refused as a whole, before anything is touched by it: the error names the
// entry.
func OpenJournal(path string) (*Journal, error) {
	j := &Journal{path: path}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what to undo: %w", err)
	}
	var f journalFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("read what to undo: %s: %w", path, located(err))
	}
	if f.Version != journalVersion {
		return nil, fmt.Errorf("read what to undo: %s is of version %d, not %d", path, f.Version,
			journalVersion)
	}
	for i := range f.Entries {
		e := &f.Entries[i]
		if err := e.check(e.Found); err != nil {
			return nil, fmt.Errorf("read what to undo: %s: entry %d, %s: %w", path, i+1, e.Setting,
				err)
		}
	}
	j.Entries = f.Entries
	return j, nil
}

// located says at which byte a file is no JSON, or not of the journal's form.
func located(err error) error {
	var syntax *json.SyntaxError
	var form *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Errorf("offset %d: %w", syntax.Offset, err)
	case errors.As(err, &form):
		return fmt.Errorf("offset %d: %w", form.Offset, err)
	}
	return err
}

// Path returns where the journal is.
func (j *Journal) Path() string { return j.path }

// keep writes down what was found of a setting, unless an earlier value is known, and reports
// whether it did.
func (j *Journal) keep(s Setting, found string, now time.Time) (bool, error) {
	if slices.ContainsFunc(j.Entries, func(e Entry) bool { return e.Setting == s }) {
		return false, nil
	}
	j.Entries = append(j.Entries, Entry{s, found, now})
	return true, j.write()
}

// drop forgets entries, and removes the file with the last.
func (j *Journal) drop(restored func(*Entry) bool) error {
	j.Entries = slices.DeleteFunc(j.Entries, func(e Entry) bool { return restored(&e) })
	return j.write()
}

func (j *Journal) write() error {
	if len(j.Entries) == 0 {
		if err := os.Remove(j.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what was undone: %w", err)
		}
		return nil
	}
	data, err := json.MarshalIndent(journalFile{journalVersion, j.Entries}, "", "  ")
	if err == nil {
		err = replace(j.path, append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write down what to undo: %w", err)
	}
	return nil
}

// replace puts data in a file's place, on the disk when it returns: the old content or the new.
func replace(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDirectory(dir)
}

func syncDirectory(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
