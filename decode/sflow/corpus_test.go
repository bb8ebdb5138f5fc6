package sflow_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"weir/decode"
	"weir/decode/pcap"
	"weir/decode/sflow"
)

// corpusDir returns the folder of captures from the wild.
func corpusDir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("WEIR_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(filepath.Join(dir, "ORACLE.tsv")); err != nil {
		t.Skipf("no capture corpus: %v (set WEIR_CORPUS)", err)
	}
	return dir
}

// session is a line of ORACLE.tsv: what three other decoders make of a capture of sFlow.
type session struct {
	name, pcap                string
	flows, counters, frameLen uint64
	scaledPackets             uint64
	agree                     bool
}

func sessions(t testing.TB, dir string) []session {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "ORACLE.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	var all []session
	for line := range strings.Lines(string(b)) {
		col := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if col[1] != "sflow" {
			continue
		}
		number := func(i int) uint64 {
			n, err := strconv.ParseUint(col[i], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		all = append(all, session{
			name: col[0], pcap: filepath.Join(dir, col[2]),
			flows: number(5), counters: number(7), scaledPackets: number(8), frameLen: number(10),
			agree: strings.HasPrefix(col[19], "3-agree"),
		})
	}
	return all
}

// payload is what one frame of a capture carries over UDP.
type payload struct {
	frame int // from 1
	data  []byte
	from  netip.Addr
}

// payloads returns the sFlow datagrams of a capture.
func payloads(t testing.TB, path string) []payload {
	t.Helper()
	in, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var all []payload
	var p pcap.Packet
	for n := 1; ; n++ {
		if err := in.Next(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		packet := gopacket.NewPacket(p.Data, layers.LinkType(p.Link), gopacket.Default)
		udp, ok := packet.Layer(layers.LayerTypeUDP).(*layers.UDP)
		if !ok || len(udp.Payload) < 4 {
			continue
		}
		if v := udp.Payload; v[0]|v[1]|v[2] != 0 || v[3] != 2 && v[3] != 4 && v[3] != 5 {
			continue
		}
		from, _ := netip.AddrFromSlice(packet.NetworkLayer().NetworkFlow().Src().Raw())
		all = append(all, payload{frame: n, data: udp.Payload, from: from})
	}
}

// row is a flow sample as tshark reads it.
type row struct {
	Frame      int        `json:"frame"`
	SampleType int        `json:"sample_type"`
	Sampling   uint32     `json:"sampling_rate"`
	InIf       uint32     `json:"in_if"`
	FrameLen   uint32     `json:"frame_length"`
	VLAN       []uint16   `json:"vlan"`
	Src        netip.Addr `json:"src"`
	Dst        netip.Addr `json:"dst"`
	Proto      uint8      `json:"proto"`
	IPLen      uint32     `json:"ip_len"`
	SrcPort    uint16     `json:"sport"`
	DstPort    uint16     `json:"dport"`
	TCPFlags   uint8      `json:"tcp_flags"`
}

// rows returns the samples with addresses of a session by frame.
func rows(t *testing.T, dir, name string) map[int][]row {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "oracle", "flows", name+".flows.jsonl"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all := map[int][]row{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if r.SampleType != 0 && r.Src.IsValid() {
			all[r.Frame] = append(all[r.Frame], r)
		}
	}
	return all
}

// of returns a record in the form of the oracle.
func of(r *decode.Record, frame int) row {
	return row{
		Frame: frame, Sampling: r.Sampling, InIf: r.Flow.InIf, FrameLen: r.Wire,
		VLAN: r.VLAN[:r.NVLAN],
		Src:  r.Src.Netip(), Dst: r.Dst.Netip(), Proto: r.Proto, IPLen: r.IPLen,
		SrcPort: r.SrcPort, DstPort: r.DstPort,
		TCPFlags: r.TCPFlags,
	}
}

// allow takes out of an oracle's row, or ours, where they differ and we are right.
func allow(got, want *row) {
	want.SampleType = 0
	if len(want.VLAN) == 0 { // the oracle has none of extended switch data
		got.VLAN = want.VLAN
	}
	if want.InIf == 0x3fffffff { // sFlow's mark of no interface, no index
		want.InIf = 0
	}
	if want.Proto == 0 && got.Proto == 58 { // the extension header, hop-by-hop, not what follows
		want.Proto = 58
	}
	if want.Proto == 1 || want.Proto == 58 { // we have type and code in the destination port
		got.DstPort, want.DstPort = 0, 0
	}
}

func text(r row) string {
	b, err := json.Marshal(r)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return string(b)
}

// TestCorpus holds every sample of every session to what tshark reads, and the sums to those on
// which tshark, pmacct and nfdump agree.
func TestCorpus(t *testing.T) {
	dir := corpusDir(t)
	for _, s := range sessions(t, dir) {
		t.Run(s.name, func(t *testing.T) { compare(t, &s, rows(t, dir, s.name)) })
	}
}

// TestCorpusRates: no device of the corpus drops samples, so that the effective rate is the one
// told in every sample.
func TestCorpusRates(t *testing.T) {
	dir := corpusDir(t)
	for _, s := range sessions(t, dir) {
		told := sflow.NewDecoder(sflow.All, nil)
		effective := sflow.NewDecoder(sflow.Counted, nil)
		var a, b [64]decode.Record
		for _, p := range payloads(t, s.pcap) {
			arrival := decode.Arrival{Payload: p.data}
			told.Begin(&arrival)
			effective.Begin(&arrival)
			n := told.Next(a[:])
			if m := effective.Next(b[:]); m != n {
				t.Fatalf("%s frame %d: %d and %d records", s.name, p.frame, n, m)
			}
			for i := range n {
				if a[i].Sampling != b[i].Sampling {
					t.Fatalf("%s frame %d: 1:%d, told 1:%d", s.name, p.frame, b[i].Sampling,
						a[i].Sampling)
				}
			}
			if l := effective.Datagram().Lost; l != 0 && s.agree {
				t.Logf("%s frame %d: %d datagrams lost", s.name, p.frame, l)
			}
		}
	}
}

func compare(t *testing.T, s *session, want map[int][]row) {
	d := sflow.NewDecoder(sflow.All, &decode.Decoder{})
	var out [4]decode.Record
	var total session
	var skipped, faults uint64
	for _, p := range payloads(t, s.pcap) {
		left := want[p.frame]
		d.Begin(&decode.Arrival{Payload: p.data, Source: decode.AddrFrom(p.from)})
		for n := d.Next(out[:]); n > 0; n = d.Next(out[:]) {
			for i := range out[:n] {
				total.frameLen += uint64(out[i].Wire)
				total.scaledPackets += out[i].Packets * uint64(out[i].Sampling)
				got := of(&out[i], p.frame)
				if len(left) == 0 {
					t.Fatalf("frame %d: more than the oracle has: %s", p.frame, text(got))
				}
				allow(&got, &left[0])
				if text(got) != text(left[0]) {
					t.Errorf("frame %d:\n got %s\nwant %s", p.frame, text(got), text(left[0]))
				}
				left = left[1:]
			}
		}
		if len(left) > 0 {
			t.Errorf("frame %d: %d samples are missing", p.frame, len(left))
		}
		g := d.Datagram()
		total.flows += uint64(g.Records)
		total.counters += uint64(g.CounterSamples)
		for i := range g.Skipped {
			skipped += uint64(g.Skipped[i])
		}
		for f, n := range g.Faults {
			if n > 0 {
				t.Logf("frame %d: %d × %s", p.frame, n, decode.Fault(f))
			}
			faults += uint64(n)
		}
		if !g.Valid {
			t.Errorf("frame %d: the header was not read", p.frame)
		}
	}
	t.Logf("%d flow samples, %d counter samples, %d skipped, %d faults", total.flows,
		total.counters, skipped, faults)
	if s.agree && (total.flows != s.flows || total.frameLen != s.frameLen ||
		total.scaledPackets != s.scaledPackets || total.counters != s.counters) {
		t.Errorf("%d flow samples, %d counter samples, frame lengths %d, packets %d; want %+v",
			total.flows, total.counters, total.frameLen, total.scaledPackets, *s)
	}
	if s.agree && faults > 0 {
		t.Errorf("%d faults in a sound session", faults)
	}
}
