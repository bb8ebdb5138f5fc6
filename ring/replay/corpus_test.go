package replay

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"weir/ring"
)

// All captures of the corpus at once, in time order: not a packet is lost in the merge.
func TestCorpusMerged(t *testing.T) {
	dir := os.Getenv("WEIR_CORPUS")
	if dir == "" {
		root, err := filepath.Abs("../..")
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(filepath.Dir(root), "shared", "corpus")
	}
	oracle, err := os.ReadFile(filepath.Join(dir, "ORACLE_RAW.tsv"))
	if err != nil {
		t.Skipf("no capture corpus (set WEIR_CORPUS): %v", err)
	}
	var paths []string
	want := uint64(0)
	for _, line := range strings.Split(strings.TrimSpace(string(oracle)), "\n")[1:] {
		col := strings.Split(line, "\t")
		packets, err := strconv.ParseUint(col[3], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if packets > 0 { // 0 is also written for link types that the oracle does not know
			paths = append(paths, filepath.Join(dir, col[0], col[1]))
			want += packets
		}
	}
	s, err := Open(paths, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var b ring.Batch
	last := int64(0)
	for {
		n, err := s.Poll(&b)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			if b.Frames[i].Time < last {
				t.Fatalf("time %d after %d", b.Frames[i].Time, last)
			}
			last = b.Frames[i].Time
		}
		s.Release(&b)
	}
	if got := s.Stats().Received; got != want || want == 0 {
		t.Errorf("%d packets, want %d", got, want)
	}
}
