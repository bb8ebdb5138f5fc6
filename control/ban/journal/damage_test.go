package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// sample is a journal of about 4 KiB: two routes of the generation before, then some of all.
func sample(t testing.TB) []byte {
	t.Helper()
	d, clock := newMemDisk(), stillClock()
	j, _ := mustOpen(t, d, clock, Options{})
	mustIntend(t, j, route(1), route(2))
	mustClose(t, j)
	j, _ = mustOpen(t, d, clock, Options{Lazy: time.Millisecond})
	written := func(n int) {
		t.Helper()
		for end := time.Now().Add(10 * time.Second); j.State().Records != n; {
			if time.Now().After(end) {
				t.Fatalf("state %+v, not of %d records", j.State(), n)
			}
			time.Sleep(100 * time.Microsecond)
		}
	}
	mustIntend(t, j, route(3), route(4), route(5))
	j.Announced(prefix(3))
	written(6)
	j.Withdrawn(prefix(4))
	written(7)
	j.Renew(prefix(1), time.Hour)
	written(8)
	mustIntend(t, j, route(6), route(4))
	j.Withdrawn(prefix(2))
	written(11)
	mustClose(t, j)
	return d.journal()
}

// bounds returns where each record of a sound journal begins, and the end.
func bounds(data []byte) []int {
	all := []int{headerSize}
	for at := headerSize; at < len(data); {
		at += frameSize + int(binary.BigEndian.Uint32(data[at:]))
		all = append(all, at)
	}
	return all
}

// found is what has to be said about a file.
type found struct {
	routes  string
	damaged bool
	cut     int
}

// slowly is what a journal says whose records up to intact, and those from again on, are: it
// decodes one after the other and does nothing clever.
func slowly(t testing.TB, data []byte, intact, again int) string {
	t.Helper()
	at := bounds(data)
	live := map[string]bool{}
	for i := range at[:len(at)-1] {
		r, _, err := parseRecord(data[at[i]:at[i+1]])
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case r.Op == withdrawn && (i < intact || i >= again):
			delete(live, r.Prefix.String())
		case r.Op != withdrawn && i < intact:
			live[r.Prefix.String()] = true
		}
	}
	return fmt.Sprint(slices.Sorted(maps.Keys(live)))
}

// look opens a journal of these bytes, and holds the new one to what it restored.
func look(t *testing.T, data []byte) found {
	t.Helper()
	d := with(data)
	j, r, err := open(d, stillClock(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, j)
	var routes []string
	for _, p := range prefixes(r) {
		routes = append(routes, p.String())
	}
	slices.Sort(routes)
	c, err := parse(d.journal())
	if err != nil || c.damage != "" || c.torn != 0 || len(c.live) != len(routes) {
		t.Fatalf("the new journal: %+v, %v", c, err)
	}
	if kept := d.names[badName+"1"]; r.Damaged != (kept != nil) ||
		r.Damaged && !slices.Equal(kept.data, data) {
		t.Fatalf("damaged %v, kept %v", r.Damaged, kept != nil)
	}
	return found{fmt.Sprint(routes), r.Damaged, r.Cut}
}

func TestEveryTruncation(t *testing.T) {
	data := sample(t)
	at := bounds(data)
	whole := at[2] // two routes were there at Open
	for size := range data {
		intact := 0
		for intact+1 < len(at) && at[intact+1] <= size {
			intact++
		}
		want := found{routes: slowly(t, data, intact, len(at))}
		if size < whole {
			want.damaged = true
		} else {
			want.cut = size - at[intact]
		}
		if got := look(t, data[:size]); got != want {
			t.Fatalf("cut at %d of %d: %+v, not %+v", size, len(data), got, want)
		}
	}
	t.Logf("%d bytes in %d records", len(data), len(at)-1)
}

func TestEveryBitFlip(t *testing.T) {
	data := sample(t)
	at := bounds(data)
	step := 1
	if testing.Short() {
		step = 7
	}
	began := time.Now()
	for bit := 0; bit < 8*len(data); bit += step {
		hit := -1 // the header
		for hit+2 < len(at) && at[hit+1] <= bit/8 {
			hit++
		}
		want := found{slowly(t, data, max(0, hit), hit+1), true, 0}
		last := hit == len(at)-2
		bad := slices.Clone(data)
		bad[bit/8] ^= 1 << (bit % 8)
		if last && binary.BigEndian.Uint32(bad[at[hit]:]) <= MaxRecord-frameSize {
			want.damaged, want.cut = false, len(data)-at[hit]
		}
		if got := look(t, bad); got != want {
			t.Fatalf("bit %d of byte %d, record %d: %+v, not %+v", bit%8, bit/8, hit, got, want)
		}
	}
	t.Logf("%d flips of %d bytes in %v", 8*len(data)/step, len(data), time.Since(began))
}

// TestDamage_Success is damage of other kinds.
func TestDamage_Success(t *testing.T) {
	data := sample(t)
	at := bounds(data)
	all := slowly(t, data, len(at), len(at))
	f := func(name string, bad []byte, want found) {
		t.Helper()
		if got := look(t, bad); got != want {
			t.Errorf("%s: %+v, not %+v", name, got, want)
		}
	}
	f("nothing", data, found{all, false, 0})
	f("empty", nil, found{"[]", true, 0})
	f("zeros at the end", append(slices.Clone(data), make([]byte, 5000)...),
		found{all, false, 5000})
	f("text at the end", append(slices.Clone(data), "hello, world"...), found{all, true, 0})
	f("a record is missing", slices.Delete(slices.Clone(data), at[5], at[6]),
		found{slowly(t, data, 5, 6), true, 0})
	f("a record is there twice", slices.Insert(slices.Clone(data), at[6], data[at[5]:at[6]]...),
		found{slowly(t, data, 6, 6), true, 0})
	f("another generation's record", (&record{
		Seq: uint64(len(at)), Gen: 9, Op: withdrawn, Prefix: prefix(1),
	}).appendTo(slices.Clone(data)), found{all, true, 0})
	f("a hole", slices.Concat(data[:at[4]], make([]byte, at[7]-at[4]), data[at[7]:]),
		found{slowly(t, data, 4, 7), true, 0})
}

// TestGenerationOutlivesDamage finds the number in the records when the header is gone.
func TestGenerationOutlivesDamage(t *testing.T) {
	data := sample(t)
	data[3] ^= 1
	j, r := mustOpen(t, with(data), stillClock(), Options{})
	if j.Generation() != 3 || !r.Damaged {
		t.Errorf("generation %d, %+v", j.Generation(), r)
	}
}

// TestNewer leaves the file of a newer weir alone, and its temporary one.
func TestNewer(t *testing.T) {
	data := sample(t)
	binary.BigEndian.PutUint32(data[8:], version+1)
	binary.BigEndian.PutUint32(data[12:], checksum(data[:12]))
	for _, data := range [][]byte{data, data[:fixedSize]} {
		d := with(data)
		d.names[tempName] = &inode{}
		_, _, err := open(d, stillClock(), Options{})
		if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "version 2") {
			t.Error(err)
		}
		if !slices.Equal(d.journal(), data) || len(d.names) != 2 {
			t.Error("the directory was changed")
		}
	}
}

// TestKeepBad keeps the newest damaged files, and touches nothing else.
func TestKeepBad(t *testing.T) {
	dir := directory(t.TempDir())
	clock := stillClock()
	for _, name := range []string{"journal.bad-x", "journal.bad-007", "lock", tempName} {
		if err := os.WriteFile(dir.path(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for n := range 7 {
		text := fmt.Sprintf("damage %d", n)
		if err := os.WriteFile(dir.path(fileName), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		j, r, err := Open(string(dir), clock, Options{KeepBad: 3})
		if err != nil {
			t.Fatal(err)
		}
		mustClose(t, j)
		kept, err := os.ReadFile(r.Kept)
		if err != nil || string(kept) != text || !strings.Contains(r.Note, r.Kept) {
			t.Errorf("kept %q in %s, %v; %s", kept, r.Kept, err, r.Note)
		}
	}
	names, err := dir.list()
	want := []string{"journal", "journal.bad-007", "journal.bad-5", "journal.bad-6",
		"journal.bad-7", "journal.bad-x", "lock"}
	if err != nil || !slices.Equal(names, want) {
		t.Errorf("left: %v, %v", names, err)
	}
}

// TestOpen_Failure is what no start can do anything about; the error names the place.
func TestOpen_Failure(t *testing.T) {
	f := func(dir string, names string) {
		t.Helper()
		_, _, err := Open(dir, stillClock(), Options{})
		if err == nil || !strings.Contains(err.Error(), names) {
			t.Errorf("%v does not name %s", err, names)
		}
	}
	dir := directory(t.TempDir())
	f(dir.path("none"), dir.path("none"))
	if err := os.WriteFile(dir.path("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f(dir.path("file"), dir.path("file"))
	if err := os.Mkdir(dir.path(fileName), 0o700); err != nil {
		t.Fatal(err)
	}
	f(string(dir), dir.path(fileName))

	for _, op := range []string{"list", "read", "create", "rename", "remove", "link"} {
		d := with([]byte("damage"))
		d.fail = func(is, _ string) error {
			if is == op || op == "link" && is == "rename" {
				return os.ErrPermission
			}
			return nil
		}
		if _, _, err := open(d, stillClock(), Options{}); !errors.Is(err, os.ErrPermission) {
			t.Errorf("%s without the right to: %v", op, err)
		}
	}
}

// FuzzOpen holds Open to its word on any bytes: it neither fails nor panics, what it writes is
// sound, and the same as what it restored; a second Open finds just that. Mended, the checksums are
// right, so that what they guard is reached.
func FuzzOpen(f *testing.F) {
	data := sample(f)
	at := bounds(data)
	f.Add(data, true)
	f.Add(data[:at[5]+20], false)
	f.Add(slices.Delete(slices.Clone(data), at[5], at[6]), true)
	f.Add(data[at[1]:], false)
	f.Add([]byte(magic), true)
	f.Fuzz(func(t *testing.T, data []byte, mended bool) {
		if mended {
			data = mend(data)
		}
		d := with(data)
		j, r, err := open(d, stillClock(), Options{})
		if errors.Is(err, ErrNewer) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		mustClose(t, j)
		j, again, err := open(d, stillClock(), Options{})
		if err != nil || again.Damaged || again.Cut != 0 {
			t.Fatalf("again: %+v, %v", again, err)
		}
		mustClose(t, j)
		expect(t, again, r.Routes...)
	})
}

// mend makes the checksums right, as far as there is room for them.
func mend(data []byte) []byte {
	data = slices.Clone(data)
	if len(data) < headerSize {
		return data
	}
	be := binary.BigEndian
	copy(data, magic)
	be.PutUint32(data[12:], checksum(data[:12]))
	be.PutUint32(data[36:], checksum(data[:36]))
	for at := headerSize; len(data)-at >= frameSize; {
		n := frameSize + int64(be.Uint32(data[at:]))
		if n > int64(len(data)-at) {
			break
		}
		frame := data[at : at+int(n)]
		be.PutUint32(frame[4:], checksum(frame[:4], frame[frameSize:]))
		at += int(n)
	}
	return data
}
