package cli

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/decode/sflow/sflowtest"
)

// decodeFlows runs the command.
func decodeFlows(args ...string) (status int, out, errOut string) {
	var o, e strings.Builder
	status = Main(append([]string{"decode", "flows"}, args...), &o, &e)
	return status, o.String(), e.String()
}

// over wraps a UDP payload, in hex, into a frame from 192.0.2.9.
func over(port uint16, payload string) string {
	payload = strings.ReplaceAll(payload, " ", "")
	n := len(payload) / 2
	return macs + "0800" + fmt.Sprintf("4500%04x 12340000 4011 0000 c0000209 c6336407", 28+n) +
		fmt.Sprintf("1388%04x%04x0000", port, 8+n) + payload
}

// Export datagrams, in hex.
const (
	// NetFlow v5: uptime 10 s, sent 2026-01-02T03:04:06, engine 0:1, sampled 1:1000. The flow ran
	// from second 8 to 9 of its uptime.
	v5Head = "0005 0001 00002710 695735a6 00000000 00000001 00 01 43e8"
	v5Flow = ends + "c00002fe 0001 0002 0000000a 00001388 00001f40 00002328" +
		"0035 115c 00 00 11 b8 fbf4 fbf5 18 18 0000"
	v5 = v5Head + v5Flow

	ipfixHead = "695735a6 00000000 00000007"
)

// IPFIX: template 256 has addresses, protocol, packets and bytes.
var (
	template = ipfix("0002 001c 0100 0005 0008 0004 000c 0004 0004 0001 0002 0004 0001 0004")
	data     = ipfix("0100 0015" + ends + "32 00000003 0000012c")
)

func ipfix(sets string) string {
	n := 16 + len(strings.ReplaceAll(sets, " ", ""))/2
	return fmt.Sprintf("000a%04x", n) + ipfixHead + sets
}

// sampledBy returns an sFlow datagram with one sample of tcpFrame and one of arpFrame.
func sampledBy(agent string) string {
	frame := func(text string) []byte {
		b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		if err != nil {
			panic("BUG: " + err.Error())
		}
		return b
	}
	f := sflowtest.Flow{Source: 3, Rate: 2000, Pool: 9999, In: 3, Out: 1<<30 | 258}
	gateway := sflowtest.Tagged(1003, sflowtest.Address(netip.MustParseAddr("192.0.2.254")),
		sflowtest.U32(64500, 64501, 0, 1, 2, 1, 64502, 0, 100))
	vlan := sflowtest.Tagged(1001, sflowtest.U32(100, 0, 100, 0))
	h := sflowtest.Head{Agent: netip.MustParseAddr(agent), Sub: 2, Sequence: 1}
	return hex.EncodeToString(h.Datagram(
		f.Sample(sflowtest.Header(1, 78, 4, frame(tcpFrame)), gateway, vlan),
		f.Sample(sflowtest.Header(1, 46, 4, frame(arpFrame))),
		sflowtest.Counters(1, 3, sflowtest.Tagged(1, sflowtest.Generic(3, 1e9)))))
}

const (
	v5Line = `{"type":"flow","proto":"netflow5","exporter":"192.0.2.9","domain":1,` +
		`"src":"192.0.2.1","dst":"198.51.100.7","ipproto":17,"sport":53,"dport":4444,` +
		`"tcp_flags":0,"packets":10,"bytes":5000,"sampling":1000,` +
		`"start":"2026-01-02T03:04:04Z","end":"2026-01-02T03:04:05Z","in_if":1,"out_if":2,` +
		`"src_as":64500,"dst_as":64501,"next_hop":"192.0.2.254","tos":184}`
	ipfixLine = `{"type":"flow","proto":"ipfix","exporter":"192.0.2.9","domain":7,` +
		`"src":"192.0.2.1","dst":"198.51.100.7","ipproto":50,"tcp_flags":0,"packets":3,` +
		`"bytes":300,"sampling":1,"tos":0}`
	sflowLine = `{"type":"flow","proto":"sflow5","exporter":"2001:db8::9","domain":2,` +
		`"src":"192.0.2.1","dst":"198.51.100.7","ipproto":6,"sport":443,"dport":50000,` +
		`"tcp_flags":18,"packets":1,"bytes":78,"sampling":2000,"in_if":3,"src_as":64501,` +
		`"dst_as":64502,"next_hop":"192.0.2.254","tos":0,"vlan":100,"forwarding_status":129}`
)

func TestDecodeFlows_Success(t *testing.T) {
	f := func(want []string, args ...string) {
		t.Helper()
		status, out, errOut := decodeFlows(append([]string{"-o", "json"}, args...)...)
		if all := strings.Join(want, "\n") + "\n"; status != exitOK || errOut != "" || out != all {
			t.Errorf("status %d, %q:\n got %s\nwant %s", status, errOut, out, all)
		}
	}
	summary := func(of, errors, skipped string) string {
		return `{"type":"summary",` + of + `,"errors":{` + errors + `},"skipped":{` + skipped + `}}`
	}
	capture := func(frames ...string) string {
		return decodeCapture(t, microCapture, 1, frames...)
	}
	one := func(packets, bytes int) string {
		return fmt.Sprintf(`"datagrams":1,"flows":1,"packets":%d,"bytes":%d,"templates":0,`+
			`"options":0,"counter_samples":0`, packets, bytes)
	}
	f([]string{v5Line, summary(one(10, 5000), "", `"no_template":0`)}, capture(over(2055, v5)))
	f([]string{v5Line, summary(one(10, 5000), "", `"no_template":0`)}, capture(
		tcpFrame, arpFrame, over(12345, v5), over(53, v5Head), over(2152, "30ff0000")))
	f([]string{sflowLine, summary(`"datagrams":1,"flows":1,"packets":1,"bytes":78,"templates":0,`+
		`"options":0,"counter_samples":1`, "", `"no_addresses":1,"no_template":0`)},
		capture(over(6343, sampledBy("2001:db8::9"))))
	f([]string{sflowLine, summary(`"datagrams":1,"flows":1,"packets":1,"bytes":78,"templates":0,`+
		`"options":0,"counter_samples":1`, "", `"no_addresses":1,"no_template":0`)},
		capture(over(2055, sampledBy("2001:db8::9")))) // by content, not by port

	// What comes before its template is lost, unless templates are learned first.
	early := capture(over(4739, data), over(4739, template), over(4739, data))
	f([]string{ipfixLine, summary(`"datagrams":3,"flows":1,"packets":3,"bytes":300,`+
		`"templates":1,"options":0,"counter_samples":0`, "", `"no_template":1`)}, early)
	f([]string{ipfixLine, ipfixLine, summary(`"datagrams":3,"flows":2,"packets":6,"bytes":600,`+
		`"templates":1,"options":0,"counter_samples":0`, "", `"no_template":0`)},
		"--templates-first", early)
	f([]string{ipfixLine, summary(`"datagrams":2,"flows":1,"packets":3,"bytes":300,`+
		`"templates":1,"options":0,"counter_samples":0`, "", `"no_template":0`)},
		capture(over(4739, template)), capture(over(4739, data)))

	// Damage in datagrams.
	f([]string{v5Line, summary(`"datagrams":4,"flows":1,"packets":10,"bytes":5000,"templates":0,`+
		`"options":0,"counter_samples":0`, `"bad_count":1,"bad_version":1,"short_datagram":1`,
		`"no_template":0`)}, capture(over(2055, strings.Replace(v5, "0005 0001", "0005 0002", 1)),
		over(9995, "0006 0001 00000000"), over(2055, "0009"), over(2055, v5Head[:4]+"0000"+
			v5Head[9:])))
	f([]string{summary(`"datagrams":0,"flows":0,"packets":0,"bytes":0,"templates":0,`+
		`"options":0,"counter_samples":0`, "", `"no_template":0`)}, capture(tcpFrame))
}

// TestDecodeFlows_Fragments: an export in fragments is read like any other, and named if it is
// not whole.
func TestDecodeFlows_Fragments(t *testing.T) {
	whole := strings.ReplaceAll(over(2055, v5), " ", "")
	part := func(from, to int, more uint16) string {
		const behindIP = 2 * 34
		b, err := hex.DecodeString(whole[:behindIP] + whole[behindIP+2*from:behindIP+2*to])
		if err != nil {
			t.Fatal(err)
		}
		binary.BigEndian.PutUint16(b[16:], uint16(20+to-from))
		binary.BigEndian.PutUint16(b[20:], more<<13|uint16(from/8))
		return hex.EncodeToString(b)
	}
	n := len(whole)/2 - 34
	first, second := part(0, 32, 1), part(32, n, 0)
	_, out, _ := decodeFlows("-o", "json", decodeCapture(t, microCapture, 1, second, first))
	if lines := strings.Split(out, "\n"); lines[0] != v5Line {
		t.Errorf("got %s\nwant %s", out, v5Line)
	}
	_, out, _ = decodeFlows("-o", "json", decodeCapture(t, microCapture, 1, first, tcpFrame))
	if !strings.HasPrefix(out, `{"type":"summary","datagrams":0,`) ||
		!strings.Contains(out, `"errors":{"missing_fragments":1}`) {
		t.Errorf("half a datagram gives %s", out)
	}
}

func TestDecodeFlows_Payload(t *testing.T) {
	write := func(text string) string {
		b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "payload.bin")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	f := func(kind, line string, files ...string) {
		t.Helper()
		status, out, errOut := decodeFlows(append([]string{"-o", "json", "--payload", kind},
			files...)...)
		lines := strings.Split(out, "\n")
		if status != exitOK || errOut != "" || lines[0] != line {
			t.Errorf("status %d, %q:\n got %s\nwant %s", status, errOut, out, line)
		}
	}
	nobody := func(line string) string {
		return strings.Replace(line, `"exporter":"192.0.2.9",`, "", 1)
	}
	f("netflow", nobody(v5Line), write(v5))
	f("netflow", nobody(ipfixLine), write(template), write(data))
	f("sflow", sflowLine, write(sampledBy("2001:db8::9")))
	failed := func(kind, text, want string) {
		t.Helper()
		path := write(text)
		status, out, errOut := decodeFlows("-o", "json", "--payload", kind, path)
		if status != exitFailed || out != "" || errOut != "weir: "+path+": "+want+"\n" {
			t.Errorf("status %d, %q, %q, want %q", status, out, errOut, want)
		}
	}
	failed("sflow", v5, "offset 0: bad_version")
	failed("netflow", "", "offset 0: short_datagram")
	failed("netflow", strings.Repeat("00", 1<<16), "offset 65535: longer than a UDP payload can be")
}

func TestDecodeFlows_Table(t *testing.T) {
	a := decodeCapture(t, microCapture, 1, over(2055, v5), over(6343, sampledBy("192.0.2.8")))
	b := decodeCapture(t, microCapture, 1, over(4739, data), over(4739, "0007"))
	status, out, errOut := decodeFlows(a, b)
	want := a + ":\n" +
		"EXPORTER   PROTO     START                 IP   SOURCE         DESTINATION" +
		"         PACKETS  BYTES   1:N  NOTES\n" +
		"192.0.2.9  netflow5  2026-01-02T03:04:04Z  udp  192.0.2.1:53   198.51.100.7:4444" +
		"        10   5000  1000  domain 1, in 1, out 2, from AS 64500, to AS 64501, " +
		"via 192.0.2.254, tos 184\n" +
		"192.0.2.8  sflow5                          tcp  192.0.2.1:443  198.51.100.7:50000" +
		"        1     78  2000  [SA], domain 2, in 3, vlan 100, from AS 64501, to AS 64502, " +
		"via 192.0.2.254, dropped\n" + b + ":\n\n" +
		"2 flows in 4 datagrams: 11 packets, 5.08 kB as exported; 0 templates, " +
		"0 options records, 1 counter sample\n" +
		"skipped: 1 no_addresses, 1 no_template\nerrors: 1 bad_version\n"
	if status != exitOK || errOut != "" || out != want {
		t.Errorf("status %d, %q, got\n%swant\n%s", status, errOut, out, want)
	}
}

func TestDecodeFlows_Failure(t *testing.T) {
	whole := decodeCapture(t, microCapture, 1, over(2055, v5), tcpFrame)
	b, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	torn := filepath.Join(t.TempDir(), "torn.pcap")
	if err := os.WriteFile(torn, b[:len(b)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{}, {"-o", "json"}, {"--templates-first", "-o", "json"}} {
		status, out, errOut := decodeFlows(append(args, whole, torn, whole)...)
		if status != exitFailed || strings.Count(errOut, "\n") != 1 ||
			!strings.Contains(errOut, torn+": offset ") {
			t.Errorf("%v: status %d, %q", args, status, errOut)
		}
		if strings.Count(out, "198.51.100.7") != 2 || strings.Contains(out, "summary") {
			t.Errorf("%v: got\n%s", args, out)
		}
	}
	for _, args := range [][]string{
		{}, {"-o", "xml", whole}, {"--payload", "ipfix", whole}, {"--templates-first", "-"},
	} {
		if status, _, errOut := decodeFlows(args...); status != exitUsage {
			t.Errorf("%v: status %d, %q", args, status, errOut)
		}
	}
}

// TestOverTCP: IPFIX over TCP in a capture is told as skipped, by decode flows and by replay.
func TestOverTCP(t *testing.T) {
	over := func(payload string) string {
		payload = strings.ReplaceAll(payload, " ", "")
		return macs + "0800" + fmt.Sprintf("4500%04x 12340000 4006 0000 c0000209 c6336407",
			40+len(payload)/2) + "13881283 00000001 00000001 5018 ffff 0000 0000" + payload
	}
	capture := decodeCapture(t, microCapture, 1, over(template+data), over(data), over(""),
		over("474554202f20485454502f312e310d0a0d0a0000"))
	skipped := `"ipfix_over_tcp":2`
	if _, out, _ := decodeFlows("-o", "json", capture); !strings.Contains(out, skipped) {
		t.Errorf("decode flows: %s", out)
	}
	config := writeConfig(t, replayConfig+"capture: {flows: [{listen: '[::]:4739'}]}\n")
	if _, out := replayLines(t, config, capture); !strings.Contains(out, skipped) ||
		!strings.Contains(out, `"packets":4,`) {
		t.Errorf("replay: %s", out)
	}
	_, table, _ := weir("replay", "-c", config, capture)
	if !strings.Contains(table, "; skipped: 2 ipfix_over_tcp; 0 attacks\n") {
		t.Errorf("replay: %s", table)
	}
	config = writeConfig(t, replayConfig+"capture: {flows: [{listen: '[::]:2055'}]}\n")
	if _, out := replayLines(t, config, capture); strings.Contains(out, "skipped") {
		t.Errorf("replay, of another port: %s", out)
	}
}
