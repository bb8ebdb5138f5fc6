package netflow

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"weir/decode"
	"weir/decode/pcap"
)

// corpus returns the folder of captures from the wild.
func corpus(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("WEIR_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no capture corpus: %v (set WEIR_CORPUS)", err)
	}
	return dir
}

// session is one of sessions.json.
type session struct{ ID, Pcap, Type string }

func sessions(t testing.TB, dir string) (list []session) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "sessions.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// A sum is what a session comes to.
type sum struct{ flows, options, packets, bytes uint64 }

// excused are the sessions in which the oracles are wrong, or count otherwise than weir does,
// with the sums that are right.
var excused = map[string]struct {
	sum
	why string
}{
	// Biflows (RFC 5103): the records have reverseOctetDeltaCount and reversePacketDeltaCount
	// (PEN 29305), which the oracles print nowhere. Every other direction is a record here. The
	// exporter of the second tells of 29 flows and 1070 packets in its options data.
	"logstash__IPFIX_YAF_basic_with_applabel": {sum{4, 1, 10, 596}, "biflows"},
	"telegraf__ipfix_example":                 {sum{56, 2, 1070, 577437}, "biflows"},

	// The first datagram has two templates and a data record, in three sets, and a header that
	// counts 1: softflowd 0.9 counts data records only. tshark and pmacct stop after so many
	// sets, and so know neither the record nor the second template, of IPv6, later on. nfdump
	// has all of them: 21 flows, 23 packets, 7302 bytes.
	"graylog-plugin-netflow_netflow-data_netflow9": {sum{21, 1, 23, 7302}, "sets over count"},

	// The same in single datagrams of that exporter, with nfdump's sums. The second is cut off
	// within its last set, and the data set before is whole.
	"logstash__Netflow_9_invalid_01":          {sum{2, 1, 2, 194}, "sets over count"},
	"graylog-plugin-netflow_netflow-v9-1.dat": {sum{2, 0, 9, 582}, "sets over count"},
}

// oracle is what other decoders make of a session.
type oracle struct {
	sum
	agreement, kind string
}

func oracles(t testing.TB, dir string) map[string]oracle {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "ORACLE.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	column := map[string]int{}
	for i, name := range strings.Split(lines[0], "\t") {
		column[name] = i
	}
	truth := map[string]oracle{}
	for _, line := range lines[1:] {
		f := strings.Split(line, "\t")
		number := func(name string) uint64 {
			n, _ := strconv.ParseUint(f[column[name]], 10, 64)
			return n
		}
		truth[f[0]] = oracle{
			sum{
				number("exp_flows"), number("exp_option_records"),
				number("exp_packets"), number("exp_bytes"),
			},
			f[column["agreement"]], f[column["kind"]],
		}
	}
	return truth
}

// TestCorpus decodes every NetFlow and IPFIX session from the wild and compares its sums, and
// each of its records, with what three other decoders made of them.
func TestCorpus(t *testing.T) {
	dir := corpus(t)
	truth := oracles(t, dir)
	sessions := sessions(t, dir)
	for _, s := range sessions {
		if truth[s.ID].kind != "cflow" {
			continue
		}
		for _, size := range []int{1, 2, 64} {
			t.Run(s.ID, func(t *testing.T) { compare(t, dir, s, truth[s.ID], size) })
		}
	}
}

// compare decodes a session, size records at a time.
func compare(t *testing.T, dir string, s session, want oracle, size int) {
	var got sum
	var faults, skipped uint32
	records := map[string]int{}
	d := NewDecoder(NewCache(Limits{}), All, nil)
	for _, a := range payloads(t, filepath.Join(dir, s.Pcap)) {
		for _, r := range decodeAll(d, &a, size) {
			got.flows++
			got.packets += r.Packets
			got.bytes += r.Bytes
			records[line(&r)]++
		}
		g := d.Datagram()
		got.options += uint64(g.Options)
		skipped += g.Skipped[decode.NoAddresses]
		faults += g.Skipped[decode.NoTemplate]
		for _, n := range g.Faults {
			faults += n
		}
	}
	broken := strings.Contains(want.agreement, "disputed") ||
		strings.Contains(want.agreement, "malformed")
	if broken && faults == 0 {
		t.Error("nothing that is wrong was named")
	}
	if e, ok := excused[s.ID]; ok {
		want.sum = e.sum
	} else {
		got.flows += uint64(skipped)
		defer compareRecords(t, dir, s, records)
	}
	if skipped > 1 { // they have counts, in the oracles
		got.packets, got.bytes = want.packets, want.bytes
	}
	if got != want.sum {
		t.Errorf("%+v, want %+v (%s)", got, want.sum, want.agreement)
	}
}

// compareRecords compares the records of a session with those of tshark that have addresses.
func compareRecords(t *testing.T, dir string, s session, records map[string]int) {
	b, err := os.ReadFile(filepath.Join(dir, "oracle", "flows", s.ID+".flows.jsonl"))
	if err != nil {
		return // no flows
	}
	for _, text := range strings.Split(strings.TrimSpace(string(b)), "\n") {
		var f struct {
			Src, Dst       string
			SPort, DPort   uint16
			Proto          uint8
			Packets, Bytes uint64
		}
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			t.Fatal(err)
		}
		src, err := netip.ParseAddr(f.Src)
		if err != nil {
			continue
		}
		r := decode.Record{
			Src: decode.AddrFrom(src), SrcPort: f.SPort, DstPort: f.DPort, Proto: f.Proto,
			Packets: f.Packets, Bytes: f.Bytes,
		}
		if dst, err := netip.ParseAddr(f.Dst); err == nil {
			r.Dst = decode.AddrFrom(dst)
		}
		records[line(&r)]--
	}
	for r, n := range records {
		if n != 0 {
			t.Errorf("%+d of %s", n, r)
		}
	}
}

// line is what is compared of a record. Tools differ in where they have the type of ICMP.
func line(r *decode.Record) string {
	sport, dport := r.SrcPort, r.DstPort
	if r.Proto == protoICMP || r.Proto == protoICMP6 {
		sport, dport = 0, 0
	}
	return fmt.Sprint(r.Src.Netip(), " ", r.Dst.Netip(), " ", r.Proto, " ", sport, " ", dport, " ",
		r.Packets, " ", r.Bytes)
}

// decodeAll returns all records of a datagram, decoded size at a time into a dirty buffer.
func decodeAll(d *Decoder, a *decode.Arrival, size int) (list []decode.Record) {
	out := make([]decode.Record, size)
	for d.Begin(a); ; {
		for i := range out {
			out[i] = dirty
		}
		n := d.Next(out)
		if n == 0 {
			return list
		}
		list = append(list, out[:n]...)
	}
}

// dirty is a record that nothing of may be left in.
var dirty = decode.Record{
	Src: decode.Addr{Hi: 1, Lo: 2}, Dst: decode.Addr{Hi: 3, Lo: 4}, Packets: 5, Bytes: 6,
	IPLen: 7, Sampling: 8, Wire: 9, SrcPort: 10, DstPort: 11, Proto: 12, TCPFlags: 13, TTL: 14,
	Version: 15, Fragment: 2, IPFlags: 3, NVLAN: 3, NMPLS: 4, NTunnels: 2,
	Flow: decode.Flow{
		Start: 1, End: 2, NextHop: decode.Addr{Hi: 5, Lo: 6}, SrcAS: 3, DstAS: 4, InIf: 5,
		OutIf: 6, Forwarding: 7, TOS: 8,
	},
}

// TestCorpusRaw decodes every flow export file outside the sessions, whole and cut short, for no
// more than that it ends.
func TestCorpusRaw(t *testing.T) {
	dir := corpus(t)
	files := 0
	d := NewDecoder(NewCache(Limits{}), All, nil)
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || strings.Contains(path, "oracle") {
			return err
		}
		info, err := e.Info()
		if err != nil || info.Size() > 1<<16 {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for _, n := range []int{len(b), len(b) * 2 / 3, len(b) / 2} {
			decodeAll(d, &decode.Arrival{Payload: b[:n], Source: decode.AddrFrom4(7)}, 64)
		}
		return nil
	})
	if err != nil || files == 0 {
		t.Fatal(files, err)
	}
}

// payloads returns the UDP payloads of a capture, as they arrived.
func payloads(t testing.TB, path string) (list []decode.Arrival) {
	t.Helper()
	r, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var p pcap.Packet
	for {
		err := r.Next(&p)
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		if a, ok := arrival(&p); ok {
			list = append(list, a)
		}
	}
}

// arrival returns what a frame carries over UDP.
func arrival(p *pcap.Packet) (a decode.Arrival, ok bool) {
	var d decode.Decoder
	var r decode.Record
	d.Decode(&r, decode.Link(p.Link), p.Data, p.Wire)
	if r.Version == 0 || r.Proto != 17 || r.Fragment == decode.LaterFragment {
		return a, false
	}
	// The header is found by its ports: whatever stands before is the decoder's business.
	ports := binary.BigEndian.AppendUint16(nil, r.SrcPort)
	ports = binary.BigEndian.AppendUint16(ports, r.DstPort)
	ports = binary.BigEndian.AppendUint16(ports, uint16(r.IPLen)-20)
	i := bytes.Index(p.Data, ports)
	if i < 0 {
		return a, false
	}
	return decode.Arrival{
		Payload: bytes.Clone(p.Data[i+8 : min(len(p.Data), i+int(r.IPLen)-20)]),
		Source:  r.Src, Port: r.SrcPort, Time: p.Time,
	}, true
}
