package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/control/ban"
	"weir/control/capture"
	"weir/decode/pcap"
)

// checkIncident reads an incident's directory as whoever finds it would: three whole files of
// our names that speak of the same incident. It returns the number of packets in the evidence.
func checkIncident(t *testing.T, dir, id string) int {
	t.Helper()
	if got := names(t, filepath.Join(dir, id)); !slices.Equal(got, []string{
		EvidenceFile, JSONFile, TextFile,
	}) {
		t.Fatalf("%s holds %v", id, got)
	}
	var d document
	raw := read(t, filepath.Join(dir, id, JSONFile))
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatalf("%s: %v", id, err)
	}
	if d.Weir.ID != id || d.Weir.Schema != Schema {
		t.Errorf("%s: the JSON speaks of %s", id, d.Weir.ID)
	}
	text := string(read(t, filepath.Join(dir, id, TextFile)))
	if !strings.Contains(text, "\nIncident: "+id+"\n") || !strings.HasSuffix(text, "\n") {
		t.Errorf("%s: the text is not whole", id)
	}
	r, err := pcap.Open(filepath.Join(dir, id, EvidenceFile))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var p pcap.Packet
	for n := 0; ; n++ {
		if err := r.Next(&p); err == io.EOF {
			return n
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// withID returns the incident of the fixtures under another ID and verdict.
func withID(n int) *ban.Incident {
	inc := incident4()
	inc.ID = fmt.Sprintf("%016x", n)
	inc.Detected += int64(n) * 1000 * ms
	return inc
}

func TestWriterSuccess(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "incidents") // made on the way
	w := &Writer{Dir: dir}
	inc, ev := incident4(), evidence4()
	inc.End = 0
	if err := w.Write(inc, nil); err != nil {
		t.Fatal(err)
	}
	if n := checkIncident(t, dir, inc.ID); n != 0 {
		t.Errorf("%d packets of evidence out of nothing", n)
	}
	first := read(t, filepath.Join(dir, inc.ID, TextFile))

	inc.End = incident4().End
	if err := w.Write(inc, ev); err != nil { // renewed at its end
		t.Fatal(err)
	}
	if n := checkIncident(t, dir, inc.ID); n != len(ev.Samples) {
		t.Errorf("%d packets, want %d", n, len(ev.Samples))
	}
	if bytes.Equal(first, read(t, filepath.Join(dir, inc.ID, TextFile))) {
		t.Error("the text is still that of the beginning")
	}
	if got := names(t, dir); !slices.Equal(got, []string{inc.ID}) {
		t.Errorf("%s holds %v", dir, got)
	}

	other := &Writer{Dir: t.TempDir()}
	if err := other.Write(inc, ev); err != nil {
		t.Fatal(err)
	}
	for _, name := range ourFiles() {
		a := read(t, filepath.Join(dir, inc.ID, name))
		b := read(t, filepath.Join(other.Dir, inc.ID, name))
		if !bytes.Equal(a, b) {
			t.Errorf("%s: the same incident gave other bytes", name)
		}
	}
}

func TestWriterID(t *testing.T) {
	for _, id := range []string{
		"", "..", "../../etc", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF",
		"0123456789abcde/", "0123456789abcde\x00", strings.Repeat("x", 5000),
	} {
		w := &Writer{Dir: filepath.Join(t.TempDir(), "x")}
		inc := incident4()
		inc.ID = id
		if err := w.Write(inc, nil); err == nil || len(err.Error()) > 500 {
			t.Errorf("ID %.20q: got %v", id, err)
		}
		if _, err := os.Stat(w.Dir); err == nil {
			t.Errorf("ID %.20q: something was written", id)
		}
	}
}

// Obstacles at each step: an error that names the path, nothing half, and a later success.
func TestWriterFailure(t *testing.T) {
	f := func(what, obstacle string, inc *ban.Incident, existing bool) {
		t.Run(what, func(t *testing.T) {
			parent := t.TempDir()
			w := &Writer{Dir: filepath.Join(parent, "incidents")}
			if existing {
				if err := w.Write(inc, nil); err != nil {
					t.Fatal(err)
				}
			}
			path := filepath.Join(parent, obstacle)
			before := snapshotOf(t, filepath.Join(w.Dir, inc.ID))
			undo := obstruct(t, path)
			err := w.Write(inc, evidence4())
			if err == nil || !strings.Contains(err.Error(), parent) {
				t.Errorf("got %v, want an error that names the path", err)
			}
			undo()
			if existing && what != "a file cannot be replaced" {
				if after := snapshotOf(t, filepath.Join(w.Dir, inc.ID)); after != before {
					t.Errorf("changed in spite of the error: %s, was %s", after, before)
				}
			}
			if err := w.Write(inc, evidence4()); err != nil {
				t.Fatalf("with the way clear: %v", err)
			}
			if n := checkIncident(t, w.Dir, inc.ID); n != 8 {
				t.Errorf("%d packets", n)
			}
			if got := names(t, w.Dir); !slices.Equal(got, []string{inc.ID}) {
				t.Errorf("left behind: %v", got)
			}
		})
	}
	inc := incident4()
	f("the directory is a file", "incidents", inc, false)
	f("the temporary directory is a file", "incidents/.new-"+inc.ID, inc, false)
	f("the temporary directory holds something else", "incidents/.new-"+inc.ID+"/x", inc, false)
	f("the incident is a file", "incidents/"+inc.ID, inc, false)
	f("a temporary file is a directory", "incidents/"+inc.ID+"/.new-report.json/x", inc, true)
	f("a file cannot be replaced", "incidents/"+inc.ID+"/report.json/x", inc, true)
}

// obstruct puts a file at path, in the place of whatever is on the way, and returns what puts
// everything back.
func obstruct(t *testing.T, path string) (undo func()) {
	t.Helper()
	dir := filepath.Dir(path)
	made := ""
	for d := dir; ; d = filepath.Dir(d) {
		info, err := os.Stat(d)
		if err == nil && info.IsDir() {
			break
		}
		made = d
		if err == nil {
			rename(t, d, d+"~")
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("in the way"), 0o644); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if made == "" {
			return
		}
		if err := os.RemoveAll(made); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(made + "~"); err == nil {
			rename(t, made+"~", made)
		}
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// snapshotOf returns the names and sizes in a directory.
func snapshotOf(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), newFile) {
			continue // the obstacle's own
		}
		size := len(read(t, filepath.Join(dir, e.Name())))
		out = append(out, fmt.Sprintf("%s %d", e.Name(), size))
	}
	return strings.Join(out, ", ")
}

func TestWriterReadOnly(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may write everywhere")
	}
	w := &Writer{Dir: t.TempDir()}
	if err := os.Chmod(w.Dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(incident4(), nil); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
	if got := names(t, w.Dir); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}

func TestWriterKeepsTheLatest(t *testing.T) {
	w := &Writer{Dir: t.TempDir(), MaxIncidents: 3}
	order := []int{5, 1, 9, 7, 8, 2}
	for _, n := range order {
		if err := w.Write(withID(n), nil); err != nil {
			t.Fatal(err)
		}
	}
	// The 2 is the oldest by its verdict, but was just written.
	want := []string{withID(2).ID, withID(8).ID, withID(9).ID}
	if got := names(t, w.Dir); !slices.Equal(got, want) || w.Removed() != 3 {
		t.Errorf("kept %v, removed %d", got, w.Removed())
	}
	if err := w.Write(withID(9), evidence4()); err != nil { // renewed: no one has to go
		t.Fatal(err)
	}
	if w.Removed() != 3 {
		t.Errorf("removed %d", w.Removed())
	}
	for _, id := range want {
		checkIncident(t, w.Dir, id)
	}
}

// What others have put beside or into the incidents stays, and does not count.
func TestWriterLeavesOthersAlone(t *testing.T) {
	w := &Writer{Dir: t.TempDir(), MaxIncidents: 1}
	keep := []string{
		"README", "abc/report.json", "0000000000000000/notes.txt", "0000000000000001",
		".new-0000000000000002/mine", "ffffffffffffffff/report.json/x",
	}
	for _, path := range keep {
		obstruct(t, filepath.Join(w.Dir, path))
	}
	if err := w.Write(withID(3), nil); err != nil {
		t.Fatal(err)
	}
	obstruct(t, filepath.Join(w.Dir, withID(3).ID, "notes.txt")) // the operator's
	link := filepath.Join(w.Dir, "00000000000000aa")
	if err := os.Symlink(filepath.Join(w.Dir, withID(3).ID), link); err != nil {
		t.Fatal(err)
	}
	stale := filepath.Join(w.Dir, newDir+withID(6).ID) // of a crash
	obstruct(t, filepath.Join(stale, JSONFile))
	for _, n := range []int{4, 5} {
		if err := w.Write(withID(n), nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range append(keep, withID(3).ID+"/notes.txt", withID(3).ID+"/report.txt") {
		if _, err := os.Stat(filepath.Join(w.Dir, path)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := os.Lstat(link); err != nil {
		t.Errorf("the link: %v", err)
	}
	if _, err := os.Stat(stale); err == nil {
		t.Error("what a crash left is still there")
	}
	if _, err := os.Stat(filepath.Join(w.Dir, withID(4).ID)); err == nil || w.Removed() != 1 {
		t.Errorf("the older incident is still there; removed %d", w.Removed())
	}
}

func TestWriterSize(t *testing.T) {
	big := evidence4()
	big.Samples = slices.Repeat(big.Samples, 500)
	slices.SortFunc(big.Samples, func(a, b capture.Sample) int { return int(a.Time - b.Time) })
	inc := incident4()
	inc.Timeline = slices.Repeat(inc.Timeline, 1000)
	inc.Actions = slices.Repeat(inc.Actions, 1000)
	for _, limit := range []int{64 << 10, 256 << 10, DefaultMaxBytes} {
		w := &Writer{Dir: t.TempDir(), MaxBytes: limit}
		if err := w.Write(inc, big); err != nil {
			t.Fatal(err)
		}
		packets := checkIncident(t, w.Dir, inc.ID)
		var d document
		if err := json.Unmarshal(read(t, filepath.Join(w.Dir, inc.ID, JSONFile)), &d); err != nil {
			t.Fatal(err)
		}
		e := d.Weir.Evidence
		if e.Packets != packets || e.Listed != len(d.Packets) || e.SeenAfter != 4321 {
			t.Errorf("limit %d: %d packets in the file, %+v in the JSON", limit, packets, e)
		}
		if packets < min(4000, limit/1000) {
			t.Errorf("limit %d: only %d packets", limit, packets)
		}
		size := 0
		for _, name := range ourFiles() {
			size += len(read(t, filepath.Join(w.Dir, inc.ID, name)))
		}
		if size > limit || size < limit/4 && limit < 1<<20 {
			t.Errorf("limit %d: %d bytes", limit, size)
		}
	}
	w := &Writer{Dir: t.TempDir(), MaxBytes: 1000}
	if err := w.Write(inc, big); !errors.Is(err, ErrTooLarge) {
		t.Errorf("1000 bytes: got %v", err)
	}
	if got := names(t, w.Dir); len(got) != 0 {
		t.Errorf("left behind: %v", got)
	}
}
