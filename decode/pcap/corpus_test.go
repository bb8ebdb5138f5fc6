package pcap

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/gopacket/pcapgo"
)

// corpusDir is where the capture corpus lies; the test is skipped where there is none.
func corpusDir(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("WEIR_CORPUS")
	if dir == "" {
		root, err := filepath.Abs("../..")
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(filepath.Dir(root), "shared", "corpus")
	}
	if _, err := os.Stat(filepath.Join(dir, "ORACLE_RAW.tsv")); err != nil {
		t.Skipf("no capture corpus (set WEIR_CORPUS): %v", err)
	}
	return dir
}

// oracle is a line of ORACLE_RAW.tsv.
type oracle struct {
	path    string
	packets int
	bytes   uint64
}

func readOracle(t *testing.T, dir string) []oracle {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "ORACLE_RAW.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []oracle
	lines := bufio.NewScanner(f)
	lines.Scan() // column names
	for lines.Scan() {
		col := strings.Split(lines.Text(), "\t")
		packets, err := strconv.Atoi(col[3])
		if err != nil {
			t.Fatal(err)
		}
		wire, err := strconv.ParseUint(col[4], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, oracle{filepath.Join(dir, col[0], col[1]), packets, wire})
	}
	if err := lines.Err(); err != nil || len(all) < 100 {
		t.Fatalf("%d lines of the oracle, %v", len(all), err)
	}
	return all
}

// Packets and bytes on the wire of every capture are those that tshark counted.
func TestCorpusCounts(t *testing.T) {
	// tshark gives up on the link types of the first two and reports nothing.
	unread := []string{"filter/dsa.pcap", "juniper_es_oobr.pcap"}
	otherBytes := []string{
		// the wire length of some record is below its captured length, and we raise it
		"icmp-icmp_print-oobr-2.pcap", "slip-compressed_sl_print-oobr.pcap",
		// tshark takes off a pseudo-header of 4 bytes that stands in front of ATM cells
		"atm-heapoverflow.pcap", "atm-oam-heapoverflow.pcap", "atm-oam-loopback-print-overrun.pcap",
	}
	for _, o := range readOracle(t, corpusDir(t)) {
		packets, wire, err := count(o.path)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		switch {
		case hasSuffix(o.path, unread):
			data, err := os.ReadFile(o.path)
			if err != nil {
				t.Fatal(err)
			}
			if want := countPcapgo(t, data); packets != want || want == 0 {
				t.Errorf("%s: %d packets, pcapgo reads %d", o.path, packets, want)
			}
		case packets != o.packets:
			t.Errorf("%s: %d packets, want %d", o.path, packets, o.packets)
		case wire != o.bytes && !hasSuffix(o.path, otherBytes):
			t.Errorf("%s: %d bytes on the wire, want %d", o.path, wire, o.bytes)
		}
	}
}

func count(path string) (packets int, wire uint64, err error) {
	r, err := Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer r.Close()
	var p Packet
	for {
		err := r.Next(&p)
		if err == io.EOF {
			return packets, wire, nil
		}
		if err != nil {
			return packets, wire, err
		}
		packets++
		wire += uint64(p.Wire)
	}
}

func countPcapgo(t *testing.T, data []byte) int {
	t.Helper()
	r, err := pcapgo.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	r.SetSnaplen(MaxFrame)
	packets := 0
	for {
		if _, _, err := r.ReadPacketData(); err != nil {
			return packets
		}
		packets++
	}
}

func hasSuffix(path string, suffixes []string) bool {
	for _, s := range suffixes {
		if strings.HasSuffix(path, s) {
			return true
		}
	}
	return false
}

// Data, times and lengths of every capture are those that pcapgo reads, where it reads it.
func TestCorpusAgreesWithPcapgo(t *testing.T) {
	compared := 0
	for _, o := range readOracle(t, corpusDir(t)) {
		data, err := os.ReadFile(o.path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parse(data)
		if err != io.EOF {
			t.Errorf("%s: %v", o.path, err)
			continue
		}
		want, err := parsePcapgo(data)
		if err != nil || strings.HasSuffix(o.path, "atm-oam-loopback-print-overrun.pcap") {
			continue // its refusals are not ours, nor its overflow of a fraction over 4295 s
		}
		compared++
		if !samePackets(asPcapgo(got), want) {
			t.Errorf("%s: other packets than pcapgo", o.path)
		}
	}
	if compared < 500 {
		t.Errorf("compared %d captures only", compared)
	}
}
