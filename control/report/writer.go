package report

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"weir/control/ban"
	"weir/control/capture"
)

// Defaults of a Writer: 4 GiB at most, and room for the default evidence in each incident.
const (
	DefaultMaxIncidents = 1000
	DefaultMaxBytes     = 4 << 20
)

// Writer keeps the reports of incidents on disk: Dir/<incident's ID>/ with TextFile, JSONFile
// and EvidenceFile. Whoever looks finds an incident not at all or whole, and each file as it was
// or as it is now, also after a crash; what others put into Dir is left alone.
//
// Concurrency: for one goroutine, and one Writer for a Dir.
type Writer struct {
	Dir          string
	MaxIncidents int // kept in Dir, the latest; 0: DefaultMaxIncidents
	MaxBytes     int // of one incident's files together; 0: DefaultMaxBytes

	removed uint64
}

// Removed returns how many incidents were removed to make room for later ones.
func (w *Writer) Removed() uint64 { return w.removed }

// file is a finished file of an incident.
type file struct {
	name string
	data []byte
}

// ErrTooLarge says that an incident's report exceeds MaxBytes even with nothing listed.
var ErrTooLarge = errors.New("report is too large")

// Write writes an incident, or writes it again as it is now, and then removes the oldest ones,
// by the time of their verdicts, beyond MaxIncidents. An error names the path and the cause; the
// incident's directory is then as it was, or, if an existing one was being renewed, some files
// are. The caller keeps what it gave and may try again.
func (w *Writer) Write(inc *ban.Incident, ev *capture.Snapshot) error {
	if !isID(inc.ID) {
		return fmt.Errorf("write incident %q: its ID is not 16 hex digits", bounded(inc.ID))
	}
	files, err := w.render(inc, orEmpty(ev))
	if err != nil {
		return fmt.Errorf("write incident %s: %w", inc.ID, err)
	}
	if err := os.MkdirAll(w.Dir, dirMode); err != nil {
		return fmt.Errorf("write incident %s: %w", inc.ID, err)
	}
	root, err := os.OpenRoot(w.Dir)
	if err != nil {
		return fmt.Errorf("write incident %s: %w", inc.ID, err)
	}
	defer root.Close()
	if err := store(root, inc, files); err != nil {
		return fmt.Errorf("write incident %s in %s: %w", inc.ID, w.Dir, err)
	}
	if err := w.prune(root, inc.ID); err != nil {
		return fmt.Errorf("remove old incidents of %s: %w", w.Dir, err)
	}
	return nil
}

// isID reports whether id is what an incident's ID looks like; nothing else becomes a path.
func isID(id string) bool {
	if len(id) != 16 {
		return false
	}
	for _, c := range []byte(id) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// render makes the files: at most an eighth of MaxBytes for each of the documents, and the rest
// for the evidence. The documents come last, since they say how much of it there is.
func (w *Writer) render(inc *ban.Incident, ev *capture.Snapshot) ([]file, error) {
	share := cmp.Or(w.MaxBytes, DefaultMaxBytes) / 8
	pcapng, ev, err := renderEvidence(inc, ev, 6*share)
	if err != nil {
		return nil, err
	}
	text, err := renderDocument(share, func(b *bytes.Buffer, o Options) error {
		return Text(b, inc, ev, o)
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", TextFile, err)
	}
	json, err := renderDocument(share, func(b *bytes.Buffer, o Options) error {
		return JSON(b, inc, ev, o)
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", JSONFile, err)
	}
	return []file{{EvidenceFile, pcapng}, {TextFile, text}, {JSONFile, json}}, nil
}

// renderEvidence thins the evidence until it fits.
func renderEvidence(
	inc *ban.Incident, ev *capture.Snapshot, limit int,
) ([]byte, *capture.Snapshot, error) {
	comment := fmt.Sprintf("incident %s, target %s, verdict %s",
		inc.ID, inc.Target, stamp(inc.Detected))
	for n := len(ev.Samples); ; n /= 2 {
		ev = ev.Thin(n)
		var b bytes.Buffer
		if err := capture.WritePCAPNG(&b, ev.Samples, comment); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", EvidenceFile, err)
		}
		if b.Len() <= limit {
			return b.Bytes(), ev, nil
		}
		if n == 0 {
			return nil, nil, fmt.Errorf("%s: %w: %d bytes of %d", EvidenceFile, ErrTooLarge,
				b.Len(), limit)
		}
	}
}

// renderDocument lists less and less until the document fits.
func renderDocument(limit int, write func(*bytes.Buffer, Options) error) ([]byte, error) {
	for o := DefaultOptions(); ; o = o.half() {
		var b bytes.Buffer
		if err := write(&b, o); err != nil {
			return nil, err
		}
		if b.Len() <= limit {
			return b.Bytes(), nil
		}
		if o == (Options{}) {
			return nil, fmt.Errorf("%w: %d bytes of %d", ErrTooLarge, b.Len(), limit)
		}
	}
}

// What is not finished bears a name of its own until it is renamed.
const (
	newDir  = ".new-" // and the incident's ID
	newFile = ".new-" // and the file's name

	dirMode  fs.FileMode = 0o750
	fileMode fs.FileMode = 0o640
)

// store puts the files into the incident's directory.
func store(root *os.Root, inc *ban.Incident, files []file) error {
	info, err := root.Lstat(inc.ID)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return create(root, inc, files)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s: %w", inc.ID, syscall.ENOTDIR)
	}
	if err := renew(root, inc.ID, files); err != nil {
		return err
	}
	return date(root, inc.ID, inc.Detected)
}

// create makes the directory under another name and renames it when all of it is on disk.
func create(root *os.Root, inc *ban.Incident, files []file) (err error) {
	dir := newDir + inc.ID
	if err := removeIncident(root, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // a left-over of a crash
	}
	if err := root.Mkdir(dir, dirMode); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = removeIncident(root, dir) // or else prune will
		}
	}()
	for _, f := range files {
		if err := writeFile(root, filepath.Join(dir, f.name), f.data); err != nil {
			return err
		}
	}
	if err := syncDir(root, dir); err != nil {
		return err
	}
	if err := date(root, dir, inc.Detected); err != nil {
		return err
	}
	if err := root.Rename(dir, inc.ID); err != nil {
		return err
	}
	return syncDir(root, ".")
}

// renew writes all files beside the old ones before it replaces the first.
func renew(root *os.Root, dir string, files []file) (err error) {
	defer func() {
		if err == nil {
			return
		}
		for _, f := range files {
			_ = root.Remove(filepath.Join(dir, newFile+f.name)) // those that there are
		}
	}()
	for _, f := range files {
		if err := writeFile(root, filepath.Join(dir, newFile+f.name), f.data); err != nil {
			return err
		}
	}
	for _, f := range files {
		from, to := filepath.Join(dir, newFile+f.name), filepath.Join(dir, f.name)
		if err := root.Rename(from, to); err != nil {
			return err
		}
	}
	return syncDir(root, dir)
}

// writeFile writes a file that is on disk when it returns.
func writeFile(root *os.Root, path string, data []byte) error {
	f, err := root.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDir brings a directory's names to disk. File systems that cannot are no worse off.
func syncDir(root *os.Root, dir string) error {
	f, err := root.Open(dir)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil
	}
	return errors.Join(err, f.Close())
}

// date sets a directory's time to that of the verdict: prune and `ls -t` go by it.
func date(root *os.Root, dir string, ns int64) error {
	at := time.Unix(0, ns)
	return root.Chtimes(dir, at, at)
}
