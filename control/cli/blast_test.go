package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/decode/pcap"
	"weir/tools/blast"
	"weir/tools/blast/wire"
)

func TestBlastUsage(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		var out, errOut bytes.Buffer
		status := Main(append([]string{"blast"}, strings.Fields(line)...), &out, &errOut)
		if status != exitUsage || !strings.Contains(errOut.String(), want) {
			t.Errorf("%s: status %d, %s", line, status, &errOut)
		}
	}
	f("eth9", "give --workload or --vector")
	f("eth9 --workload W1 --vector syn_flood", "are both given")
	f("eth9 --workload W1 --duration -1s", "time to send is -1s")
	f("--write x.pcapng --workload W1 --duration -1s", "time to send is -1s")
	f("eth9 --workload W1 --cores -1", "core -1 is none")
	f("eth9 --workload W9", "none of W1")
	f("eth9 --workload W1 --target 10.0.0.1", "--target is for")
	f("eth9 --workload W1 --sources 10.0.0.0/8", "are for a --vector")
	f("eth9 --workload F1 --target 2001:db8::1", "not an IPv4 address")
	f("eth9 --workload F1 --cores 0,1", "sent by 1 core, not 2")
	f("eth9 --vector syn_flood", "needs a --target")
	f("eth9 --vector nothing --target 10.0.0.1", "none of syn_flood")
	f("eth9 --vector syn_flood --target house", "neither an address nor a prefix")
	f("eth9 --vector syn_flood --target 10.0.0.1 --sources 2001:db8::/32", "packets from")
	f("eth9 --vector syn_flood --target 10.0.0.1 --port 70000", "at most 65535")
	f("eth9 --vector syn_flood --target 10.0.0.1 --size 20", "to 10.0.0.1 have 40 to 1500")
	f("eth9 --vector syn_flood --target 2001:db8::1 --size 59", "have 60 to 1500 bytes")
	f("eth9 --vector udp_flood --target 10.0.0.1 --size 9000", "have 28 to 1500 bytes")
	f("eth9 --vector udp_flood --target 10.0.0.1 --size -1", "have 28 to 1500 bytes")
	f("eth9 --vector gre_flood --target 10.0.0.1 --size 23", "have 24 to 1500 bytes")
	f("eth9 --vector fragment_flood --target 10.0.0.1 --size 100", "have 1501 to 65535 bytes")
	f("eth9 --vector dns_amplification --target 10.0.0.1 --size 65536", "have 28 to 65535 bytes")
	f("eth9 --workload W1 --rate fast", "not a number as 250k")
	f("eth9 --workload W1 --rate 0", "not a number as 250k")
	f("eth9 --workload W1 --rate 2000M", "frames per second")
	f("eth9 --workload W1 --rate max --ramp 5s", "needs one to rise to")
	f("eth9 --workload W1 --pulse 5s", "two times as in 5s/20s")
	f("eth9 --workload W1 --pulse 5s/0s", "two times as in 5s/20s")
	f("eth9 --workload W1 --dst-mac house", "not a hardware address")
	f("eth9 --workload W1 --via post", "none of")
	f("eth9 --workload W1 --loop 2000000", "--loop is 2000000")
	f("eth9 --workload W1 -o xml", "table or json")
	f("--workload W1", "goes to an interface")
	f("eth9 --workload W1 --write x.pcapng", "goes to an interface")
	f("--workload W1 --write x.pcapng --rate max", "--rate that is not max")
	f("--workload W1 --write x.pcapng --cores 1", "no --cores")
	f("--workload W1 --write x.pcapng.zst", "a name ends in .pcapng or .pcap")
	f("--workload W1 --write x.gz.gz", "a name ends in .pcapng or .pcap")
}

func TestParseRate(t *testing.T) {
	for text, want := range map[string]float64{
		"max": 0, "1": 1, "250k": 250e3, "1.5M": 1.5e6, "14.88M": 14.88e6,
	} {
		if got, err := parseRate(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func TestBlastList(t *testing.T) {
	table := runWeir(t, "blast", "--list")
	var l blastList
	if err := json.Unmarshal([]byte(runWeir(t, "blast", "--list", "-o", "json")), &l); err != nil {
		t.Fatal(err)
	}
	if len(l.Workloads) != len(blast.Workloads())+len(blast.ExportWorkloads()) ||
		!slices.Equal(l.Vectors, blast.Vectors()) {
		t.Errorf("%+v", l)
	}
	for _, name := range []string{"W1 ", "W8 ", "F1 ", "F5 ", "syn_flood", "gre_flood"} {
		if !strings.Contains(table, name) {
			t.Errorf("no %s in\n%s", name, table)
		}
	}
}

// The progress is for a terminal.
func TestBlastProgress(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // a character device, as a terminal is
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	tell := blastProgress(null)
	if tell == nil {
		t.Fatal("no progress on a device")
	}
	tell(wire.Progress{Elapsed: time.Second, Frames: 7})
	if blastProgress(&bytes.Buffer{}) != nil {
		t.Error("progress in memory")
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "errors"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if blastProgress(file) != nil {
		t.Error("progress in a file")
	}
}

func runWeir(t *testing.T, args ...string) string {
	t.Helper()
	var out, errOut bytes.Buffer
	if status := Main(args, &out, &errOut); status != exitOK {
		t.Fatalf("weir %s: status %d, %s", strings.Join(args, " "), status, &errOut)
	}
	return out.String()
}

// readFrames returns the frames of a capture, and their times after the first.
func readFrames(t *testing.T, path string) (frames []string, times []time.Duration) {
	t.Helper()
	in, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var p pcap.Packet
	for first := int64(0); in.Next(&p) == nil; {
		if first == 0 {
			first = p.Time
		}
		frames = append(frames, string(p.Data))
		times = append(times, time.Duration(p.Time-first))
	}
	return frames, times
}

// A file has the frames of memory, at the times of the rate.
func TestBlastWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "blast.pcapng")
	f := func(line string, l blast.Load, seed uint64, want int, last time.Duration) {
		t.Helper()
		runWeir(t, append([]string{"blast", "--write", path}, strings.Fields(line)...)...)
		frames, times := readFrames(t, path)
		s, err := l.Stream(seed, 0)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, l.MaxLen)
		for i, frame := range frames {
			if frame != string(b[:s.Next(b)]) {
				t.Fatalf("%s: frame %d is another", line, i)
			}
		}
		if len(frames) != want || times[len(times)-1].Round(time.Millisecond) != last {
			t.Errorf("%s: %d frames, the last at %v", line, len(frames), times[len(times)-1])
		}
	}
	w, err := blast.Find("W5")
	if err != nil {
		t.Fatal(err)
	}
	const ms = time.Millisecond
	f("--workload W5 --packets 1001 --rate 1k", w.Load(), 0, 1001, 1000*ms)
	f("--workload W5 --duration 2s --rate 1k --seed 3", w.Load(), 3, 2000, 1999*ms)
	f("--workload W5 --packets 11 --rate 10 --pulse 500ms/10s", w.Load(), 0, 11, 21_000*ms)
	flow := blast.Flow{Vector: "cldap_amplification", Dst: blast.Within("2001:db8:10::/64"),
		Src: blast.Within("2001:db8:99::/64"), DstPort: blast.Port(99), Size: blast.Bytes(2000)}
	l, err := flow.Load()
	if err != nil {
		t.Fatal(err)
	}
	f("--vector cldap_amplification --target 2001:db8:10::/64 --sources 2001:db8:99::/64 "+
		"--port 99 --size 2000 --packets 100 --rate 1k", l, 0, 100, 99*ms)
}

// What was written is told as what was sent is; the name says what the file is.
func TestBlastWrite_Result(t *testing.T) {
	f := func(name, magic string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), name)
		line := "blast --workload W1 --packets 1000 --rate 1k --dst-mac 02:01:02:03:04:05 --write "
		var r wire.Result
		out := runWeir(t, append(strings.Fields(line), path, "-o", "json")...)
		if err := json.Unmarshal([]byte(out), &r); err != nil || strings.Count(out, "\n") != 1 {
			t.Fatal(err, out)
		}
		want := wire.Result{
			Type: "blast", File: path, Load: "W1", Via: wire.File, Sent: 1000, Bytes: 60_000,
			Seconds: 1, PPS: 1000, BPS: 480_000, Cores: []wire.Core{},
		}
		if !reflect.DeepEqual(r, want) {
			t.Errorf("%s: %+v, want %+v", name, r, want)
		}
		file, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(file), magic) {
			t.Errorf("%s: % x, %v", name, file[:4], err)
		}
		frames, times := readFrames(t, path)
		if len(frames) != 1000 || times[999] != 999*time.Millisecond ||
			!strings.HasPrefix(frames[0], "\x02\x01\x02\x03\x04\x05") {
			t.Errorf("%s: %d frames, the first % x", name, len(frames), frames[0])
		}
	}
	const ng, classic, zip = "\x0a\x0d\x0d\x0a", "\x4d\x3c\xb2\xa1", "\x1f\x8b"
	f("x.pcapng", ng)
	f("x", ng)
	f("x.PCAP", classic)
	f("x.cap", classic)
	f("x.pcap.gz", zip)
	f("x.pcapng.gz", zip)
	table := runWeir(t, "blast", "--workload", "W1", "--packets", "1000", "--rate", "1k", "--write",
		filepath.Join(t.TempDir(), "y"))
	if !strings.Contains(table, "1000 frames, 60000 bytes, for 1s at 1 kpps") {
		t.Error(table)
	}
}

// Through a pipe goes the capture alone: the result is talk.
func TestBlastWrite_Pipe(t *testing.T) {
	var out, talk bytes.Buffer
	line := "blast --workload F1 --packets 10 --rate 1k -o json --write -"
	if status := Main(strings.Fields(line), &out, &talk); status != exitOK {
		t.Fatal(status, &talk)
	}
	var r wire.Result
	if err := json.Unmarshal(talk.Bytes(), &r); err != nil || r.Sent != 10 || r.File != "-" {
		t.Errorf("%v, %s", err, &talk)
	}
	in, err := pcap.NewReader("pipe", &out)
	if err != nil {
		t.Fatal(err)
	}
	var p pcap.Packet
	n := 0
	for ; in.Next(&p) == nil; n++ {
	}
	if n != 10 {
		t.Errorf("%d frames", n)
	}
}

func TestBlastWrite_Failure(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "no", "x.pcap"), "/dev/full"} {
		if _, err := os.Stat("/dev/full"); err != nil && path == "/dev/full" {
			continue
		}
		status, out, talk := run("blast --workload W1 --packets 10 --rate 1k --write " + path)
		if status != exitFailed || out != "" || !strings.Contains(talk, path) {
			t.Errorf("%s: status %d, %q, %q", path, status, out, talk)
		}
	}
	status, out, talk := run("blast --workload W1 --packets 10 --rate 1k --write x.pcap.xz")
	if _, err := os.Stat("x.pcap.xz"); err == nil || status != exitUsage || out != "" {
		t.Errorf("status %d, %q, %q, and the file: %v", status, out, talk, err)
	}
}
