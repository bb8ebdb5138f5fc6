package report

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// incident is an incident's directory.
type incident struct {
	dir  string
	time time.Time // of the verdict
}

// prune removes what a crash left behind and the oldest incidents beyond MaxIncidents, but never
// the one with the ID current, which was just written.
func (w *Writer) prune(root *os.Root, current string) error {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	var incidents []incident
	var errs []error
	for _, e := range entries {
		id, unfinished := strings.CutPrefix(e.Name(), newDir)
		if !e.IsDir() || !isID(id) || !isOurs(root, e.Name(), unfinished) {
			continue
		}
		if unfinished {
			errs = append(errs, removeIncident(root, e.Name()))
			continue
		}
		if info, err := e.Info(); err == nil && id != current {
			incidents = append(incidents, incident{id, info.ModTime()})
		}
	}
	slices.SortFunc(incidents, func(a, b incident) int {
		return cmp.Or(a.time.Compare(b.time), cmp.Compare(a.dir, b.dir))
	})
	others := max(cmp.Or(w.MaxIncidents, DefaultMaxIncidents)-1, 0)
	for _, i := range incidents[:max(0, len(incidents)-others)] {
		err := removeIncident(root, i.dir)
		if err == nil {
			w.removed++
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// isOurs reports whether a directory holds regular files of our names only and, unless it is
// unfinished, a JSON report. A directory into which an operator has put something is his.
func isOurs(root *os.Root, dir string, unfinished bool) bool {
	entries, err := fs.ReadDir(root.FS(), dir)
	if err != nil {
		return false
	}
	reported := false
	for _, e := range entries {
		name := strings.TrimPrefix(e.Name(), newFile)
		if !e.Type().IsRegular() || !slices.Contains(ourFiles(), name) {
			return false
		}
		reported = reported || e.Name() == JSONFile
	}
	return reported || unfinished
}

// ourFiles returns the names of an incident's files. The JSON report is last: as long as
// a directory is being removed it is recognised by it.
func ourFiles() []string { return []string{EvidenceFile, TextFile, JSONFile} }

// removeIncident removes the files of our names from a directory, and then the directory, which
// fails if there is anything else in it.
func removeIncident(root *os.Root, dir string) error {
	for _, name := range ourFiles() {
		for _, path := range []string{filepath.Join(dir, newFile+name), filepath.Join(dir, name)} {
			if err := root.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return root.Remove(dir)
}
