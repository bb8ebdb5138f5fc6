package decode_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/decode"
	"weir/decode/pcap"
)

// corpus returns the folder of captures from the wild.
func corpus(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("WEIR_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no capture corpus: %v (set WEIR_CORPUS)", err)
	}
	return dir
}

// excuse is one line of testdata/excused.tsv: why a frame of a capture, or any of them, differs
// from tshark.
type excuse struct {
	file, frame, reason string
	used                int
}

const (
	excusedFile = "testdata/excused.tsv"
	anyFrame    = "*"
)

func readExcuses(t *testing.T) []*excuse {
	t.Helper()
	b, err := os.ReadFile(excusedFile)
	if err != nil {
		t.Fatal(err)
	}
	var list []*excuse
	for i, line := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 3 || f[2] == "" {
			t.Fatalf("%s:%d: not file, frame and reason", excusedFile, i+1)
		}
		list = append(list, &excuse{file: f[0], frame: f[1], reason: f[2]})
	}
	return list
}

// verdicts counts frames of the comparison with tshark.
type verdicts struct {
	compared  int // well-formed frames of link types that we read
	excused   int // of those
	malformed int // frames that tshark calls malformed; differing ones need no excuse
	unread    int // frames of other link types
	failed    int
}

// TestAgainstTshark compares every frame of the corpus with what tshark made of it. Where they
// differ, tshark being right is a bug of ours, and anything else is excused by name. Frames of
// link types that we do not read (FDDI, frame relay, 802.11, …) are counted apart.
func TestAgainstTshark(t *testing.T) {
	root := corpus(t)
	oracles := filepath.Join(root, "oracle", "packets")
	excuses := readExcuses(t)
	var v verdicts
	files := 0
	err := filepath.WalkDir(oracles, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".tsv.gz") {
			return err
		}
		name, err := filepath.Rel(oracles, strings.TrimSuffix(path, ".tsv.gz"))
		if err != nil {
			return err
		}
		rows, err := readOracle(path)
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		files++
		compareFile(t, filepath.Join(root, name), filepath.ToSlash(name), rows, excuses, &v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range excuses {
		if _, err := os.Stat(filepath.Join(root, x.file)); err != nil {
			t.Errorf("%s: %v", excusedFile, err)
		} else if x.used == 0 {
			t.Errorf("%s: %s frame %s is excused but does not differ", excusedFile, x.file, x.frame)
		}
	}
	share := float64(v.excused) / float64(max(v.compared, 1))
	if v.compared == 0 || share > 0.01 {
		t.Errorf("%d of %d well-formed frames are excused: more than 1 %%", v.excused, v.compared)
	}
	t.Logf("%d files, %d well-formed frames compared, %d differ and are excused (%.3f %%); "+
		"%d malformed, %d of other link types", files, v.compared, v.excused, 100*share,
		v.malformed, v.unread)
}

// compareFile compares the frames of one capture.
func compareFile(
	t *testing.T, path, name string, rows []row, excuses []*excuse, v *verdicts,
) {
	in, err := pcap.Open(path)
	if err != nil {
		if len(rows) > 0 {
			t.Errorf("%s: %v, but tshark read %d frames", name, err, len(rows))
		}
		return
	}
	defer in.Close()
	var d decode.Decoder
	var rec decode.Record
	var p pcap.Packet
	for i, r := range rows {
		if err := in.Next(&p); err != nil {
			t.Errorf("%s: frame %d of %d: %v", name, i+1, len(rows), err)
			return
		}
		status := d.Decode(&rec, decode.Link(p.Link), p.Data, p.Wire)
		if status == decode.UnknownLink {
			v.unread++
			continue
		}
		diff := r.differences(&rec, status)
		if r.text("_ws.malformed") != "" {
			v.malformed++
			continue
		}
		v.compared++
		if diff == "" {
			continue
		}
		if excused(excuses, name, r.text("frame.number")) {
			v.excused++
			continue
		}
		if v.failed++; v.failed <= 50 {
			t.Errorf("%s frame %d (%s): %s, status %s", name, i+1, r.text("frame.protocols"),
				diff, status)
		}
	}
	if err := in.Next(&p); err == nil && len(rows) > 0 { // else a link type unknown to tshark
		t.Errorf("%s: more than the %d frames that tshark read", name, len(rows))
	}
}

// excused finds the excuse of a frame and counts its use.
func excused(list []*excuse, file, frame string) bool {
	i := slices.IndexFunc(list, func(x *excuse) bool {
		return x.file == file && (x.frame == anyFrame || x.frame == frame)
	})
	if i < 0 {
		return false
	}
	list[i].used++
	return true
}
