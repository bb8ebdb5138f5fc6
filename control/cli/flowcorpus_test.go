package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// flowSession is a line of ORACLE.tsv: what other decoders make of a capture of exports.
type flowSession struct {
	name, capture  string
	flows, options int
	counters       int
	agree          bool // on the number of flows
}

func flowSessions(t *testing.T, dir string) []flowSession {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "ORACLE.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	var all []flowSession
	for line := range strings.Lines(string(b)) {
		col := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if col[0] == "session" {
			continue
		}
		number := func(i int) int {
			n, err := strconv.Atoi(col[i])
			if err != nil {
				t.Fatalf("%s: %v", col[0], err)
			}
			return n
		}
		all = append(all, flowSession{
			name: col[0], capture: filepath.Join(dir, col[2]), flows: number(5),
			options: number(6), counters: number(7), agree: strings.Contains(col[19], "-agree"),
		})
	}
	return all
}

// oracleFlow is a flow of ours or of the oracle, in what the comparison looks at.
type oracleFlow struct {
	Type       string
	Src, Dst   string
	SrcPort    uint16          `json:"sport"`
	DstPort    uint16          `json:"dport"`
	IPProto    *uint8          `json:"ipproto"`
	Proto      json.RawMessage `json:"proto"` // of the oracle: the IP protocol
	Packets    uint64
	Bytes      uint64
	SampleType *int   `json:"sample_type"`
	FrameLen   uint64 `json:"frame_length"`
}

// key returns what of a flow is compared. The oracle has no type and code of ICMP in the ports,
// and names of sFlow the length of the frame.
func (f *oracleFlow) key(t *testing.T) string {
	t.Helper()
	proto := 0
	if f.IPProto != nil {
		proto = int(*f.IPProto)
	} else if err := json.Unmarshal(f.Proto, &proto); len(f.Proto) > 0 && err != nil {
		t.Fatal(err)
	}
	if f.SampleType != nil {
		f.Packets, f.Bytes = 1, f.FrameLen
	}
	if isICMP(uint8(proto)) || proto == 0 {
		f.SrcPort, f.DstPort = 0, 0
	}
	if proto == 0 && f.Dst == "ff02::16" {
		proto = 58 // the oracle's is the hop-by-hop header, before MLD's report
	}
	return fmt.Sprintf("%v:%d>%v:%d %d %d %d", plain(t, f.Src), f.SrcPort, plain(t, f.Dst),
		f.DstPort, proto, f.Packets, f.Bytes)
}

func plain(t *testing.T, ip string) netip.Addr {
	t.Helper()
	a, err := netip.ParseAddr(ip)
	if err != nil {
		t.Fatal(err)
	}
	return a.Unmap()
}

// oracleFlows counts the flows of a session with addresses.
func oracleFlows(t *testing.T, dir, name string) map[string]int {
	t.Helper()
	file, err := os.Open(filepath.Join(dir, "oracle", "flows", name+".flows.jsonl"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	all := map[string]int{}
	for scan := bufio.NewScanner(file); scan.Scan(); {
		var f oracleFlow
		if err := json.Unmarshal(scan.Bytes(), &f); err != nil {
			t.Fatal(err)
		}
		if f.Src != "" {
			all[f.key(t)]++
		}
	}
	return all
}

// flowsBeyond are sessions of which we read more flows and options records than the oracle, all
// other flows being the same, and why.
var flowsBeyond = map[string]struct {
	flows, options int
	why            string
}{
	"logstash__IPFIX_YAF_basic_with_applabel": {2, 0, "biflows are two records (RFC 5103)"},
	"telegraf__ipfix_example":                 {27, 0, "biflows are two records (RFC 5103)"},
	"graylog-plugin-netflow_netflow-data_netflow9": {3, 1,
		"headers count fewer records than their sets hold; nfdump reads as many as we do"},
}

// TestFlowsOfTheCorpus runs the command on every session of exports and compares the flows, in any
// order, with what tshark reads.
func TestFlowsOfTheCorpus(t *testing.T) {
	dir := corpus(t)
	sessions := flowSessions(t, dir)
	if len(sessions) < 60 {
		t.Errorf("only %d sessions", len(sessions))
	}
	for _, s := range sessions {
		t.Run(s.name, func(t *testing.T) { compareSession(t, dir, &s) })
	}
}

func compareSession(t *testing.T, dir string, s *flowSession) {
	status, out, errOut := decodeFlows("-o", "json", s.capture)
	if status != exitOK || errOut != "" {
		t.Fatalf("status %d, %q", status, errOut)
	}
	want := oracleFlows(t, dir, s.name)
	beyond := flowsBeyond[s.name]
	var sum flowSummary
	more := 0
	for line := range bytes.Lines([]byte(out)) {
		var f oracleFlow
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatal(err)
		}
		if f.Type == "summary" {
			if err := json.Unmarshal(line, &sum); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if k := f.key(t); want[k] > 0 {
			want[k]--
		} else if more++; s.agree && more > beyond.flows {
			t.Errorf("the oracle has no %s", line)
		}
	}
	for k, n := range want {
		if n > 0 && s.agree {
			t.Errorf("%d × %s is missing", n, k)
		}
	}
	if len(sum.Errors) > 0 {
		t.Logf("errors %v", sum.Errors)
	}
	flows := int(sum.Flows + sum.Skipped["no_addresses"])
	if !s.agree {
		t.Logf("%d flows, the oracle has %d and is disputed", flows, s.flows)
		return
	}
	if flows != s.flows+beyond.flows || int(sum.Options) != s.options+beyond.options ||
		int(sum.CounterSamples) != s.counters || more != beyond.flows {
		t.Errorf("%d flows, %d beyond the oracle, %d options records, %d counter samples; "+
			"want %+v and %+v", flows, more, sum.Options, sum.CounterSamples, *s, beyond)
	}
}
