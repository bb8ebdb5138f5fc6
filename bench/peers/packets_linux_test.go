package main

import (
	"bytes"
	"encoding/binary"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestPacketTable(t *testing.T) {
	var out bytes.Buffer
	runs := []packetResult{
		{System: "fastnetmon", Via: "afpacket", Workload: "W2", UserNS: 400, TotalNS: 410},
		{System: "weir", Via: "afpacket", Workload: "W1", UserNS: 900, Loss: 0.5},
		{System: "weir-ring", Via: "afxdp", Workload: "W1", UserNS: 5, SystemNS: 2, TotalNS: 7},
		{System: "weir", Via: "afpacket", Workload: "W1", UserNS: 30, Rate: 2e5},
		{System: "fastnetmon", Via: "afpacket", Workload: "W1", UserNS: 150, Loss: 0.25},
		{System: "weir", Via: "afpacket", Workload: "W1", UserNS: 10, Rate: 2e5},
		{System: "weir", Via: "afpacket", Workload: "W1", UserNS: 20, Rate: 2e5},
	}
	if err := printPackets(&out, runs); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	want := []string{
		"W1 afpacket weir 3/4 20 10– 30 0 0 1.0 0.00 200",
		"W1 afpacket fastnetmon 0/1 150* 150– 150 0 0 7.5 25.00 0",
		"W1 afxdp weir-ring 1/1 5 5– 5 2 7 1.0 0.00 0",
		"W2 afpacket fastnetmon 1/1 400 400– 400 0 410 1.0 0.00 0",
	}
	if len(lines) != 1+len(want) {
		t.Fatalf("%d lines:\n%s", len(lines), out.String())
	}
	for i := range want {
		if got := strings.Join(strings.Fields(lines[1+i]), " "); got != want[i] {
			t.Errorf("got %q, want %q", got, want[i])
		}
	}
}

func TestCountSamples(t *testing.T) {
	var data []byte
	record := func(kind uint32, mode uint16, pid uint32, more int) {
		b := make([]byte, sampleRecord+more)
		binary.NativeEndian.PutUint32(b, kind)
		binary.NativeEndian.PutUint16(b[sampleMisc:], mode)
		binary.NativeEndian.PutUint16(b[sampleSize:], uint16(len(b)))
		binary.NativeEndian.PutUint32(b[samplePID:], pid)
		data = append(data, b...)
	}
	const kernel, user = 1, 2
	record(unix.PERF_RECORD_SAMPLE, kernel, 7, 0)
	record(unix.PERF_RECORD_SAMPLE, user, 7, 0)
	record(unix.PERF_RECORD_SAMPLE, user|1<<14, 7, 0)
	record(unix.PERF_RECORD_LOST, user, 7, 8)
	record(unix.PERF_RECORD_SAMPLE, user, 8, 0)
	record(unix.PERF_RECORD_SAMPLE, kernel, 9, 0)
	f := func(data []byte, wantAll, wantUser int) {
		t.Helper()
		all, own := countSamples(data, map[int]bool{7: true, 9: true})
		if all != wantAll || own != wantUser {
			t.Errorf("%d samples, %d of the program's own; not %d, %d", all, own, wantAll, wantUser)
		}
	}
	f(data, 4, 2)
	f(data[:len(data)-1], 3, 2)
	f(nil, 0, 0)
	f(make([]byte, 64), 0, 0) // records of no size
}

// A loop without system calls is all its own.
func TestSplit(t *testing.T) {
	samples, err := newSplit()
	if err != nil {
		t.Skipf("no samples here: %v", err)
	}
	defer samples.close()
	p, err := launch(t.TempDir(), []string{"sh", "-c", "while :; do :; done"}, (*exec.Cmd).Start)
	if err != nil {
		t.Skip(err)
	}
	defer p.stop()
	time.Sleep(time.Second)
	pids, _, err := p.members()
	if err != nil {
		t.Fatal(err)
	}
	all, user, err := samples.stop(pids)
	if err != nil || all < 50 || user < all/2 {
		t.Errorf("%d samples, %d of the program's own, %v", all, user, err)
	}
}
