package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// corpus returns the folder of captures from the wild, and skips the test where there is none.
func corpus(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("WEIR_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(filepath.Join(dir, "ORACLE_RAW.tsv")); err != nil {
		t.Skipf("no captures from the wild: %v", err)
	}
	return dir
}

// writeConfig writes a configuration and returns its path.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// line is any line of a replay's output.
type line struct {
	Type      string
	Event     string
	Target    string
	Vectors   []vectorJSON
	Packets   uint64
	Received  uint64
	Processed uint64
	Dropped   map[string]uint64
	Attacks   int
}

// replayLines runs a replay and returns its output, decoded and as it is.
func replayLines(t *testing.T, config string, captures ...string) ([]line, string) {
	t.Helper()
	var out, errOut bytes.Buffer
	args := append([]string{"replay", "-o", "json", "-c", config}, captures...)
	if status := Main(args, &out, &errOut); status != exitOK {
		t.Fatalf("weir %s: status %d\n%s", strings.Join(args, " "), status, errOut.String())
	}
	text := out.String()
	var lines []line
	for d := json.NewDecoder(&out); d.More(); {
		var l line
		if err := d.Decode(&l); err != nil {
			t.Fatalf("weir %s: %v in %s", strings.Join(args, " "), err, text)
		}
		lines = append(lines, l)
	}
	return lines, text
}

func TestAttacksOfTheCorpus(t *testing.T) {
	dir := corpus(t)
	f := func(capture, network, limits, target, vector string) {
		t.Helper()
		config := writeConfig(t, fmt.Sprintf(
			"version: 1\nnetworks: [%s]\nthresholds: {incoming: {%s}}\n", network, limits))
		lines, first := replayLines(t, config, filepath.Join(dir, capture))
		var found []line
		for _, l := range lines {
			if l.Event == "attack_started" {
				found = append(found, l)
			}
		}
		if len(found) != 1 || found[0].Target != target || len(found[0].Vectors) == 0 ||
			found[0].Vectors[0].Name != vector {
			t.Errorf("%s: found %+v; want %s by %s, once", capture, found, target, vector)
		}
		for procs := 1; procs <= 2; procs++ {
			before := runtime.GOMAXPROCS(procs)
			_, again := replayLines(t, config, filepath.Join(dir, capture))
			runtime.GOMAXPROCS(before)
			if again != first {
				t.Errorf("%s: output differs with GOMAXPROCS %d", capture, procs)
			}
		}
	}
	f("OISF+suricata-verify/tests/firewall/tcp-session-syn-flood-drop-precedence/input.pcap",
		"198.51.100.0/24", "syn_pps: 50", "198.51.100.5/32", "syn_flood")
	f("StopDDoS+packet-captures/amp.TCP.reflection.SYNACK.pcap",
		"10.10.10.0/24", "tcp_pps: 1k", "10.10.10.10/32", "syn_ack_flood")
	f("StopDDoS+packet-captures/amp.UDP.isakmp.pcap",
		"10.10.10.0/24", "bps: 500k", "10.10.10.10/32", "ike_amplification")
	f("StopDDoS+packet-captures/amp.UDP.snmp.src161.pcapng",
		"10.10.10.0/24", "udp_pps: 500", "10.10.10.10/32", "snmp_amplification")
	f("marcosValle+netlyzer/ddos.pcap",
		"227.213.154.0/24", "pps: 100", "227.213.154.241/32", "dns_amplification")
}

func TestBenignOfTheCorpus(t *testing.T) {
	dir := corpus(t)
	// Everything is home, and FastNetMon's default limits hold for every host.
	config := writeConfig(t, `version: 1
networks: [0.0.0.0/0, "::/0"]
thresholds:
  incoming: {pps: 20k, bps: 1G, fps: 3500}
  outgoing: {pps: 20k, bps: 1G, fps: 3500}
memory: {tables: 256MiB}
`)
	for _, capture := range []string{
		"CESNET+ipfixprobe/tests/functional/inputs/http.pcap",
		"CESNET+ipfixprobe/tests/functional/inputs/mixed.pcap",
		"CESNET+ipfixprobe/tests/functional/inputs/tls.pcap",
		"gopacket+gopacket/layers/testdata/cip.pcap",
		"snabbco+snabb/src/program/ipfix/tests/sanitized4k.pcap",
		"snabbco+snabb/src/program/ipfix/tests/sanitized4k_truncated128.pcap",
	} {
		lines, text := replayLines(t, config, filepath.Join(dir, capture))
		if len(lines) != 1 || lines[0].Attacks != 0 {
			t.Errorf("%s raises an alarm: %s", capture, text)
		}
	}
}

// TestEveryFrameOfTheCorpusIsAccountedFor replays every capture with packets: each frame is
// processed or dropped by name, and there are as many as tshark counted.
func TestEveryFrameOfTheCorpusIsAccountedFor(t *testing.T) {
	dir := corpus(t)
	config := writeConfig(t, `version: 1
networks: [10.0.0.0/8, 192.168.0.0/16, "2001:db8::/32"]
memory: {tables: 32MiB}
`)
	frames, captures := uint64(0), 0
	for capture, want := range rawCaptures(t, dir) {
		lines, text := replayLines(t, config, filepath.Join(dir, capture))
		s := lines[len(lines)-1]
		sum := s.Processed
		for _, n := range s.Dropped {
			sum += n
		}
		if s.Type != "summary" || s.Received != sum || s.Packets != s.Received {
			t.Errorf("%s: the accounting does not add up: %s", capture, text)
		}
		if s.Received != want && !unreadByTshark[capture] {
			t.Errorf("%s: %d frames, tshark has %d", capture, s.Received, want)
		}
		frames += s.Received
		captures++
	}
	t.Logf("%d frames of %d captures", frames, captures)
	if captures < 500 {
		t.Errorf("only %d captures", captures)
	}
}

// unreadByTshark are captures whose link type tshark 4.0 gives up on after some frames.
var unreadByTshark = map[string]bool{
	"the-tcpdump-group+libpcap/tests/filter/dsa.pcap":        true,
	"the-tcpdump-group+libpcap/tests/filter/juniper_es.pcap": true,
	"the-tcpdump-group+tcpdump/tests/juniper_es_oobr.pcap":   true,
}

// rawCaptures returns the captures of packets with their number of frames.
func rawCaptures(t *testing.T, dir string) map[string]uint64 {
	t.Helper()
	file, err := os.Open(filepath.Join(dir, "ORACLE_RAW.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	out := map[string]uint64{}
	for scan := bufio.NewScanner(file); scan.Scan(); {
		fields := strings.Split(scan.Text(), "\t")
		if fields[0] == "repo" {
			continue
		}
		n, err := strconv.ParseUint(fields[3], 10, 64)
		if err != nil {
			t.Fatalf("ORACLE_RAW.tsv: %v in %q", err, scan.Text())
		}
		out[filepath.Join(fields[0], fields[1])] = n
	}
	return out
}
