package cli

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Magic numbers of classic captures, by the unit of their times.
const (
	microCapture = 0xa1b2c3d4
	nanoCapture  = 0xa1b23c4d
)

// decodeCapture writes a capture of frames, given in hex, that came at 2026-01-02T03:04:05 and as
// many units of time as the frame's number, and returns its path.
func decodeCapture(t *testing.T, magic, link uint32, frames ...string) string {
	t.Helper()
	order := binary.LittleEndian
	b := order.AppendUint32(nil, magic)
	b = append(b, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0)
	b = order.AppendUint32(b, link)
	for i, text := range frames {
		frame, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		n := uint32(len(frame))
		for _, v := range []uint32{1767323045, uint32(i + 1), n, n} {
			b = order.AppendUint32(b, v)
		}
		b = append(b, frame...)
	}
	path := filepath.Join(t.TempDir(), "frames.pcap")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// decodePackets runs the command.
func decodePackets(args ...string) (status int, out, errOut string) {
	var o, e strings.Builder
	status = Main(append([]string{"decode", "packets"}, args...), &o, &e)
	return status, o.String(), e.String()
}

// Frames, as hex.
const (
	macs = "020000000001 020000000002 "
	ends = " c0000201 c6336407 " // 192.0.2.1 → 198.51.100.7

	tcpFrame = macs + "0800 4500003c 12344000 3906 0000" + ends +
		"01bb c350 00000001 00000002 a012 0400 00000000" +
		"02040508 02040508 02040508 02040508 02040508"
	taggedFrame = macs + "8100 0064 8847 00010140 45000040 12344000 392f 0000" + ends +
		"0000 0800 45000028 12344000 3906 0000 0a000001 0a000002" +
		"01bb c350 00000001 00000002 5000 0400 00000000"
	firstFrame = macs + "0800 4500001c 12342000 3911 0000" + ends + "0035 115c 00ff 0000"
	laterFrame = macs + "0800 4500001c 12340010 3911 0000" + ends + "0035 115c 00ff 0000"
	icmpFrame  = macs + "0800 4500001c 12344000 3901 0000" + ends + "0301 0000 00000000"
	espFrame   = macs + "86dd 60000000 0008 32 40 20010db8000000000000000000000001" +
		"20010db8000000000000000000000007 0000000100000002"
	mappedFrame = macs + "86dd 60000000 0000 3b 40 00000000000000000000ffff0a000001" +
		"20010db8000000000000000000000007"
	arpFrame  = macs + "0806 0001080006040001020000000001c0000201000000000000c0000202"
	cutFrame  = macs + "0800 4500001c 12344000 3911 0000" + ends
	longFrame = macs + "0800 45000fff 12344000 3911 0000" + ends + "0035 115c 0008 0000"
)

func TestDecodePackets_Success(t *testing.T) {
	f := func(frame, want string) {
		t.Helper()
		status, out, errOut := decodePackets("-o", "json", decodeCapture(t, microCapture, 1, frame))
		lines := strings.Split(out, "\n")
		want = `{"type":"packet","n":1,"time":"2026-01-02T03:04:05.000001Z",` + want
		if status != exitOK || errOut != "" || len(lines) != 3 || lines[0] != want {
			t.Errorf("status %d, %q:\n got %s\nwant %s", status, errOut, out, want)
		}
	}
	addresses := `"src":"192.0.2.1","dst":"198.51.100.7",`
	f(tcpFrame, `"wire":74,"status":"ok",`+addresses+`"ipproto":6,"sport":443,"dport":50000,`+
		`"tcp_flags":18,"ip_len":60,"ttl":57}`)
	f(taggedFrame, `"wire":86,"status":"ok","vlan":[100],"mpls":[16],"tunnel":["gre"],`+
		`"src":"10.0.0.1","dst":"10.0.0.2","ipproto":6,"sport":443,"dport":50000,"tcp_flags":0,`+
		`"ip_len":40,"ttl":57}`)
	f(firstFrame, `"wire":42,"status":"ok",`+addresses+`"ipproto":17,"sport":53,"dport":4444,`+
		`"ip_len":28,"ttl":57,"fragment":"first"}`)
	f(laterFrame, `"wire":42,"status":"ok",`+addresses+
		`"ipproto":17,"ip_len":28,"ttl":57,"fragment":"later"}`)
	f(icmpFrame, `"wire":42,"status":"ok",`+addresses+
		`"ipproto":1,"sport":0,"dport":769,"ip_len":28,"ttl":57}`)
	f(espFrame, `"wire":62,"status":"ok","src":"2001:db8::1","dst":"2001:db8::7","ipproto":50,`+
		`"ip_len":48,"ttl":64}`)
	f(mappedFrame, `"wire":54,"status":"ok","src":"::ffff:10.0.0.1","dst":"2001:db8::7",`+
		`"ipproto":59,"ip_len":40,"ttl":64}`)
	f(arpFrame, `"wire":42,"status":"not_ip"}`)
	f(cutFrame, `"wire":34,"status":"bad_length",`+addresses+`"ipproto":17,"ip_len":28,"ttl":57}`)
	f(longFrame, `"wire":42,"status":"bad_length",`+addresses+
		`"ipproto":17,"sport":53,"dport":4444,"ip_len":4095,"ttl":57}`)
}

func TestDecodePackets_Summary(t *testing.T) {
	a := decodeCapture(t, microCapture, 1, tcpFrame, arpFrame)
	b := decodeCapture(t, nanoCapture, 1, tcpFrame)
	unread := decodeCapture(t, microCapture, 105, tcpFrame)
	status, out, errOut := decodePackets("-o", "json", a, b, unread)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if status != exitOK || errOut != "" || len(lines) != 5 {
		t.Fatalf("status %d, %q, %d lines:\n%s", status, errOut, len(lines), out)
	}
	for i, want := range []string{
		`{"type":"packet","n":1,"time":"2026-01-02T03:04:05.000001Z","wire":74,"status":"ok",`,
		`{"type":"packet","n":2,"time":"2026-01-02T03:04:05.000002Z","wire":42,"status":"not_ip"}`,
		`{"type":"packet","n":1,"time":"2026-01-02T03:04:05.000000001Z","wire":74,"status":"ok",`,
		`{"type":"packet","n":1,"time":"2026-01-02T03:04:05.000001Z","wire":74,"status":"unknown_`,
		`{"type":"summary","packets":4,"bytes":264,"status":{"not_ip":1,"ok":2,"unknown_link":1}}`,
	} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d:\n got %s\nwant %s", i+1, lines[i], want)
		}
	}

	_, out, _ = decodePackets("-o", "json", decodeCapture(t, microCapture, 1))
	if want := `{"type":"summary","packets":0,"bytes":0,"status":{}}` + "\n"; out != want {
		t.Errorf("an empty capture gives\n%s", out)
	}
}

func TestDecodePackets_Table(t *testing.T) {
	a := decodeCapture(t, microCapture, 1,
		tcpFrame, taggedFrame, icmpFrame, laterFrame, espFrame, arpFrame)
	status, out, _ := decodePackets(a)
	// The left half of each line and the right one.
	left := []string{
		"N  TIME                         WIRE  STATUS  PROTO  ",
		"1  2026-01-02T03:04:05.000001Z    74  ok      tcp    ",
		"2  2026-01-02T03:04:05.000002Z    86  ok      tcp    ",
		"3  2026-01-02T03:04:05.000003Z    42  ok      icmp   ",
		"4  2026-01-02T03:04:05.000004Z    42  ok      udp    ",
		"5  2026-01-02T03:04:05.000005Z    62  ok      esp    ",
		"6  2026-01-02T03:04:05.000006Z    42  not_ip",
	}
	right := []string{
		"SOURCE         DESTINATION         LEN  TTL  NOTES",
		"192.0.2.1:443  198.51.100.7:50000   60   57  [SA]",
		"10.0.0.1:443   10.0.0.2:50000       40   57  vlan 100, mpls 16, gre, []",
		"192.0.2.1      198.51.100.7         28   57  type 3 code 1",
		"192.0.2.1      198.51.100.7         28   57  later fragment",
		"2001:db8::1    2001:db8::7          48   64",
		"",
	}
	want := ""
	for i := range left {
		want += left[i] + right[i] + "\n"
	}
	want += "\n6 frames, 348 B on the wire: 5 ok, 1 not_ip\n"
	if status != exitOK || out != want {
		t.Errorf("status %d, got\n%swant\n%s", status, out, want)
	}

	_, out, _ = decodePackets(a, a)
	if n := strings.Count(out, a+":\n"); n != 2 || strings.Count(out, "DESTINATION") != 1 {
		t.Errorf("two files are not told apart, or have two heads:\n%s", out)
	}
}

// TestDecodePackets_LongTable goes beyond what is aligned at once.
func TestDecodePackets_LongTable(t *testing.T) {
	frames := make([]string, 3*rowsAtOnce+1)
	for i := range frames {
		frames[i] = tcpFrame
	}
	_, out, _ := decodePackets(decodeCapture(t, microCapture, 1, frames...))
	lines := strings.Split(out, "\n")
	if len(lines) != 1+len(frames)+3 {
		t.Errorf("%d frames give %d lines", len(frames), len(lines))
	}
	if last := lines[len(frames)]; !strings.HasPrefix(last, "1501  ") {
		t.Errorf("the last row is %q", last)
	}
}

func TestDecodePackets_Failure(t *testing.T) {
	whole := decodeCapture(t, microCapture, 1, tcpFrame, arpFrame)
	b, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	torn := filepath.Join(t.TempDir(), "torn.pcap")
	if err := os.WriteFile(torn, b[:len(b)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "text.pcap")
	if err := os.WriteFile(text, []byte("no capture at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := func(wantFrames int, wantError []string, files ...string) {
		t.Helper()
		for _, format := range []string{"json", "table"} {
			status, out, errOut := decodePackets(append([]string{"-o", format}, files...)...)
			if status != exitFailed || strings.Count(errOut, "\n") != 1 {
				t.Errorf("status %d, %q", status, errOut)
			}
			for _, want := range wantError {
				if !strings.Contains(errOut, want) {
					t.Errorf("%q does not say %q", errOut, want)
				}
			}
			frames := strings.Count(out, "03:04:05")
			summary := strings.Contains(out, "summary") || strings.Contains(out, "on the wire")
			if frames != wantFrames || summary {
				t.Errorf("%d frames, want %d, summary %t:\n%s", frames, wantFrames, summary, out)
			}
		}
	}
	f(1, []string{torn, "offset 114"}, torn)
	f(3, []string{torn, "offset 114"}, whole, torn, whole)
	f(0, []string{text, "offset 0"}, text)
	f(0, []string{"absent.pcap"}, filepath.Join(t.TempDir(), "absent.pcap"))
}

func TestDecodePackets_Usage(t *testing.T) {
	f := func(args ...string) {
		t.Helper()
		var out, errOut strings.Builder
		if status := Main(append([]string{"decode"}, args...), &out, &errOut); status != exitUsage {
			t.Errorf("%q: status %d, %q", args, status, errOut.String())
		}
	}
	f("packets")
	f("packets", "-o", "xml", "frames.pcap")
	f("packets", "--payload", "netflow", "frames.pcap")
	f("frames")
}
